"""What a scenario may say about two networks of somebody else."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from semlink.blocks import Scheme
from semlink.errors import InterfaceError, ScenarioError
from semlink.link.schemes.base import SchemeSpec
from semlink.plugins.entry_points import entry_point, offered
from semlink.plugins.files import load_class
from semlink.plugins.specs import check_options, parameters_of
from semlink.plugins.trust.permission import refuse_pickle, refuse_plugin
from semlink.spec import NOTHING_KNOWN, BuildContext, Spec
from semlink.yaml12.rules import is_one_of, matches, no, only_where, ruled

PROGRAM = r"^[^:]*\.(onnx|pt|ts|jit)$"
"""A network in a file that is no Python."""
EXPORTED = r"^[^:]*\.pt2$"
WHOLE = r"^[^:]*\.(onnx|pt|ts|jit|pt2)$"
PICKLE = r"\.(pt|pth|bin|ckpt|pkl|tar|model)$"
WEIGHTS = r"\.(safetensors|pt|pth|bin|ckpt|pkl|tar|model)$"
Told = Literal["snr", "rate", "uses"]
Heard = Literal["snr", "rate", "uses", "noise_var"]


def _name_networks(schema: dict[str, Any]) -> None:
    """What a network may be called, for editors."""
    known = [{"enum": sorted(offered("network"))}] if offered("network") else []
    schema["anyOf"] = [{"pattern": ":"}, {"pattern": WHOLE}, *known]


class NetworkSpec(Spec):
    """A network of somebody else, and its weights."""

    model_config = ConfigDict(
        json_schema_extra=ruled(only_where(no(matches("network", WHOLE)), "options", "checkpoint", "prefix"))
    )
    names_files: ClassVar[tuple[str, ...]] = ("network", "options", "checkpoint")

    network: str = Field(
        description="`path/to/file.py:Class`, `module:Class`, an entry point, or a file: TorchScript (.pt, .ts), ONNX "
        "(.onnx), torch.export (.pt2)",
        json_schema_extra=_name_networks,
    )
    options: dict[str, Any] = Field({}, description="of the class")
    checkpoint: Annotated[str, Field(pattern=WEIGHTS)] | None = Field(
        None, description="weights, safetensors; .pt and .pth with --allow-pickle"
    )
    prefix: str | None = Field(None, description="of the names in the checkpoint; default: found")

    @model_validator(mode="after")
    def _may_be_read(self) -> NetworkSpec:
        if self.is_class and ":" not in self.network and self.network not in offered("network"):
            raise ValueError(
                f"network: got {self.network!r}; need file.py:Class, module:Class, or a file .pt, .ts, .onnx, .pt2"
            )
        if self.is_class or re.search(EXPORTED, self.network):
            refuse_plugin("network", self.network)
        given = [name for name in ("options", "checkpoint", "prefix") if self.changed(name)]
        if given and not self.is_class:
            raise ValueError(f"{given[0]}: {self.network} is a whole network with its weights; leave it out")
        if self.checkpoint is not None and re.search(PICKLE, self.checkpoint):
            refuse_pickle(self.checkpoint)
        return self

    @property
    def is_class(self) -> bool:
        """Whether it is a class, or a function, of Python; otherwise a file."""
        return not re.search(WHOLE, self.network)

    @property
    def users_code(self) -> tuple[str, ...]:
        if not self.is_class:
            return ()
        entry = None if ":" in self.network else entry_point("network", self.network)
        return (self.network if entry is None else entry.value,)

    def made(self, role: str, knows: tuple[tuple[str, str], ...], plain: bool, context: BuildContext) -> Any:
        """The network, made once to see that it can be."""
        from semlink.link.schemes.model.network import Network

        where = f"{role} {self.network}"
        if not self.is_class:
            found = Network(role, context.found(self.network), knows=knows)
        else:
            maker = load_class(self.network, "network", folder=context.folder, options=self.options)
            if not callable(maker):
                raise InterfaceError(f"{where}: is a {type(maker).__name__}; need a class or a function")
            check_options(parameters_of(maker), self.options, where)
            checkpoint = "" if self.checkpoint is None else context.found(self.checkpoint)
            found = Network(role, self.network, maker, self.options, checkpoint, self.prefix, knows, plain)
        found.run()
        return found


def _short(value: object) -> object:
    """A text alone is the network."""
    return {"network": value} if isinstance(value, str) else value


class EncoderSpec(NetworkSpec):
    """The transmitter's network."""

    knows: list[Told] | dict[Told, str] | None = Field(
        None, description="instead of the scheme's `knows`, for this network"
    )


