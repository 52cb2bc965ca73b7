"""What a scenario may say about digital schemes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from semlink.codecs.specs import AnyCodec
from semlink.link.schemes.base import SchemeSpec
from semlink.phy.specs.codings import AnyCoding
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor


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
