"""What a scenario may say about schemes that only sense."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from semlink.blocks import Scheme
from semlink.link.schemes.base import SchemeSpec
from semlink.link.schemes.camera import Camera, camera_of
from semlink.sensing.specs.registry import AnyReconstruction, AnySensor
from semlink.spec import NOTHING_KNOWN, BuildContext


class SensingSpec(SchemeSpec):
    """A sensor and its reconstruction, nothing sent; `rates` are the sensor's, or what the reconstruction says."""

    sends: ClassVar[bool] = False

    kind: Literal["sensing"]
    sensor: AnySensor = Field(description="the sensor")
    reconstruction: AnyReconstruction = Field(description="video from readings")

    def build(self, context: BuildContext = NOTHING_KNOWN) -> Scheme:
        from semlink.link.schemes.sensing_only.scheme import SensingScheme

        return SensingScheme(partial(_camera_at, self, context))


def _camera_at(spec: SensingSpec, context: BuildContext, rate: float | None) -> Camera:
    return camera_of(spec.sensor, spec.reconstruction, replace(context, rate=rate))
