"""Frames that were not read, filled in from their neighbours: what interpolation is compared with.

`nearest` repeats the nearest frame that was read, the earlier one if two are
as near; `linear` blends the two around the gap in proportion to time. At either end both repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from semlink.blocks import ReconstructionBase
from semlink.errors import InterfaceError
from semlink.payload import Frames, Projections
from semlink.sensing.random_projections.sensor import RandomSensor

Method = Literal["nearest", "linear"]


@dataclass(frozen=True, slots=True)
class FrameFill(ReconstructionBase):
    """Frames read as they are; those between them filled in.

    Raises:
        InterfaceError: a sensor that does not read whole frames.
    """

    sensor: RandomSensor
    method: Method = "linear"

    def __post_init__(self) -> None:
        if not isinstance(self.sensor, RandomSensor) or self.sensor.operator != "identity":
            raise InterfaceError(
                "reconstruction fill: needs a sensor of whole frames; allowed: random with operator identity"
            )

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"fill-{self.method}"

    def reconstruct(self, measurement: Projections) -> Frames:
        """Frames (clip, t, h, w)."""
        shape = measurement.frames
        read = np.array(self.sensor.frames_read(shape))
        pixels = measurement.parts[0].reshape(-1, len(read), shape.h, shape.w)
        return Frames(torch.einsum("tr,crhw->cthw", torch.from_numpy(fill_weights(read, shape.t, self.method)), pixels))


def fill_weights(read: np.ndarray, frames: int, method: Method) -> np.ndarray:
    """How much of each frame read (r) goes into each of all frames: float32 (frames, r), rows summing to 1."""
    wanted = np.arange(frames)
    if method == "nearest":
        nearest = np.abs(wanted[:, None] - read[None]).argmin(1)
        return np.eye(len(read), dtype=np.float32)[nearest]
    each = np.eye(len(read))
    return np.stack([np.interp(wanted, read, row) for row in each], axis=1).astype(np.float32)
