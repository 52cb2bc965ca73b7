"""Where the delta-sigma codec begins: block DCT coefficients through the modulator, estimated back from its bits.

Video is taken as a Gaussian field whose correlation falls exponentially along rows, columns and
frames. Each code channel begins as one DCT coefficient of a block, companded by tanh; the decoder
begins as the linear least-squares estimate of a group's coefficients from its bits, found by drawing
from the model. Strong coefficients get further channels, each for what the channels before it left
over, as a cascade of modulators does. No data enter.

Source: this project; compare `linear_start`, and the DCT as the limit of a KLT in [ahmed1974].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from semlink.codecs.delta_sigma.modulator import modulate

VARIANCE = 0.05
SPACE_CORRELATION = 0.95
TIME_CORRELATION = 0.95
DRAWS = 4096
STAGES = 6
"""Channels that a coefficient gets at most."""
REACH = 0.7
"""Codes stay within this, so that a second-order modulator stays stable."""
GAINS = (0.5, 0.8, 1.2, 1.8)
SMOOTHED = (1, 2, 3, 5, 8)
THRESHOLDS = (0.0, 0.7, 1.5)
"""What a stage may begin with: standard deviation of its code before the tanh, how many of the strongest
temporal components it keeps, and the farthest threshold of a plain sign."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a channel does over a group, for coefficients of variance 1 at the first stage.

    code[i] = 0.7 tanh(sum_t first[i, t] r[t] + offset[i]),  r^[t] = sum_i second[t, i] b[i],
    where r is what earlier stages left over; `left` is the variance that remains behind this one.
    """

    first: torch.Tensor
    offset: torch.Tensor
    second: torch.Tensor
    left: float


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """For each code channel: its coefficient (row-major in the block), its spread, and its stage."""

    coefficient: np.ndarray
    spread: np.ndarray
    stage: np.ndarray

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Channels from .. to that can be coded together, since no coefficient comes twice."""
        starts = [0]
        seen: set[int] = set()
        for place, q in enumerate(self.coefficient):
            if q in seen:
                starts.append(place)
                seen = set()
            seen.add(q)
        return tuple(zip(starts, [*starts[1:], len(self.coefficient)]))


def plan_channels(channels: int, stride: int, stages: tuple[Stage, ...]) -> ChannelPlan:
    """Coefficients and stages by the variance that they take away, most first."""
    correlation = SPACE_CORRELATION ** np.abs(np.subtract.outer(np.arange(stride), np.arange(stride)))
    basis = dct_basis(stride)
    along = np.einsum("ki,ij,kj->k", basis, correlation, basis)
    variance = VARIANCE * np.outer(along, along).ravel()
    left = [1.0, *(stage.left for stage in stages)]
    gains = [(-v * (left[m] - left[m + 1]), q, m) for q, v in enumerate(variance) for m in range(len(stages))]
    chosen = sorted((float(f"{gain:.6g}"), q, m) for gain, q, m in gains)[:channels]  # the last digits are not ours
    places = np.array([q for _, q, _ in chosen])
    return ChannelPlan(places, np.sqrt(variance[places]), np.array([m for _, _, m in chosen]))


def dct_basis(stride: int) -> np.ndarray:
    """Orthonormal DCT-II, a row a frequency: (stride, stride)."""
    frequency, place = np.arange(stride)[:, None], np.arange(stride)[None]
    basis = np.sqrt(2 / stride) * np.cos(np.pi * (place + 0.5) * frequency / stride)
    basis[0] /= np.sqrt(2)
    return basis


def block_basis(stride: int) -> np.ndarray:
    """Two-dimensional DCT of a block, a row a coefficient: (stride^2, stride^2)."""
    return np.kron(dct_basis(stride), dct_basis(stride))


@cache
def stages_of(frames: int, order: int) -> tuple[Stage, ...]:
    """The stages of one coefficient for an order of the modulator, each the best of a few on the model."""
    covariance = TIME_CORRELATION ** np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    draws = np.random.Generator(np.random.Philox(5)).normal(size=(DRAWS, frames)) @ np.linalg.cholesky(covariance).T
    rest, stages = torch.from_numpy(draws), []
    with torch.device("cpu"):  # also where a network is only sketched
        for _ in range(STAGES):
            stage, rest = min((_stage(rest, order, *c) for c in _choices(frames, order)), key=lambda pair: pair[0].left)
            stages.append(stage)
    return tuple(stages)


def _choices(frames: int, order: int) -> list[tuple[float, int, float]]:
    thresholds = THRESHOLDS if order == 0 else (0.0,)
    return [(g, m, far) for g in GAINS for m in SMOOTHED if m <= frames for far in thresholds]


def _stage(rest: torch.Tensor, order: int, gain: float, kept: int, far: float) -> tuple[Stage, torch.Tensor]:
    """A stage for what is left (draws, n), and what is left behind it.

    Bits of a plain sign would all say the same of a block at rest, so each frame may have a threshold of its own.
    """
    n = rest.shape[1]
    spread = float(rest.square().mean().sqrt())
    _, vectors = torch.linalg.eigh(rest.T @ rest)
    strongest = vectors.flip(1)[:, :kept]
    first = gain / spread * strongest @ strongest.T
    in_turn = torch.arange(n) * 3 % n if n % 3 else torch.arange(n)
    offset = gain * far * ((2 * in_turn + 1) / n - 1).double()
    bits = modulate(REACH * torch.tanh(rest @ first.T + offset), order, 1)
    second = torch.linalg.lstsq(bits, rest).solution.T.contiguous()
    after = rest - bits @ second.T
    return Stage(first.float(), offset.float(), second.float(), float(after.square().mean())), after
