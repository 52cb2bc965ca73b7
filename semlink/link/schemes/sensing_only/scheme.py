"""A sensor with its reconstruction, and a scheme that is nothing else: scored on what it sees, nothing sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from semlink.blocks import Calibration
from semlink.link.schemes.camera import Camera, Progress
from semlink.payload import Agreement, Frames, FrameShape, Point, Restored
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class SensingScheme:
    """A sensor and its reconstruction; the rate knob is the sensor's, or the reconstruction's where it claims it."""

    camera_at: Callable[[float | None], Camera]
    is_sensing: bool = True

    def agree(self, frames: FrameShape, point: Point, rehearsal: Calibration) -> Agreement:
        return Agreement(frames, point)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        """That the reconstruction can serve such clips at this rate, where it tells before it works.

        Raises:
            SemlinkError: it cannot.
        """
        check = getattr(self.camera_at(rate).reconstructor, "check_shape", None)
        if check is not None:
            check(frames)

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.camera_at(agreement.point.rate).cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.camera_at(rate).frame_kinds(frames)

    def is_certain(self, agreement: Agreement) -> bool:
        """Whether every trial would be the same: a sensor without noise."""
        return bool(getattr(self.camera_at(agreement.point.rate).sensor, "is_noiseless", False))

    def sense(
        self, clips: Sequence[Frames], agreement: Agreement, seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """Each clip as reconstructed."""
        return self.camera_at(agreement.point.rate).restore_many(clips, seeds, progress)
