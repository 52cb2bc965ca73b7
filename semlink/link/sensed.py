"""A sensor with its reconstruction, and a scheme that is nothing else: scored on what it sees, nothing sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semlink.blocks import Rehearsal, Sensor
from semlink.payload import Agreement, Frames, FrameShape, Point
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class Eye:
    """A sensor with its reconstruction."""

    sensor: Sensor
    reconstructor: Any

    def see(self, frames: Frames, seeds: Seeds) -> Frames:
        """What is made of the readings alone."""
        return self.reconstructor.reconstruct(self.sensor.measure(frames, seeds))

    def cost(self, shape: FrameShape) -> float:
        """Measurements a pixel."""
        return self.sensor.measurements_per_pixel(shape)

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """What each frame is to the sensor, where it tells frames apart."""
        kinds = getattr(self.sensor, "frame_kinds", None)
        return () if kinds is None else kinds(shape)


@dataclass(frozen=True, slots=True)
class SensingScheme:
    """A sensor and its reconstruction; the rate knob is the mean count of the ratio map."""

    eye_at: Callable[[float | None], Eye]
    is_sensing: bool = True

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        return Agreement(frames, point)

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.eye_at(agreement.point.rate).cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.eye_at(rate).frame_kinds(frames)

    def sense(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames:
        """The reconstructed frames."""
        return self.eye_at(agreement.point.rate).see(frames, seeds)
