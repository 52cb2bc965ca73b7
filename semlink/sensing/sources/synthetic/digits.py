"""Digits that turn, or that bounce about: 64 x 64 pixels, bright on black.

Rotating: a digit of 28 x 28 pixels is enlarged to the frame and turned about
its centre; every frame is one resampling of the bitmap itself (linear). Bouncing:
bitmaps as they are, at whole pixels, on straight paths that reflect at the
border; where two overlap the brighter shows.

The speed of bouncing digits, 3.6 pixels a frame (a tenth of the free way), is an
assumption.

Source: [hyder2019gmlr, Sec. 3].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semlink.blocks import SourceBase
from semlink.errors import SourceError
from semlink.seeds import Seeds
from semlink.sensing.sources.clips import choice, whole
from semlink.sensing.sources.files.image_stack import read_stack
from semlink.sensing.sources.synthetic.glyph_digits import draw_digit

SIDE = 64
DIGIT = 28
SPEED_PX = 0.1 * (SIDE - DIGIT)
Motion = Literal["rotating", "bouncing"]


@dataclass(frozen=True, slots=True)
class DigitSource(SourceBase):
    """`clips` clips of `frames` frames; clip k does not depend on how many there are.

    Args:
        degrees: of rotation from frame to frame, counter-clockwise.
        digits: in a clip; a rotating clip has one.
        path: an .npz with `images`, uint8 (n, 28, 28), such as MNIST's;
            `file.npz[7500:8000]` takes only these. Without it digits are drawn
            from fonts, 0 to 9 in turn. No bitmap is used twice.

    Raises:
        SourceError: an option out of its range, or a file of other pictures or of too few.
    """

    motion: Motion = "rotating"
    clips: int = 10
    frames: int = 32
    degrees: float = 2.0
    digits: int | None = None
    path: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        choice("motion", self.motion, Motion)
        for name in ("clips", "frames"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        object.__setattr__(self, "seed", whole("seed", self.seed, least=0))
        rotating = self.motion == "rotating"
        digits = (1 if rotating else 2) if self.digits is None else whole("digits", self.digits)
        if digits > (1 if rotating else 2):
            allowed = "1 for rotating digits" if rotating else "1 or 2 for bouncing digits"
            raise SourceError(f"source digits: got {digits}, allowed: {allowed}")
        object.__setattr__(self, "digits", digits)
        if not math.isfinite(self.degrees):
            raise SourceError(f"source degrees: got {self.degrees!r}, need a number")
        if self.path is not None:
            self._check(read_stack(self.path))

    def __len__(self) -> int:
        return self.clips

    def name(self, index: int) -> str:
        """`rotating<seed>-<number>`."""
        return f"{self.motion}{self.seed}-{index}"

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (t, 64, 64) in [0, 1]."""
        if not 0 <= index < self.clips:
            raise IndexError(f"clip {index} of {self.clips}")
        bitmaps = self._bitmaps(index)
        if self.motion == "rotating":
            return np.stack([turned(bitmaps[0], self.degrees * t) for t in range(self.frames)])
        rng = Seeds(self.seed, clips=(index,)).numpy("digit paths")
        clip = np.zeros((self.frames, SIDE, SIDE), np.float32)
        for bitmap in bitmaps:
            for frame, (row, column) in zip(clip, bouncing(self.frames, rng)):
                place = frame[row : row + DIGIT, column : column + DIGIT]
                np.maximum(place, bitmap, out=place)
        return clip

    def _bitmaps(self, index: int) -> list[np.ndarray]:
        """The digits of a clip, float32 (28, 28)."""
        count = int(self.digits or 1)
        places = range(index * count, (index + 1) * count)
        if self.path is None:
            order = Seeds(self.seed).numpy("digit classes").permutation(10)
            hand = Seeds(self.seed, clips=(index,)).numpy("digit hands")
            return [draw_digit(int(order[place % 10]), hand) for place in places]
        images = read_stack(self.path)
        order = Seeds(self.seed).numpy("digit choice").permutation(len(images))
        return [images[order[place]].astype(np.float32) / np.float32(255) for place in places]

    def _check(self, images: np.ndarray) -> None:
        if images.shape[1:] != (DIGIT, DIGIT):
            raise SourceError(f"{self.path}: pictures of {images.shape[1]}x{images.shape[2]}, need {DIGIT}x{DIGIT}")
        needed = self.clips * int(self.digits or 1)
        if needed > len(images):
            raise SourceError(f"{self.path}: {len(images)} digits found, {self.clips} clips need {needed}")


def bouncing(frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Top and left of a digit in each frame: a straight path folded at the borders, to whole pixels.

    Source: [srivastava2015moving, two digits in 64 x 64 that bounce off the walls].
    """
    free = SIDE - DIGIT
    start, heading = rng.uniform(0, free, 2), rng.uniform(0, 2 * math.pi)
    path = start + SPEED_PX * np.arange(frames)[:, None] * [math.sin(heading), math.cos(heading)]
    folded = free - np.abs(path % (2 * free) - free)
    return [(int(row), int(column)) for row, column in np.rint(folded)]


def turned(bitmap: np.ndarray, degrees: float) -> np.ndarray:
    """A square bitmap enlarged to 64 x 64 and turned counter-clockwise about its centre, float32 in [0, 1].

    Linear interpolation at the places where the pixels of the frame come from; black outside.
    """
    side = len(bitmap)
    axis = (np.arange(SIDE) + 0.5) * side / SIDE - side / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    rows, columns = cos * y + sin * x, cos * x - sin * y
    return _between(bitmap, rows + side / 2 - 0.5, columns + side / 2 - 0.5).astype(np.float32)


def _between(bitmap: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Values between the pixels of a bitmap, zero outside."""
    padded = np.pad(bitmap.astype(np.float64), 1)
    top, left = np.floor(rows), np.floor(columns)
    down, right = rows - top, columns - left

    def at(i: int, j: int) -> np.ndarray:
        last = len(padded) - 1
        return padded[np.clip(top + i + 1, 0, last).astype(int), np.clip(left + j + 1, 0, last).astype(int)]

    above = (1 - right) * at(0, 0) + right * at(0, 1)
    below = (1 - right) * at(1, 0) + right * at(1, 1)
    return (1 - down) * above + down * below
