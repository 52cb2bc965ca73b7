"""A sensor with its reconstruction, and a scheme that is nothing else: scored on what it sees, nothing sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from semlink.blocks import Progress, SensingBase
from semlink.caching import Memo
from semlink.link.schemes.camera import Camera
from semlink.payload import Agreement, Frames, FrameShape, Restored
from semlink.seeds import Seeds

CAMERAS_KEPT = 16


@dataclass(frozen=True, slots=True)
class SensingScheme(SensingBase):
    """A sensor and its reconstruction; the rate knob is the sensor's, or the reconstruction's where it takes it.

    Attributes:
        build_at: makes both for one of the rates.
    """

    build_at: Callable[[float | None], Camera]
    cameras: Memo[Camera] = field(default_factory=lambda: Memo(CAMERAS_KEPT), repr=False, compare=False)

    def camera_at(self, rate: float | None) -> Camera:
        return self.cameras.get(rate, lambda: self.build_at(rate))

    def check(self, frames: FrameShape, rate: float | None) -> None:
        """That sensor and reconstruction can serve such clips at this rate, where they tell before they work.

        Raises:
            SemlinkError: it cannot.
        """
        self.camera_at(rate).check_shape(frames)

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.camera_at(agreement.point.rate).cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.camera_at(rate).frame_kinds(frames)

    def is_certain(self, agreement: Agreement) -> bool:
        """Whether every trial would be the same: a sensor without noise."""
        return self.camera_at(agreement.point.rate).sensor.is_noiseless

    def sense(
        self, clips: Sequence[Frames], agreement: Agreement, seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """Each clip as reconstructed."""
        return self.camera_at(agreement.point.rate).restore_many(clips, seeds, progress)
