"""A sensor of random inner products, frame by frame: y_t = A_t x_t.

| operator | A_t | readings a frame |
|---|---|---|
| identity | the pixels themselves | n |
| gaussian | independent N(0, 1/m) | m |
| missing | the pixels that are left when exactly floor(share n) are lost | n - floor(share n) |

Pixels are in [0, 1]. A_t is drawn from a stream of its own for each frame, of
the sensor's fixed seed: the same for all clips and at both ends. A Gaussian
matrix is rounded to bf16 when it is drawn, so all precisions use the same.

Colour clips are gray `Frames` (t, planes * h, w), their planes stacked: a
Gaussian pattern covers all planes of a frame, a missing pixel is missing in
all of them.

Source: [hyder2019gmlr, Sec. 3.2 and 3.3].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from semlink.blocks import SensorBase
from semlink.errors import InterfaceError
from semlink.nn.generative.operators import GaussianPatterns, Operator, PixelsLeft
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds

__all__ = ["GaussianPatterns", "Operator", "OperatorName", "PixelsLeft", "RandomSensor"]

OperatorName = Literal["identity", "gaussian", "missing"]


@dataclass(frozen=True, slots=True)
class RandomSensor(SensorBase):
    """Identity, Gaussian patterns or missing pixels; a `blocks.Sensor` without noise.

    Attributes:
        operator: which.
        measurements: readings a frame, for `gaussian`.
        missing: share of a frame's pixels that are lost, for `missing`.
        seed: of the draws; part of the agreement.
        planes: stacked in each frame: 1 gray, 3 for R, G and B.
        skip: frames that are not read at all, counted from 0.
    Raises:
        InterfaceError: an option that leaves nothing to read.
    """

    operator: OperatorName = "identity"
    measurements: int = 512
    missing: float = 0.8
    seed: int = 0
    planes: int = 1
    skip: tuple[int, ...] = ()
    name: str = field(default="random", init=False, repr=False)
    is_noiseless: bool = field(default=True, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.operator == "gaussian" and self.measurements < 1:
            raise InterfaceError(f"sensor random: measurements is {self.measurements}; allowed: 1 or more a frame")
        if not 0 <= self.missing < 1:
            raise InterfaceError(
                f"sensor random: missing is {self.missing:g} and would leave no pixel of a frame; "
                "allowed: 0 up to, not including, 1; frames that are not read at all go into skip"
            )

    def measure(self, frames: Frames, seeds: Seeds) -> Projections:
        """Readings frame by frame: one part, (clip, 1, frames * m)."""
        shape = frames.shape
        pixels = frames.pixels.flatten(2)[:, list(self.frames_read(shape))]
        return Projections((self._read(pixels, shape).flatten(1)[:, None],), shape)

    def frames_read(self, shape: FrameShape) -> tuple[int, ...]:
        """The frames that are read.

        Raises:
            InterfaceError: none, or `skip` names frames that are not there.
        """
        strange = sorted(set(self.skip) - set(range(shape.t)))
        if strange or len(set(self.skip)) == shape.t:
            what = f"frames {strange} are not there" if strange else "no frame is left"
            raise InterfaceError(f"sensor random: skip: {what}; allowed: some of 0 to {shape.t - 1}")
        return tuple(t for t in range(shape.t) if t not in self.skip)

    def frame_kinds(self, shape: FrameShape) -> tuple[str, ...]:
        """`read` or `skipped` for each frame; nothing where all are read."""
        read = self.frames_read(shape)
        return tuple("read" if t in read else "skipped" for t in range(shape.t)) if self.skip else ()

    def operators(self, shape: FrameShape, dtype: torch.dtype = torch.float32) -> Operator:
        """A_t for the frames that are read; Gaussian patterns as `dtype`.

        Raises:
            InterfaceError: planes that do not divide the rows, or no pixel left.
        """
        self._check(shape)
        if self.operator == "gaussian":
            return GaussianPatterns(self._patterns(shape).to(dtype))
        return PixelsLeft(self._kept(shape), shape.h * shape.w)

    def measurements_per_pixel(self, shape: FrameShape) -> float:
        """Readings of a clip over its rows and columns: the cost of sensing."""
        self._check(shape)
        each = self.measurements if self.operator == "gaussian" else self._left(shape) * self.planes
        return each * len(self.frames_read(shape)) / (shape.h * shape.w)

    def _read(self, pixels: torch.Tensor, shape: FrameShape) -> torch.Tensor:
        """Readings (clip, t, m) in float32; frame by frame, for many patterns fill the memory."""
        if self.operator != "gaussian":
            return self.operators(shape).forward(pixels)
        self._check(shape)
        frames = zip(self._patterns(shape).split(1), pixels.split(1, dim=1), strict=True)
        return torch.cat([GaussianPatterns(rows.float()).forward(frame) for rows, frame in frames], dim=1)

    def _patterns(self, shape: FrameShape) -> torch.Tensor:
        return _gaussian(self.seed, self.measurements, shape.h * shape.w, self.frames_read(shape))

    def _left(self, shape: FrameShape) -> int:
        """Pixels left in each plane of a frame."""
        places = shape.h // self.planes * shape.w
        return places - (int(self.missing * places + 1e-9) if self.operator == "missing" else 0)

    def _check(self, shape: FrameShape) -> None:
        if shape.h % self.planes:
            raise InterfaceError(
                f"sensor random: frames of {shape.h} rows are not {self.planes} planes of equal height; "
                "allowed: R, G and B stacked as rows"
            )

    def _kept(self, shape: FrameShape) -> torch.Tensor:
        """Places (t, m) of the pixels left, ascending, the same in each plane."""
        places, left = shape.h // self.planes * shape.w, self._left(shape)
        rows = []
        for t in self.frames_read(shape):
            order = Seeds(self.seed).numpy(f"projections/missing/{t}").permutation(places)
            kept = np.sort(order[:left]) if left < places else np.arange(places)
            rows.append(np.concatenate([kept + plane * places for plane in range(self.planes)]))
        return torch.from_numpy(np.stack(rows))


@lru_cache(maxsize=2)
def _gaussian(seed: int, measurements: int, pixels: int, frames: tuple[int, ...]) -> torch.Tensor:
    """Patterns (t, m, n) of N(0, 1/m) as bf16."""
    made = torch.empty(len(frames), measurements, pixels, dtype=torch.bfloat16)
    for rows, t in zip(made, frames, strict=True):
        drawn = Seeds(seed).numpy(f"projections/gaussian/{t}").standard_normal(tuple(rows.shape), dtype=np.float32)
        rows.copy_(torch.from_numpy(drawn * np.float32(measurements**-0.5)))
    return made
