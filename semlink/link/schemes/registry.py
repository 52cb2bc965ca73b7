"""What a scenario may say about codecs and schemes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from semlink.codecs.specs import LEARNED_CODECS
from semlink.link.schemes.analogue.spec import SoftCastSpec
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.delta_sigma_direct.spec import DeltaSigmaDirectSpec, DeltaSigmaSpec
from semlink.link.schemes.measurements.spec import MeasurementsSpec
from semlink.link.schemes.semantic.spec import SemanticSpec
from semlink.phy.specs.codings import AnyCoding
from semlink.sensing.specs.programmable import AnyReconstruction, AnySensor
from semlink.sensing.specs.random_projections import GENERATIVE_CODECS
from semlink.spec import Spec, one_of


class VideoCodecSpec(Spec):
    """H.264 (libx264), H.265 (libx265) or AV1 (SVT-AV1) through PyAV, raw elementary stream."""

    kind: Literal["h264", "h265", "av1"]
    preset: str = Field("medium", description="ultrafast ... placebo; AV1 also takes SVT-AV1's numbers 0 ... 13")
    gop: PositiveInt | None = Field(None, description="frames from key frame to key frame; default: the whole clip")
    slices: PositiveInt = Field(1, description="slices in a picture (H.264 only)")
    bframes: int | None = Field(None, ge=0, le=16, description="bidirectional pictures in a row; default: the preset's")
    tune: str | None = Field(None, description="psnr, ssim, zerolatency, ...; default: the encoder's")
    deblock: bool = Field(True, description="the loop filter against block edges")
    rate_control: Literal["crf", "qp"] = Field("crf", description="what `rates` and the budget search turn")
    fps: float = Field(25.0, ge=1, le=1000, description="frames a second that the encoder assumes")
    repeat_headers: bool = Field(False, description="parameter sets again with each key frame")

    @field_validator("preset", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    def build(self) -> Any:
        from semlink.codecs.video.h26x import VideoCodec

        return VideoCodec(standard=self.kind, **self.model_dump(exclude={"kind"}))


CODECS = (VideoCodecSpec, *LEARNED_CODECS, DeltaSigmaSpec, *GENERATIVE_CODECS)
AnyCodec = one_of("codec", *CODECS)


class DigitalSpec(SchemeSpec):
    """Source codec, transport blocks, channel code, QAM."""

    kind: Literal["digital"]
    codec: AnyCodec = Field(description="source codec")
    coding: AnyCoding = Field(description="channel code and modulation")
    sensor: AnySensor | None = Field(None, description="the transmitter sees the scene through it")
    reconstruction: AnyReconstruction | None = Field(None, description="video from readings, before it is coded")

    @model_validator(mode="after")
    def _both_or_none(self) -> DigitalSpec:
        if (self.sensor is None) != (self.reconstruction is None):
            raise ValueError("sensor and reconstruction go together: the codec takes video, not readings")
        return self


class SensingSpec(SchemeSpec):
    """A sensor and its reconstruction, nothing sent; `rates` are the sensor's, or what the reconstruction says."""

    kind: Literal["sensing"]
    sensor: AnySensor = Field(description="the sensor")
    reconstruction: AnyReconstruction = Field(description="video from readings")


SCHEMES = (DigitalSpec, SensingSpec, SemanticSpec, SoftCastSpec, MeasurementsSpec, DeltaSigmaDirectSpec)
AnyScheme = one_of("scheme", *SCHEMES)
