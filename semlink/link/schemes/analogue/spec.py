"""What a scenario may say about linear analogue transmission."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, PositiveInt, model_validator

from semlink.blocks import Scheme
from semlink.link.schemes.base import SEEN_AND_RESTORED, SchemeSpec
from semlink.link.schemes.behind_sensor import ReconstructedView, behind
from semlink.link.schemes.camera import camera_of
from semlink.phy.specs.codings import NEVER_TAKEN
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.spec import NOTHING_KNOWN, BuildContext
from semlink.yaml12.rules import ruled

Length = Annotated[int, Field(ge=1, le=4096)]
KLT_BLOCK = 8


class SoftCastSpec(SchemeSpec):
    """SoftCast: transform coefficients as amplitudes, no training; `rates` are channel uses a pixel."""

    revision: ClassVar[int] = 2
    model_config = ConfigDict(json_schema_extra=ruled(SEEN_AND_RESTORED))

    kind: Literal["softcast"]
    transform: Literal["dct", "klt"] = Field("dct", description="DCT, or the KLT of a fixed AR(1) model of video")
    gop: PositiveInt | None = Field(None, description="frames transformed together; default: the whole clip")
    block: Length | None = Field(
        None, description="edge of the blocks of pixels transformed together; default: the frame for dct, 8 for klt"
    )
    chunk: tuple[Length, Length, Length] | None = Field(
        None, description="frequencies of a chunk, [t, h, w]; default: the best of seven for each clip"
    )
    power: Literal["optimal", "fourth-root"] = Field(
        "optimal", description="of least error at the agreed SNR, or amplitudes ~ variance^(-1/4)"
    )
    whitening: bool = Field(True, description="mix chunks with Hadamard matrices")
    metadata: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.06, description="share of the channel uses for the description of the chunks"
    )
    margin_db: Annotated[float, Field(ge=0, le=40)] | None = Field(
        None,
        description="between SNR and what the description is coded for; default: found by calibration on the channel",
    )
    sensor: AnySensor | None = Field(None, description="the transmitter sees the scene through it")
    reconstruction: AnyReconstruction | None = Field(None, description="video from readings, before it is sent")

    @model_validator(mode="after")
    def _both_or_none(self) -> SoftCastSpec:
        if (self.sensor is None) != (self.reconstruction is None):
            raise ValueError("sensor and reconstruction go together: SoftCast takes video, not readings")
        return self

    def passed_over(self, context: BuildContext = NOTHING_KNOWN) -> tuple[str, ...]:
        transform = "semlink.codecs.analogue.block_transform:ar1_klt"
        return NEVER_TAKEN if self.transform == "klt" else (*NEVER_TAKEN, transform)

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.codecs.analogue.softcast import SoftCast
        from semlink.link.schemes.analogue.scheme import SoftCastScheme

        block = self.block if self.block is not None or self.transform == "dct" else KLT_BLOCK
        codec = SoftCast(self.transform, self.gop, block, self.chunk, self.power, self.whitening, context.colour)
        scheme = SoftCastScheme(codec, self.metadata, self.margin_db)
        if self.sensor is None or self.reconstruction is None:
            return scheme
        return behind(ReconstructedView(camera_of(self.sensor, self.reconstruction, context)), scheme)
