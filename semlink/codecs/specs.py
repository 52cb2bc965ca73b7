"""What a scenario may say about learned codecs."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from semlink.blocks import CodecBase
from semlink.codecs.command.programs import FILLED, PROGRAMS, Cut, KnownProgram, Pictures, Program, words_of
from semlink.codecs.video.options import (
    LONGEST_GOP,
    MOST_BFRAMES,
    MOST_SLICES,
    Chroma,
    Preset,
    RateControl,
    SvtPreset,
    SvtTune,
    X264Tune,
    X265Tune,
)
from semlink.errors import ScenarioError
from semlink.plugins.specs import CodecPlugin, one_of
from semlink.plugins.trust.permission import refuse_command
from semlink.spec import NOTHING_KNOWN, BuildContext, Planes, Rank, Spec
from semlink.weights.cards import is_of


class CodecSpec(Spec):
    """What the specs of all codecs offer."""

    kind: str

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        """The codec."""
        raise NotImplementedError


class TaskAwareSpec(CodecSpec):
    """Learned compression of a sensor's readings for the sake of the frames; `rates` and the budget turn its q."""

    kind: Literal["task-aware"]
    weights: str = Field(description="by name, see `semlink weights`")
    architecture: Literal["tokens", "published"] | None = Field(None, description="default: that of the weights")
    slices: Annotated[int, Field(ge=1, le=16)] | None = Field(
        None, description="bands of rows that decode alone; default: one; published: one to four, more at finer q"
    )
    thrift: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="published: squared error, in quantiser steps, that saving a bit is worth; 0 rounds"
    )
    search: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="tokens: steps in which the transmitter looks for better latents"
    )

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        if not is_of(context.weights(self.weights), "token_compression"):
            return ("semlink.codecs.tokens.codec",)
        searches = [] if self.search else ["semlink.codecs.tokens.search"]
        return ("semlink.codecs.task_aware.codec", *searches)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.tokens.choice import task_aware_codec

        return task_aware_codec(context.weights(self.weights), self.architecture, self.slices, self.thrift, self.search)


class CompressAISpec(CodecSpec):
    """An image model of CompressAI, each frame by itself (extra `compressai`); `rates` are its qualities."""

    names_files: ClassVar[tuple[str, ...]] = ("checkpoint",)

    kind: Literal["compressai"]
    model: str = Field(description="CompressAI's name, such as bmshj2018-hyperprior or mbt2018-mean")
    quality: Annotated[int, Field(ge=1, le=8)] | None = Field(None, description="default: the best that fits")
    checkpoint: str | None = Field(None, description="file of a state dict; {quality} in it stands for the quality")
    pretrained: bool = Field(False, description="let CompressAI fetch its published weights instead")
    every: Annotated[int, Field(ge=1, le=256)] = Field(1, description="code one frame in so many, repeat it between")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.video.compressai import CompressAICodec

        if "compressai" not in sys.modules and find_spec("compressai") is None:
            raise ScenarioError("codec compressai needs CompressAI: pip install 'semlink[compressai]'")
        checkpoint = None if self.checkpoint is None else context.found(self.checkpoint)
        return CompressAICodec(
            **self.model_dump(exclude={"kind", "checkpoint"}), checkpoint=checkpoint, colour=context.colour
        )


LEARNED_CODECS = (TaskAwareSpec, CompressAISpec)


Channels = Annotated[int, Field(ge=1, le=255)]


class DeltaSigmaSpec(CodecSpec):
    """Groups of frames as binary maps, one model for all rates; `rates` are numbers of channels."""

    kind: Literal["delta-sigma"]
    weights: str = Field("delta_sigma", description="by name, see `semlink weights`")
    channels: Channels | None = Field(None, description="channels sent of each block; default: the most that fit")
    entropy: bool = Field(False, description="arithmetic code the maps: shorter, and a wrong bit spoils its packet")

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        on_tokens = is_of(context.weights(self.weights), "token_delta_sigma")
        others = () if on_tokens else ("semlink.codecs.delta_sigma.tokens",)
        if not self.entropy:
            return (*others, "semlink.codecs.delta_sigma.entropy_coding", "semlink.codecs.entropy")
        return others

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
        from semlink.codecs.delta_sigma.tokens.codec import TokenBitCodec

        weights = context.weights(self.weights)
        if self.entropy and is_of(weights, "token_delta_sigma"):
            return TokenBitCodec(weights, self.channels, context.colour)
        return DeltaSigmaCodec(weights, self.channels, self.entropy, context.colour)