class DecoderSpec(NetworkSpec):
    """The receiver's network."""

    knows: list[Heard] | dict[Heard, str] | None = Field(
        None, description="instead of the scheme's `knows`, for this network"
    )


AnyEncoder = Annotated[EncoderSpec, BeforeValidator(_short, json_schema_input_type=str | EncoderSpec)]
AnyDecoder = Annotated[DecoderSpec, BeforeValidator(_short, json_schema_input_type=str | DecoderSpec)]


class SideInfoSpec(Spec):
    """Whole numbers beside the symbols, of each frame (of the clip for a video)."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="numbers")
    bits: Annotated[int, Field(ge=1, le=16)] = Field(description="of each number")
    name: str = Field("", description="the decoder's argument that they go to; default: the second")


class ModelSpec(SchemeSpec):
    """Two networks of somebody else, encoder and decoder; `rates` are the model's own, or channel uses a pixel."""

    model_config = ConfigDict(json_schema_extra=ruled(no(is_one_of("symbols", "complex"), is_one_of("unit", "number"))))

    kind: Literal["model"]
    """Source: [bourtsoulatze2019], the kind of scheme that is meant."""
    encoder: AnyEncoder = Field(description="frames to numbers")
    decoder: AnyDecoder = Field(description="what arrived, in the shape in which it was sent, to frames")
    symbols: Literal["pairs", "halves", "channels", "complex"] = Field(
        "pairs",
        description="how the encoder's real numbers are complex symbols: neighbours; first and second half of all, or "
        "of the channels; or they are complex",
    )
    power: Literal["clip", "frame", "symbol", "own"] = Field(
        "clip", description="what is scaled to average power 1; `own`: nothing, and more than 1 is refused"
    )
    unit: Literal["symbol", "number"] = Field(
        "symbol", description="what has power 1 in the model's eyes: a complex symbol, or each real number"
    )
    knows: list[Heard] | dict[Heard, str] = Field(
        [],
        description="what both networks are told after their input, in this order, or by the names of arguments: snr "
        "in dB, rate, uses of an item; noise_var, on each symbol, goes to the decoder alone",
    )
    numbers: Literal["tensor", "plain"] = Field(
        "tensor", description="how snr, rate and uses are told: float tensors (batch,), or Python numbers"
    )
    snr_offset_db: Annotated[float, Field(ge=-60, le=60)] = Field(
        0.0, description="added to the SNR that the networks are told, for one of another definition"
    )
    layout: Literal["frames", "video", "stacked"] = Field(
        "frames", description="a clip as a batch (t, c, h, w), as (1, t, c, h, w), or as (1, t c, h, w)"
    )
    range: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        [0.0, 1.0], description="black and white in the networks' eyes, such as [-1, 1] or [0, 255]"
    )
    multiple: Annotated[int, Field(ge=1, le=4096)] = Field(
        1, description="frames are padded to multiples of it, by repeating the edge"
    )
    side_info: SideInfoSpec | None = Field(
        None, description="the encoder also gives whole numbers, sent through a coded header"
    )

    @model_validator(mode="after")
    def _means_something(self) -> ModelSpec:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range: got {self.range}; need black below white")
        if self.symbols == "complex" and self.unit == "number":
            raise ValueError("unit: number is for real numbers, and symbols: complex has none")
        return self

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.link.schemes.model.scheme import Form, ModelScheme
        from semlink.link.schemes.model.side_info import SideInfo

        plain = self.numbers == "plain"
        try:
            encoder = self.encoder.made("encoder", self._knows(self.encoder, "encoder"), plain, context)
            decoder = self.decoder.made("decoder", self._knows(self.decoder, "decoder"), plain, context)
        except OSError as fault:
            raise ScenarioError(f"scheme {self.name!r}: {fault}") from fault
        low, high = self.range
        form = Form(self.symbols, self.power, self.unit, self.layout, low, high, self.multiple, self.snr_offset_db)
        side = None if self.side_info is None else SideInfo(**self.side_info.model_dump())
        return ModelScheme(encoder, decoder, form, side, self.name)

    def _knows(self, network: EncoderSpec | DecoderSpec, role: str) -> tuple[tuple[str, str], ...]:
        """What a network is told, each with the name of its argument."""
        knows = self.knows if network.knows is None else network.knows
        named = knows.items() if isinstance(knows, dict) else ((what, "") for what in knows)
        return tuple((what, name) for what, name in named if what != "noise_var" or role == "decoder")
