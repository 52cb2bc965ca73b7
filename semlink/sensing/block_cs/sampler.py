"""Block compressive sensing of video: 32 x 32 blocks against known patterns, key frames finely, the others coarsely.

A frame is cut into blocks; each block of a key frame is measured with a share
`key_ratio` of as many patterns as it has pixels, each block of another frame
with a share `ratio`. Frames that are no multiple of 32 are continued by their
last row and column, and cut back after reconstruction.

Source: [zhang2023hitvcsnet, Sec. 2.1, eqs. (3) and (4)].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from semlink.blocks import SensorBase
from semlink.errors import InterfaceError
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds
from semlink.sensing.block_cs.patterns import load_patterns

BLOCK = 32
PIXELS = BLOCK * BLOCK
KEY, NON_KEY = "key", "non-key"


@dataclass(frozen=True, slots=True)
class BlockSampler(SensorBase):
    """A sensor of 32 x 32 blocks; a `blocks.Sensor` whose readings are `Projections` of key and of non-key frames.

    Args:
        ratio: patterns of a block in a non-key frame, as a share of its 1024 pixels.
        key_ratio: the same in a key frame.
        gop: frames from one key frame to the next.
        weights: a learned basis, whose first rows are taken, or a network with patterns of its own; None for
            Gaussian patterns.
        seed: of the Gaussian patterns, which both ends draw alike.
    Raises:
        InterfaceError: a ratio that gives no pattern, or more than there are pixels.
    """

    ratio: float = 0.1
    key_ratio: float = 0.5
    gop: int = 8
    weights: str | None = "blocks"
    seed: int = 0
    name: str = "block"

    def __post_init__(self) -> None:
        for what, ratio in (("ratio", self.ratio), ("key_ratio", self.key_ratio)):
            if not 1 <= ratio * PIXELS <= PIXELS:
                raise InterfaceError(
                    f"sensor block: {what} {ratio:g} gives {max(0, math.floor(ratio * PIXELS))} patterns of {PIXELS}; "
                    f"allowed: {1 / PIXELS:.4f} (one pattern) to 1"
                )
        if self.gop < 2:
            raise InterfaceError(f"sensor block: gop {self.gop} leaves no frame between key frames; allowed: 2 or more")

    @property
    def rows(self) -> tuple[int, int]:
        """Patterns of a block in a key frame, and in another."""
        return rows_of(self.key_ratio), rows_of(self.ratio)

    def matrices(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The patterns of key and of non-key frames, float32 (m, 1024), rows of unit length."""
        key, rest = self.rows
        if self.weights is not None:
            return load_patterns(self.weights, key, rest)
        return gaussian_rows(key, self.seed), gaussian_rows(rest, self.seed + 1)

    def measure(self, frames: Frames, seeds: Seeds) -> Projections:
        """Readings of `frames`: parts (clip, m, places) of key frames and of the others, frame by frame."""
        blocks = to_blocks(frames.pixels)
        key, rest = self.matrices()
        keys, others = self.split(frames.shape.t)
        return Projections((_project(key, blocks[:, keys]), _project(rest, blocks[:, others])), frames.shape)

    def adjoint(self, readings: Projections) -> torch.Tensor:
        """The transposed map: pixels (clip, t, h, w) from readings; what falls on padding goes to the repeated edge."""
        return _folded(self._spread(readings, *(matrix.T for matrix in self.matrices())), readings.frames)

    def lift(self, readings: Projections, key: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        """Pixels (clip, t, h, w) whose blocks are `key` (1024, m) and `rest` times the readings; padding cut away."""
        return self._spread(readings, key, rest)[..., : readings.frames.h, : readings.frames.w]

    def _spread(self, readings: Projections, key: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        shape = readings.frames
        keys, others = self.split(shape.t)
        per_frame = math.prod(grid_of(shape))
        parts = [part.transpose(1, 2).unflatten(1, (-1, per_frame)) for part in readings.parts]
        blocks = torch.empty(len(parts[0]), shape.t, per_frame, PIXELS, dtype=parts[0].dtype)
        blocks[:, keys] = parts[0] @ key.T
        blocks[:, others] = parts[1] @ rest.T
        high, wide = grid_of(shape)
        return from_blocks(blocks, FrameShape(shape.t, high * BLOCK, wide * BLOCK))

    def split(self, num_frames: int) -> tuple[list[int], list[int]]:
        """Numbers of the key frames, and of the others.

        Raises:
            InterfaceError: no frame lies between key frames.
        """
        keys = list(key_frames(num_frames, self.gop))
        others = [n for n in range(num_frames) if n not in keys]
        if not others:
            raise InterfaceError(
                f"sensor block: a clip of {num_frames} frame is all key frames; allowed: 2 or more frames"
            )
        return keys, others

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """`key` or `non-key` for each frame."""
        keys = set(key_frames(shape.t, self.gop))
        return [KEY if number in keys else NON_KEY for number in range(shape.t)]

    def reading_grids(self, shape: FrameShape) -> Sequence[np.ndarray]:
        """Where readings lie over frames and blocks: patterns of all frames and of key frames alone where those of
        non-key frames are the first of those of key frames, else each kind of frame by itself."""
        keys, others = self.split(shape.t)
        fine, coarse = self.matrices()
        grid = grid_of(shape)
        of_keys = np.arange(len(fine) * len(keys) * grid[0] * grid[1]).reshape(len(fine), len(keys), *grid)
        behind = of_keys.size + np.arange(len(coarse) * len(others) * grid[0] * grid[1])
        of_others = behind.reshape(len(coarse), len(others), *grid)
        if not (len(coarse) <= len(fine) and torch.equal(fine[: len(coarse)], coarse)):
            return of_keys, of_others
        shared = np.empty((len(coarse), shape.t, *grid), np.int64)
        shared[:, keys], shared[:, others] = of_keys[: len(coarse)], of_others
        return [rows for rows in (shared, of_keys[len(coarse) :]) if rows.size]

    def measurements_per_pixel(self, shape: FrameShape) -> float:
        """Readings of a clip over the pixels of one frame."""
        keys, others = self.split(shape.t)
        key, rest = self.rows
        return math.prod(grid_of(shape)) * (key * len(keys) + rest * len(others)) / (shape.h * shape.w)


def rows_of(ratio: float) -> int:
    """Patterns at a ratio: 10 at 0.01, 102 at 0.1, 512 at 0.5."""
    return math.floor(ratio * PIXELS + 1e-9)


def key_frames(num_frames: int, gop: int) -> tuple[int, ...]:
    """Numbers of the key frames: the first of every group of `gop`."""
    return tuple(range(0, num_frames, gop))


def references(num_frames: int, gop: int) -> tuple[tuple[int, int], ...]:
    """For each frame the key frames before and behind it, as places in `key_frames`.

    A key frame is its own reference. The frames of a last group, behind which
    no key frame comes, take the one before twice.
    """
    last = len(key_frames(num_frames, gop)) - 1
    return tuple((n // gop, min(last, n // gop + (n % gop > 0))) for n in range(num_frames))


def grid_of(shape: FrameShape) -> tuple[int, int]:
    """Rows and columns of blocks in a frame, the padded ones included."""
    return -(-shape.h // BLOCK), -(-shape.w // BLOCK)


def to_blocks(pixels: torch.Tensor) -> torch.Tensor:
    """Blocks (clip, t, places, 1024) in raster order of pixels (clip, t, h, w)."""
    pixels = pad(pixels)
    high, wide = pixels.shape[2] // BLOCK, pixels.shape[3] // BLOCK
    cut = pixels.unflatten(3, (wide, BLOCK)).unflatten(2, (high, BLOCK))
    return cut.transpose(3, 4).reshape(*pixels.shape[:2], high * wide, PIXELS)


def from_blocks(blocks: torch.Tensor, shape: FrameShape) -> torch.Tensor:
    """Pixels (clip, t, h, w) from their blocks, padding cut away."""
    high, wide = grid_of(shape)
    cut = blocks.unflatten(3, (BLOCK, BLOCK)).unflatten(2, (high, wide)).transpose(3, 4)
    return cut.reshape(*blocks.shape[:2], high * BLOCK, wide * BLOCK)[..., : shape.h, : shape.w]


def pad(pixels: torch.Tensor) -> torch.Tensor:
    """Frames continued by their last row and column to multiples of 32."""
    down, right = (-side % BLOCK for side in pixels.shape[2:])
    return F.pad(pixels, (0, right, 0, down), mode="replicate") if down or right else pixels


def _folded(pixels: torch.Tensor, shape: FrameShape) -> torch.Tensor:
    """The adjoint of `pad`: what stands behind the last row and column is added to them."""
    inside = pixels[..., : shape.h, :].clone()
    inside[..., -1, :] += pixels[..., shape.h :, :].sum(-2)
    folded = inside[..., : shape.w].clone()
    folded[..., -1] += inside[..., shape.w :].sum(-1)
    return folded


@cache
def gaussian_rows(rows: int, seed: int) -> torch.Tensor:
    """Gaussian patterns made orthonormal: a random subspace, (rows, 1024)."""
    drawn = torch.randn(PIXELS, rows, generator=Seeds(seed).torch("block_sampling"), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.T.float().contiguous()


def _project(matrix: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """(clip, m, t places) from blocks (clip, t, places, 1024)."""
    return (blocks @ matrix.T).flatten(1, 2).transpose(1, 2).contiguous()