class LatentCodecSpec(CodecSpec):
    """Codes of a generator that the receiver holds, at rank r, 64 x 64 pixels; the budget turns the quantiser."""

    kind: Literal["gmlr"]
    weights: str = Field(description="of a generator, by name")
    rank: Rank | None = Field(
        None, description="of a clip's codes; default: the best of several; `rates` are ranks and go before it"
    )
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = Field(2000, description="of the transmitter's fit, at most")
    step: float = Field(1 / 32, ge=1 / 4096, le=1, description="of the quantiser, for `rates`")
    planes: Planes = Field(1, description="of a frame, stacked as rows: 1 gray, 3 for R, G and B")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.latent_codec import LatentCodec

        return LatentCodec(context.weights(self.weights), self.rank, self.planes, self.epochs, self.step)


GENERATIVE_CODECS = (LatentCodecSpec,)


Words = Annotated[list[str], Field(min_length=1, max_length=200)] | str


class CommandSpec(CodecSpec):
    """Any encoder and decoder from the command line; needs `--allow-commands`. `rates` are its qualities."""

    kind: Literal["command"]
    """Source: this project."""
    program: KnownProgram | None = Field(
        None, description="one whose commands are known, instead of `encode` and `decode`"
    )
    encode: Words | None = Field(
        None, description=f"words of the encoder, with {', '.join(FILLED)} in braces filled in"
    )
    decode: Words | None = Field(None, description="words of the decoder, alike")
    executables: dict[str, str] = Field({}, description="where programs are that PATH does not lead to, by first word")
    quality: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="the finest and the coarsest value of {quality}"
    )
    step: float | None = Field(None, gt=0, le=1000, description="of {quality}; default: 1")
    pictures: Pictures | None = Field(None, description="files of frames; default: y4m")
    suffix: Annotated[str, Field(pattern=r"^\.[A-Za-z0-9]{1,8}$")] | None = Field(None, description="of the coded file")
    packets: Cut | None = Field(
        None, description="a stream is one packet, or one for each unit behind a start code; default: whole"
    )
    multiple: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="frames are padded to it; default: 8"
    )
    timeout_s: float = Field(60.0, ge=0.1, le=3600, description="for each time a program runs")
    fps: float = Field(25.0, ge=1, le=1000, description="frames a second that programs are told")

    @model_validator(mode="after")
    def _may_run(self) -> CommandSpec:
        if self.program is None and (self.encode is None or self.decode is None or self.quality is None):
            raise ValueError(f"needs encode, decode and quality, or program: one of {', '.join(PROGRAMS)}")
        for words in (self.encode, self.decode):
            if words is not None:
                words_of(words)
        for name in self.first_words:
            refuse_command(name)
        return self

    @property
    def first_words(self) -> tuple[str, str]:
        """What is started."""
        commands = self.commands
        return commands.encode[0], commands.decode[0]

    @property
    def commands(self) -> Program:
        """Commands and formats, those of a known program but for what is given."""
        known = PROGRAMS[self.program] if self.program else Program((), (), 0, 1, step=1.0)
        finest, coarsest = self.quality or (known.finest, known.coarsest)
        given: dict[str, Any] = {
            "encode": None if self.encode is None else tuple(words_of(self.encode)),
            "decode": None if self.decode is None else tuple(words_of(self.decode)),
            "step": self.step,
            "pictures": self.pictures,
            "suffix": self.suffix,
            "cut": self.packets,
            "multiple": self.multiple,
        }
        told = {name: value for name, value in given.items() if value is not None}
        return replace(known, finest=float(finest), coarsest=float(coarsest), **told)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.command.found import found_codec

        return found_codec(self.commands, self.executables, context, self.timeout_s, self.fps)


COMMAND_CODECS = (CommandSpec,)


PRESET = "speed of the encoder against what it gains"
SLICES = "slices in a picture (H.264 only)"
BFRAMES = "bidirectional pictures in a row; default: the preset's"
TUNE = "what the encoder optimises; default: its own choice"
CHROMA = "of rgb frames: at half the size each way, or at the full size"


class VideoSpec(CodecSpec):
    """What H.264, H.265 and AV1 share."""

    kind: Literal["h264", "h265", "av1"]
    preset: Preset = Field("medium", description=PRESET)
    gop: Annotated[int, Field(ge=1, le=LONGEST_GOP)] | None = Field(
        None, description="frames from key frame to key frame; default: the whole clip"
    )
    slices: Literal[1] = Field(1, description=SLICES)
    bframes: Annotated[int, Field(ge=0, le=MOST_BFRAMES)] | None = Field(None, description=BFRAMES)
    tune: X264Tune | X265Tune | SvtTune | None = Field(None, description=TUNE)
    deblock: bool = Field(True, description="the loop filter against block edges")
    rate_control: RateControl = Field("crf", description="what `rates` and the budget search turn")
    fps: float = Field(25.0, ge=1, le=1000, description="frames a second that the encoder assumes")
    repeat_headers: bool = Field(False, description="parameter sets again with each key frame")
    chroma: Chroma = Field("4:2:0", description=CHROMA)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.video.h26x import VideoCodec

        return VideoCodec(standard=self.kind, colour=context.colour, **self.model_dump(exclude={"kind"}))


