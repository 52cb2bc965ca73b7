"""A wheel of colours that turns: slices of equal angle and of hues all round, on black.

Pixels are area averages. The borders between slices are lines through the
centre, which is a corner of four pixels, so the share of a slice in a pixel is
the difference of two half planes, in closed form. The rim is taken as its
tangent in each pixel, which errs by less than 0.005.

Source: [hyder2019gmlr, Sec. 3: 12 slices, 1 degree a frame, 64 frames].
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np

from semlink.blocks import SourceBase
from semlink.errors import SourceError
from semlink.sensing.sources.clips import whole

SIDE = 64
RADIUS = 30.0


@dataclass(frozen=True, slots=True)
class WheelSource(SourceBase):
    """One colour clip of `frames` frames, turning by `degrees` a frame, counter-clockwise.

    A colour clip is a gray clip of three times the height: the planes R, G, B
    of a frame stand one above the other.

    Raises:
        SourceError: an option out of its range.
    """

    slices: int = 12
    degrees: float = 1.0
    frames: int = 64
    planes = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "slices", whole("slices", self.slices, least=4))
        object.__setattr__(self, "frames", whole("frames", self.frames))
        if not math.isfinite(self.degrees):
            raise SourceError(f"source degrees: got {self.degrees!r}, need a number")

    def __len__(self) -> int:
        return 1

    def name(self, index: int) -> str:
        """`wheel<slices>`."""
        return f"wheel{self.slices}"

    def clip(self, index: int) -> np.ndarray:
        """The clip: float32 (t, 3 * 64, 64) in [0, 1]."""
        if index != 0:
            raise IndexError(f"clip {index} of 1")
        return np.stack([wheel(self.slices, self.degrees * t).reshape(3 * SIDE, SIDE) for t in range(self.frames)])


def wheel(slices: int, degrees: float) -> np.ndarray:
    """A wheel turned by `degrees`: float32 (3, 64, 64) in [0, 1]."""
    hues = np.array([colorsys.hsv_to_rgb(k / slices, 1.0, 1.0) for k in range(slices)])
    shares = slice_shares(slices, math.radians(degrees))  # (slices, h, w)
    return np.clip(np.einsum("kc,khw->chw", hues, shares), 0, 1).astype(np.float32)


def slice_shares(slices: int, angle: float) -> np.ndarray:
    """How much of each pixel each slice covers: (slices, 64, 64); slice k begins `angle` + k turns / slices."""
    axis = np.arange(SIDE) + 0.5 - SIDE / 2
    x, y = np.meshgrid(axis, -axis)  # y upwards, so that angles grow counter-clockwise
    disc = half_plane(RADIUS - np.hypot(x, y), x, y)
    begins = angle + 2 * math.pi / slices * np.arange(slices + 1)
    ahead = [_ahead(begin, x, y) for begin in begins]
    # Slices of a quarter turn at most: a pixel meets one or its opposite, never both; there the difference is negative.
    return np.stack([np.maximum(one - other, 0) for one, other in zip(ahead, ahead[1:])]) * disc


def _ahead(angle: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The share of each pixel that lies counter-clockwise of the line through the centre at `angle`."""
    normal_x, normal_y = np.full(x.shape, -math.sin(angle)), np.full(x.shape, math.cos(angle))
    return half_plane(normal_x * x + normal_y * y, normal_x, normal_y)


def half_plane(depth: np.ndarray, normal_x: np.ndarray, normal_y: np.ndarray) -> np.ndarray:
    """The share of a unit square within a half plane whose border lies `depth` beyond the square's centre.

    The normal need not have length 1. The square's extent along the normal is
    the sum of two uniform variables, and the share its distribution function.
    """
    size = np.hypot(normal_x, normal_y)
    size = np.where(size == 0, 1.0, size)
    a, b = np.abs(normal_x) / size, np.abs(normal_y) / size
    long, short = np.maximum(a, b), np.maximum(np.minimum(a, b), 1e-6)
    depth = np.clip(depth, -1, 1)

    def ramp(at: np.ndarray) -> np.ndarray:
        return np.square(np.maximum(depth + at, 0))

    high, low = (long + short) / 2, (long - short) / 2
    return np.clip((ramp(high) - ramp(low) - ramp(-low) + ramp(-high)) / (2 * long * short), 0, 1)
