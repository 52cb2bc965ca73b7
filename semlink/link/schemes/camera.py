"""A sensor with its reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semlink.blocks import Sensor
from semlink.payload import Frames, FrameShape, Restored
from semlink.seeds import Seeds

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Camera:
    """A sensor with its reconstruction."""

    sensor: Sensor
    reconstructor: Any

    def see(self, frames: Frames, seeds: Seeds) -> Frames:
        """What is made of the readings alone."""
        return self.reconstructor.reconstruct(self.sensor.measure(frames, seeds))

    def restore_many(
        self, clips: Sequence[Frames], seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """What is made of the readings of each clip; in one go where the reconstruction can, which changes no clip.

        `progress` is told how much of that is done, and how much there is.
        """
        measured = [self.sensor.measure(clip, own) for clip, own in zip(clips, seeds, strict=True)]
        together = getattr(self.reconstructor, "restore_many", None)
        if together is not None:
            return together(measured, progress)
        return [Restored(self.reconstructor.reconstruct(measurement)) for measurement in measured]

    def cost(self, shape: FrameShape) -> float:
        """Measurements a pixel."""
        return self.sensor.measurements_per_pixel(shape)

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """What each frame is to the sensor, where it tells frames apart."""
        kinds = getattr(self.sensor, "frame_kinds", None)
        return () if kinds is None else kinds(shape)