class H264Spec(VideoSpec):
    """H.264 (libx264) through PyAV, raw elementary stream."""

    kind: Literal["h264"]
    """Source: [h264, clause 7.3 and annex B], coded by [x264]."""
    slices: Annotated[int, Field(ge=1, le=MOST_SLICES)] = Field(1, description=SLICES)  # type: ignore[assignment]
    tune: X264Tune | None = Field(None, description=TUNE)


class H265Spec(VideoSpec):
    """H.265 (libx265) through PyAV, raw elementary stream."""

    kind: Literal["h265"]
    """Source: [h265, clause 7.3 and annex B], coded by [x265]."""
    tune: X265Tune | None = Field(None, description=TUNE)


class Av1Spec(VideoSpec):
    """AV1 (SVT-AV1) through PyAV, raw elementary stream."""

    revision: ClassVar[int] = 2

    kind: Literal["av1"]
    """Source: [av1, sections 4.10.5 and 5.3], coded by [svt-av1], decoded by [dav1d]."""
    preset: Preset | SvtPreset = Field("medium", description=f"{PRESET}, or as SVT-AV1 numbers it")  # type: ignore[assignment]
    bframes: Literal[0] | None = Field(None, description=BFRAMES)
    chroma: Literal["4:2:0"] = Field("4:2:0", description="SVT-AV1 codes no other")  # type: ignore[assignment]
    tune: SvtTune | None = Field(None, description=TUNE)

    @field_validator(
        "preset", mode="before", json_schema_input_type=Preset | SvtPreset | Annotated[int, Field(ge=0, le=13)]
    )
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class PictureSpec(CodecSpec):
    """What codecs of single pictures share: every frame by itself, through imagecodecs (extra `pictures`)."""

    kind: Literal["jpeg", "jpeg2000", "webp", "avif", "jpegxl"]

    def build(self, context: BuildContext = NOTHING_KNOWN) -> CodecBase:
        from semlink.codecs.pictures.codec import PictureCodec

        return PictureCodec(self.kind, colour=context.colour, **self.model_dump(exclude={"kind"}))


class JpegSpec(PictureSpec):
    """JPEG (libjpeg-turbo), each frame by itself (extra `pictures`); `rates` are qualities of 1 to 100."""

    kind: Literal["jpeg"]
    """Source: [wallace1992jpeg], coded by [libjpeg-turbo]."""
    chroma: Chroma | None = Field(None, description=f"{CHROMA}; default: 4:2:0")


class Jpeg2000Spec(PictureSpec):
    """JPEG 2000 (OpenJPEG), each frame by itself (extra `pictures`); `rates` are PSNRs of 10 to 60 dB."""

    kind: Literal["jpeg2000"]
    """Source: [taubman2002jpeg2000], coded by [openjpeg]."""


class WebpSpec(PictureSpec):
    """WebP (libwebp), each frame by itself (extra `pictures`); `rates` are qualities of 0 to 100."""

    kind: Literal["webp"]
    """Source: [rfc9649], coded by [libwebp]."""


class AvifSpec(PictureSpec):
    """AVIF (libaom), each frame by itself (extra `pictures`); `rates` are qualities of 0 to 99."""

    kind: Literal["avif"]
    """Source: [av1], coded by [libaom]."""
    chroma: Chroma | None = Field(None, description=f"{CHROMA}; default: 4:2:0")


class JpegXlSpec(PictureSpec):
    """JPEG XL (libjxl), each frame by itself (extra `pictures`); `rates` are distances of 25 to 0.05."""

    kind: Literal["jpegxl"]
    """Source: [alakuijala2019jpegxl], coded by [libjxl]."""


PICTURE_CODECS = (JpegSpec, Jpeg2000Spec, WebpSpec, AvifSpec, JpegXlSpec)

CODECS = (
    H264Spec,
    H265Spec,
    Av1Spec,
    *PICTURE_CODECS,
    *LEARNED_CODECS,
    DeltaSigmaSpec,
    *GENERATIVE_CODECS,
    *COMMAND_CODECS,
)


if TYPE_CHECKING:
    AnyCodec = CodecSpec | CodecPlugin
else:
    AnyCodec = one_of("codec", *CODECS)
