"""Ratio maps that nobody had to learn: fixed, tiled, random, from a file.

A map is an integer tensor (h, w) of exposures per pixel; its mean is the
number of measurements per pixel, its mean over T the compression ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from semlink.errors import InterfaceError, SourceError
from semlink.files import as_file
from semlink.payload import FrameShape
from semlink.sensing.programmable.exposure import counts_on_offer
from semlink.sensing.sources.files.arrays import read_array


def fixed_map(count: int, frames: FrameShape) -> torch.Tensor:
    """Every pixel takes `count` exposures."""
    return tiled_map([[count]], frames)


def tiled_map(tile: Sequence[Sequence[int]], frames: FrameShape) -> torch.Tensor:
    """A small pattern repeated over the frame from its upper left corner; cut at the far borders."""
    pattern = torch.as_tensor(np.asarray(tile), dtype=torch.int64)
    if pattern.dim() != 2:
        raise InterfaceError(f"sensor.tile: got {pattern.dim()} axes, allowed: rows of equal length")
    rows, columns = -(-frames.h // pattern.shape[0]), -(-frames.w // pattern.shape[1])
    return check_map(pattern.repeat(rows, columns)[: frames.h, : frames.w], frames)


def random_map(mean_count: float, frames: FrameShape, *, rng: torch.Generator) -> torch.Tensor:
    """Each pixel draws one of the two counts around `mean_count`, so that the mean is `mean_count`."""
    offer = counts_on_offer(frames.t)
    if not 0 <= mean_count <= offer[-1]:
        raise InterfaceError(f"sensor.mean_count: got {mean_count}, allowed: 0 to {offer[-1]} for {frames.t} frames")
    low = max(count for count in offer if count <= mean_count)
    high = min(count for count in offer if count >= mean_count)
    share = (mean_count - low) / (high - low) if high > low else 0.0
    draw = torch.rand(frames.h, frames.w, generator=rng) < share
    return torch.where(draw, high, low)


def load_map(path: str | Path, frames: FrameShape) -> torch.Tensor:
    """A map from a .npy file (h, w) or a text file of whitespace-separated rows of counts.

    Raises:
        SourceError: the file cannot be read.
        InterfaceError: its size or its counts do not fit.
    """
    path = Path(path)
    try:
        table = read_array(path) if path.suffix == ".npy" else np.loadtxt(as_file(path), ndmin=2)
    except (OSError, ValueError, OverflowError) as why:
        raise SourceError(f"{path}: not a ratio map ({why}); allowed: .npy or rows of counts") from why
    if table.ndim != 2 or not np.array_equal(table, np.round(table)):
        raise InterfaceError(f"{path}: got {table.ndim} axes of {table.dtype}, allowed: whole counts (h, w)")
    return check_map(torch.from_numpy(table.astype(np.int64)), frames)


def check_map(counts: torch.Tensor, frames: FrameShape) -> torch.Tensor:
    """`counts` itself, if its size and every count fit `frames`.

    Raises:
        InterfaceError: wrong size, or a count that is not on offer.
    """
    if tuple(counts.shape) != (frames.h, frames.w):
        raise InterfaceError(
            f"sensor.ratio_map: got a map of {tuple(counts.shape)}, allowed: the frame size ({frames.h}, {frames.w})"
        )
    offer = counts_on_offer(frames.t)
    strange = sorted(set(counts.unique().tolist()) - set(offer))
    if strange:
        raise InterfaceError(f"sensor.ratio_map: counts {strange} are not on offer; allowed: {list(offer)}")
    return counts


def action_index(counts: torch.Tensor) -> torch.Tensor:
    """-1 for no exposure, else log2 of the count: -1, 0, 1, 2, 3 for 0, 1, 2, 4, 8.

    Source: [zhang2024crl, public code].
    """
    return torch.where(counts > 0, counts.clamp_min(1).float().log2(), -1.0)
