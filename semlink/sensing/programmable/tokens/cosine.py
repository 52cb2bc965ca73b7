"""Blocks of 16 frames of 8x8 pixels as cosine coefficients, and back: orthonormal, so errors keep their size."""

from __future__ import annotations

import math
from functools import cache

import torch

SIDE = 8
"""Pixels along a side of a block."""


@cache
def cosines(n: int) -> torch.Tensor:
    """The orthonormal cosine transform (n, n): one frequency a row."""
    grid = torch.arange(n, dtype=torch.float64)
    rows = torch.cos(math.pi / n * torch.outer(grid, grid + 0.5)) * math.sqrt(2 / n)
    rows[0] *= math.sqrt(0.5)
    return rows.float()


def coefficients(frames: torch.Tensor) -> torch.Tensor:
    """Frames (b, t, h, w), sides multiples of 8, as (b, h / 8, w / 8, t * 64): by frequency in time, rows, columns."""
    b, t, h, w = frames.shape
    time, space = cosines(t).to(frames), cosines(SIDE).to(frames)
    x = (frames.reshape(-1, SIDE) @ space.T).view(b, t, h // SIDE, SIDE, w // SIDE, SIDE)
    x = x.permute(0, 2, 4, 1, 3, 5).reshape(-1, t, SIDE, SIDE)
    x = space @ x
    return (time @ x.flatten(2)).view(b, h // SIDE, w // SIDE, t * SIDE * SIDE)


def frames_of(coefficients: torch.Tensor, num_frames: int) -> torch.Tensor:
    """The inverse of `coefficients`."""
    b, h, w, n = coefficients.shape
    time, space = cosines(num_frames).to(coefficients), cosines(SIDE).to(coefficients)
    x = time.T @ coefficients.reshape(-1, num_frames, n // num_frames)
    x = space.T @ x.view(-1, num_frames, SIDE, SIDE)
    x = x.view(b, h, w, num_frames, SIDE, SIDE).permute(0, 3, 1, 4, 2, 5)
    return (x.reshape(-1, SIDE) @ space).view(b, num_frames, h * SIDE, w * SIDE)
