"""The coded aperture B: one fixed random binary pattern that both ends know.

Source: [zhang2024crl, Sec. II-C]: "random binary"; Bernoulli(1/2) per pixel and
frame, drawn once from a named stream, is this project's reading.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from semlink.seeds import Seeds

PATTERN_SIDE = 512


def binary_aperture(
    num_frames: int, height: int, width: int, *, corner_rng: torch.Generator | None = None
) -> torch.Tensor:
    """B, float32 0/1 (T, h, w): the upper left window of the pattern, repeated beyond its size.

    With `corner_rng` the window starts anywhere, for training on crops.
    """
    pattern = _pattern(num_frames)
    if corner_rng is not None:
        rows, columns = (int(torch.randint(PATTERN_SIDE, (), generator=corner_rng)) for _ in range(2))
        pattern = pattern.roll((-rows, -columns), (1, 2))
    tiles = (1, -(-height // PATTERN_SIDE), -(-width // PATTERN_SIDE))
    return pattern.repeat(tiles)[:, :height, :width]


@cache
def _pattern(num_frames: int) -> torch.Tensor:
    rng = Seeds(0).numpy(f"aperture/{num_frames}")
    bits = rng.integers(0, 2, (num_frames, PATTERN_SIDE, PATTERN_SIDE), dtype=np.uint8)
    return torch.from_numpy(bits.astype(np.float32))
