"""Reconstruction without training: alternating projection with a plug-in denoiser.

Two steps take turns, x meeting the readings and v being smooth:

    x = v + A^T (y - A v) / (A A^T + noise_k / trust)
    v = denoise(x, strength)

A A^T is diagonal for this sensor, so the first step is exact. `noise_k` is the
variance of each reading: a short exposure is believed less than a long one.
The denoiser at hand is total variation over time, rows and columns; any
function of frames may be plugged in.

Source: [yuan2016gaptv, Algorithm 1], after [liao2014gap], with the noise-aware step of [venkatakrishnan2013pnp].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from semlink.sensing.programmable.exposure import ReadNoise, expose, exposure_gain, noise_std, slot_index, spread
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.total_variation import TvDenoiser

Denoiser = Callable[[torch.Tensor, float], torch.Tensor]


@dataclass(frozen=True, slots=True)
class GapTv:
    """How long and how strongly to smooth.

    Attributes:
        iterations: outer steps.
        start, end: strength of the denoiser, falling geometrically, in units of intensity.
        trust: variance of v around the truth, against which a reading's noise is weighed.
        time_weight: differences between frames count this much beside those between pixels.
        inner: steps of the total-variation denoiser.
    """

    iterations: int = 16
    start: float = 0.05
    end: float = 0.02
    trust: float = 0.01
    time_weight: float = 1.0
    inner: int = 1


@torch.no_grad()
def gap_tv(
    slots: torch.Tensor,
    counts: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    noise: ReadNoise,
    settings: GapTv,
    denoise: Denoiser | None = None,
) -> torch.Tensor:
    """Frames (b, T, h, w) from readings (b, T/2, h, w); `denoise(frames, strength)` replaces total variation."""
    num_frames = 2 * slots.shape[1]
    gain = exposure_gain(counts, num_frames, mask).to(slots.dtype)
    taken = slot_index(slots) < counts.unsqueeze(-3)
    weight = gain + noise_std(slots, num_frames, noise).square() / settings.trust
    weight = torch.where(taken, weight, torch.ones_like(weight))
    smooth = denoise or TvDenoiser(settings.time_weight, settings.inner)
    v = fill_unread(initial_reconstruction(slots, counts, mask), counts, mask)
    for step in range(settings.iterations):
        along = step / max(1, settings.iterations - 1)
        strength = settings.start ** (1 - along) * settings.end**along
        x = v + spread((slots - expose(v, counts, mask)) / weight, counts, mask)
        v = smooth(x, strength)
    return v


QUICK = GapTv(iterations=10)  # what a network that starts from the estimate is given


def quick_estimate(
    slots: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None, noise: ReadNoise
) -> torch.Tensor:
    """A short run of `gap_tv`, (b, T, h, w), for networks to start from; no gradient passes."""
    return gap_tv(slots, counts, mask, noise=noise, settings=QUICK)


def fill_unread(
    initial: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None, size: int = 5
) -> torch.Tensor:
    """Where a pixel saw nothing of a frame, the mean over what its neighbours saw, farther off if need be."""
    seen = (counts > 0).unsqueeze(-3).to(initial.dtype).expand_as(initial)
    seen = seen if mask is None else seen * mask
    filled, known = initial * seen, seen
    while not bool((known > 0).all()) and size < 2 * max(initial.shape[-2:]):
        total = torch.nn.functional.avg_pool2d(filled * known, size, 1, size // 2)
        share = torch.nn.functional.avg_pool2d(known, size, 1, size // 2)
        filled = torch.where(known > 0, filled, total / share.clamp_min(1e-6))
        known = torch.maximum(known, (share > 0).to(known.dtype))
        size = 2 * size + 1
    return filled
