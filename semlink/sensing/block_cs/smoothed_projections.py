"""Block measurements back to video without training: smoothing and meeting the measurements in turns.

    v = denoise(x, strength)
    x = v + Phi^+ (y - Phi v)        block by block, so x meets every measurement

The denoiser is total variation, hard thresholding of the DCT of windows whose
place changes with every step, or the mean of both; over rows and columns of
each frame, or over time too. Its strength falls geometrically. Over time, key
frames are reconstructed first and by themselves, and the others start from a
straight line between them.

Source: [yuan2016gaptv, Algorithm 1] for the two steps; [gan2007], [mun2009] for smoothed projections of blocks;
[coifman1995] for shifted windows. The mean of two denoisers is this project's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np
import torch

from semlink.blocks import ReconstructionBase
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds
from semlink.sensing.block_cs.sampler import BLOCK, BlockSampler, from_blocks, grid_of, references, to_blocks
from semlink.sensing.total_variation import TvDenoiser

__all__ = [
    "BlockTv",
    "BlockTvReconstructor",
    "CompiledDenoiser",
    "Patterns",
    "PlainDenoiser",
    "between",
    "meet",
    "readings_by_frame",
    "restore",
    "smoothed",
    "spans",
]

Prior = Literal["tv", "dct", "both"]
Meeting = Callable[[torch.Tensor], torch.Tensor]
"""Frames moved to where they agree with their readings."""
Denoiser = Callable[[torch.Tensor, float, list[list[int]]], torch.Tensor]
"""Smoother frames, by a strength and by how windows of the DCT are displaced."""

GRAY = 0.45
WINDOW = 8
SHORT = 4
"""Rows and columns, and frames, of the DCT's windows."""
TV_SHARE = 0.25
"""A strength for coefficients of the DCT means this much of it for total variation."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """`rows` (m, 1024) that a block is measured with, and their pseudo-inverse (1024, m)."""

    rows: torch.Tensor
    inverse: torch.Tensor

    @classmethod
    def of(cls, rows: torch.Tensor) -> Patterns:
        """Orthonormal rows have their transpose for an inverse."""
        orthonormal = torch.allclose(rows @ rows.T, torch.eye(len(rows)), atol=1e-4)
        return cls(rows, rows.T if orthonormal else torch.linalg.pinv(rows.double()).float())


@dataclass(frozen=True, slots=True)
class BlockTv:
    """How long and how strongly to smooth.

    Attributes:
        prior: `tv`, `dct`, or the mean of `both`.
        over_time: smooth over time too.
        iterations: of the two steps.
        start, end: threshold of the DCT, in units of intensity; a quarter of it for total variation.
    """

    prior: Prior = "both"
    over_time: bool = False
    iterations: int = 60
    start: float = 0.3
    end: float = 0.01


OVER_TIME = BlockTv(over_time=True, iterations=40, start=0.1)


@dataclass(frozen=True, slots=True)
class BlockTvReconstructor(ReconstructionBase):
    """Frames from block measurements; `over_time` lets neighbouring frames help each other."""

    sampler: BlockSampler
    over_time: bool = True
    prior: Prior = "both"
    name: str = "block-tv"

    def reconstruct(self, measurement: Projections) -> Frames:
        shape = measurement.frames
        keys, others = self.sampler.split(shape.t)
        y_keys, y_others = readings_by_frame(measurement)
        phi_keys, phi_others = map(Patterns.of, self.sampler.matrices())
        alone = BlockTv(self.prior)
        whole = torch.empty(len(y_keys), shape.t, *(BLOCK * side for side in grid_of(shape)))
        whole[:, keys] = restore(y_keys, phi_keys, whole.shape[2:], alone, CompiledDenoiser(alone))
        if self.over_time:

            def met(frames: torch.Tensor) -> torch.Tensor:
                for span, places in spans(others):  # slices, which are not copied
                    whole[:, span] = meet(frames[:, span], y_others[:, places], phi_others)
                return whole

            start = met(between(whole[:, keys], shape.t, self.sampler.gop))
            together = replace(OVER_TIME, prior=self.prior)
            whole = smoothed(start, met, together, CompiledDenoiser(together))
        else:
            whole[:, others] = restore(y_others, phi_others, whole.shape[2:], alone, CompiledDenoiser(alone))
        return Frames(whole[..., : shape.h, : shape.w].clamp(0, 1))


def restore(
    readings: torch.Tensor,
    patterns: Patterns,
    size: tuple[int, ...],
    settings: BlockTv,
    denoise: Denoiser | None = None,
) -> torch.Tensor:
    """Frames (b, n, h, w) of `size` (h, w), whole blocks, from readings (b, n, places, m), starting from gray."""
    gray = torch.full((*readings.shape[:2], *size), GRAY)
    return smoothed(meet(gray, readings, patterns), lambda frames: meet(frames, readings, patterns), settings, denoise)


@torch.no_grad()
def smoothed(start: torch.Tensor, met: Meeting, settings: BlockTv, denoise: Denoiser | None = None) -> torch.Tensor:
    """Frames (b, n, h, w) from `start`: `settings.iterations` times a denoiser and then `met`, the projection."""
    denoise = denoise or PlainDenoiser(settings)
    rng = Seeds(0).torch("block_tv")
    frames = start
    for step in range(settings.iterations):
        along = step / max(1, settings.iterations - 1)
        strength = settings.start ** (1 - along) * settings.end**along
        for_dct = 2 if settings.prior != "tv" else 0
        shifts = [torch.randint(0, WINDOW, (3,), generator=rng).tolist() for _ in range(for_dct)]
        frames = met(denoise(frames, strength, shifts))
    return frames


class PlainDenoiser:
    """The prior of `settings`, by torch alone."""

    def __init__(self, settings: BlockTv) -> None:
        self.settings = settings
        self.tv = TvDenoiser(time_weight=float(settings.over_time))

    def __call__(self, frames: torch.Tensor, strength: float, shifts: list[list[int]]) -> torch.Tensor:
        for_tv, for_dct = _shares(self.settings.prior)
        views = [_thresholded(frames, strength, shift, self.settings.over_time) for shift in shifts]
        if not views:
            return self.tv(frames, TV_SHARE * strength)
        mixed = for_dct * (views[0] + views[1])
        return for_tv * self.tv(frames, TV_SHARE * strength) + mixed if for_tv else mixed


@dataclass(slots=True)
class CompiledDenoiser:
    """What `PlainDenoiser` is, up to rounding, in a fifth of the time, for frames of float32 on a CPU.

    For receivers; networks in training have the plain one, which needs torch alone.
    """

    settings: BlockTv
    dual: np.ndarray | None = field(default=None, repr=False)

    def __call__(self, frames: torch.Tensor, strength: float, shifts: list[list[int]]) -> torch.Tensor:
        from semlink.sensing.block_cs.smoothing_kernel import add_thresholded, less_variation

        given = frames.contiguous().numpy()
        found = np.zeros_like(given)
        for_tv, for_dct = _shares(self.settings.prior)
        over_time = np.float32(self.settings.over_time)
        if for_tv:
            if self.dual is None:
                self.dual = np.zeros((len(given), 3, *given.shape[1:]), np.float32)
            for clip, dual, into in zip(given, self.dual, found):
                less_variation(clip, dual, into, np.float32(TV_SHARE * strength), over_time)
            found *= np.float32(for_tv)
        short = SHORT if self.settings.over_time else 1
        for t, y, x in shifts:
            for clip, into in zip(given, found):
                how = (t % short, y, x), np.float32(strength), np.float32(for_dct), short
                add_thresholded(clip, into, *how, _both_ways(short), _both_ways(WINDOW))
        return torch.from_numpy(found)


def _shares(prior: Prior) -> tuple[float, float]:
    """Of total variation and of each of two views of the DCT: it counts as much as both together."""
    return {"tv": (1.0, 0.0), "dct": (0.0, 0.5), "both": (0.5, 0.25)}[prior]


def meet(frames: torch.Tensor, readings: torch.Tensor, patterns: Patterns) -> torch.Tensor:
    """The nearest frames to `frames` (b, n, h, w), whole blocks, with these readings (b, n, places, m)."""
    blocks = to_blocks(frames)
    change = (readings - blocks @ patterns.rows.T) @ patterns.inverse.T
    return from_blocks(blocks + change, FrameShape(*frames.shape[1:]))


def spans(numbers: Sequence[int]) -> list[tuple[slice, slice]]:
    """Rising numbers as slices without a gap, each with the slice of their places among all."""
    starts = [place for place, n in enumerate(numbers) if not place or n != numbers[place - 1] + 1]
    ends = [*starts[1:], len(numbers)]
    return [(slice(numbers[a], numbers[b - 1] + 1), slice(a, b)) for a, b in zip(starts, ends)]


def readings_by_frame(measurement: Projections) -> tuple[torch.Tensor, ...]:
    """The parts as (b, frames, places, m)."""
    high, wide = grid_of(measurement.frames)
    return tuple(part.transpose(1, 2).unflatten(1, (-1, high * wide)) for part in measurement.parts)


def between(keys: torch.Tensor, num_frames: int, gop: int) -> torch.Tensor:
    """Frames (b, t, h, w) on straight lines in time between key frames (b, k, h, w)."""
    pairs = references(num_frames, gop)
    before, behind = (keys[:, [pair[side] for pair in pairs]] for side in (0, 1))
    share = torch.tensor([number % gop / gop for number in range(num_frames)]).view(-1, 1, 1)
    return torch.lerp(before, behind, share)


def _thresholded(frames: torch.Tensor, strength: float, shift: list[int], over_time: bool) -> torch.Tensor:
    """Frames (b, n, h, w) without the weak coefficients of windows displaced by `shift` (t, y, x)."""
    b, n, h, w = frames.shape
    short = SHORT if over_time else 1
    dt, dy, dx = shift[0] % short, shift[1], shift[2]
    tail = frames[:, -1:].expand(-1, -n % short, -1, -1)
    moved = torch.cat([frames, tail], 1).roll((dt, dy, dx), (1, 2, 3))
    cut = moved.view(b, -1, short, h // WINDOW, WINDOW, w // WINDOW, WINDOW)
    basis = _window_dct(short)
    values = cut.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, len(basis)) @ basis.T
    kept = torch.where(values.abs() > strength, values, 0) @ basis
    back = kept.view(b, -1, h // WINDOW, w // WINDOW, short, WINDOW, WINDOW).permute(0, 1, 4, 2, 5, 3, 6)
    return back.reshape(moved.shape).roll((-dt, -dy, -dx), (1, 2, 3))[:, :n]


@cache
def _window_dct(short: int) -> torch.Tensor:
    """The orthonormal DCT of a window of `short` frames, rows by coefficient."""
    square = torch.kron(_dct(WINDOW), _dct(WINDOW))
    return torch.kron(_dct(short), square).contiguous()


@cache
def _both_ways(length: int) -> np.ndarray:
    """A DCT's rows, and its columns, which are the way back: (2, length, length)."""
    rows = _dct(length).numpy()
    return np.stack([rows, rows.T])


def _dct(length: int) -> torch.Tensor:
    """The orthonormal DCT, rows by frequency."""
    at = torch.arange(length, dtype=torch.float64)
    rows = torch.cos(torch.pi / length * (at + 0.5) * at[:, None]) * (2 / length) ** 0.5
    rows[0] *= 0.5**0.5
    return rows.float()
