"""What a scenario may say about schemes that only sense."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from semlink.link.schemes.base import SchemeSpec
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor


class SensingSpec(SchemeSpec):
    """A sensor and its reconstruction, nothing sent; `rates` are the sensor's, or what the reconstruction says."""

    kind: Literal["sensing"]
    sensor: AnySensor = Field(description="the sensor")
    reconstruction: AnyReconstruction = Field(description="video from readings")
