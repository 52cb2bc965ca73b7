"""What a scenario may say about semantic transmission."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from semlink.blocks import Scheme
from semlink.errors import ScenarioError
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.camera import camera_of
from semlink.phy.specs.codings import NEVER_TAKEN
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.spec import NOTHING_KNOWN, BuildContext
from semlink.weights.cards import is_of
from semlink.yaml12.rules import for_each, is_one_of, no, ruled

if TYPE_CHECKING:
    from semlink.codecs.semantic.interface import SemanticCodecLike


class SemanticSpec(SchemeSpec):
    """Readings of a sensor straight to channel symbols; `rates` are prices of a level (learned) or symbols a block."""

    revision: ClassVar[int] = 2
    model_config = ConfigDict(
        json_schema_extra=ruled(
            no(is_one_of("side_info", "ideal"), is_one_of("allocation", "uniform")),
            for_each("rates", {"exclusiveMinimum": 0}),
        )
    )

    kind: Literal["semantic"]
    weights: str = Field(description="encoder, decoder and rate allocation by name, see `semlink weights`")
    sensor: AnySensor = Field(description="the sensor whose readings are sent")
    reconstruction: AnyReconstruction = Field(description="video from the readings that arrived, at the receiver")
    architecture: Literal["tokens", "published"] | None = Field(None, description="default: that of the weights")
    allocation: Literal["learned", "searched", "predicted", "uniform"] = Field(
        "learned",
        description="levels by the rate allocation network, by trying all of them (published), by predicted errors "
        "(tokens), or the same for all blocks",
    )
    per_level: Literal[6, 12] | None = Field(
        None, description="published: symbols that a level adds to a block; default: 6 for small budgets, 12 for others"
    )
    side_info: Literal["coded", "16qam-2/3", "ideal"] = Field(
        "coded",
        description="coding of the rate map: by the SNR; fixed; or assumed error-free, charged at 3/4 use a block",
    )

    @model_validator(mode="after")
    def _map_to_send(self) -> SemanticSpec:
        if self.side_info == "ideal" and self.allocation == "uniform":
            raise ValueError("side_info ideal is about the rate map, and allocation uniform sends none")
        return self

    @model_validator(mode="after")
    def _rates_that_mean_something(self) -> SemanticSpec:
        for rate in self.rates or ():
            if not rate > 0:
                raise ValueError(f"rates: got a price of {rate:g}; allowed: above 0, trained at 0.01 to 1")
        return self

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        of_tokens = is_of(context.weights(self.weights), "token_semantic")
        other = ("codec", "published", "networks") if of_tokens else ("tokens.loaded", "tokens.networks")
        header = ["semlink.link.schemes.coded_header", "semlink.phy"] if self.side_info == "ideal" else []
        return (*NEVER_TAKEN, *(f"semlink.codecs.semantic.{name}" for name in other), *header)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.codecs.semantic.choice import semantic_codec
        from semlink.link.schemes.coded_header import CodedHeader
        from semlink.link.schemes.semantic.scheme import IdealSideScheme, SemanticScheme
        from semlink.phy.coding.ldpc_coding import LdpcCoding

        map_side = CodedHeader(fixed=LdpcCoding(4, 2 / 3)) if self.side_info == "16qam-2/3" else None
        codec, architecture = semantic_codec(context.weights(self.weights), self.architecture)
        self._check_options(architecture)
        self._check_rates(codec)
        camera = camera_of(self.sensor, self.reconstruction, context)
        kind = IdealSideScheme if self.side_info == "ideal" else SemanticScheme
        return kind(camera.sensor, camera.reconstructor, codec, self.allocation, self.per_level, map_side=map_side)

    def _check_options(self, architecture: str) -> None:
        """Refuse options that the architecture does not have.

        Raises:
            ScenarioError: such an option.
        """
        from semlink.codecs.semantic.choice import ALLOCATIONS

        ways = ALLOCATIONS[architecture]
        if self.allocation not in ways:
            raise ScenarioError(
                f"allocation: got {self.allocation}, weights {self.weights!r} are {architecture}; "
                f"allowed: {', '.join(ways)}"
            )
        if self.per_level is not None and architecture != "published":
            raise ScenarioError(f"per_level: weights {self.weights!r} have their own table of levels; leave it out")

    def _check_rates(self, codec: SemanticCodecLike) -> None:
        """Refuse symbols of a block that the codec does not have.

        Raises:
            ScenarioError: too few or too many.
        """
        most, fewest = 2 * codec.most_pairs, 2 * min(3, codec.table(6)[0])
        for rate in self.rates or ():
            if self.allocation == "uniform" and not fewest <= rate <= most:
                raise ScenarioError(f"rates: got {rate:g} symbols a block; allowed: {fewest} to {most}")
