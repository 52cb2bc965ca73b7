"""Reconstruction without training: alternating projection with a plug-in denoiser.

Two steps take turns, x meeting the readings and v being smooth:

    x = v + A^T (y - A v) / (A A^T + noise_k / trust)
    v = denoise(x, strength)

A A^T is diagonal for this sensor, so the first step is exact. `noise_k` is the
variance of each reading: a short exposure is believed less than a long one.
The denoiser at hand is total variation over time, rows and columns; any
function of frames may be plugged in.

Source: [yuan2016gaptv, Algorithm 1], with the noise-aware step of [venkatakrishnan2013pnp].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from semlink.sensing.programmable.exposure import ReadNoise, expose, exposure_gain, noise_std, slot_index, spread
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction

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


class TvDenoiser:
    """Total variation that goes on from the dual of its last call, so that few inner steps suffice.

    Works in place on its own dual, three images as large as the frames; no gradient passes.
    """

    def __init__(self, time_weight: float = 1.0, steps: int = 1) -> None:
        self.weights = ((time_weight, 1), (1.0, 2), (1.0, 3))
        self.steps = steps
        self.dual: list[torch.Tensor] = []

    @torch.no_grad()
    def __call__(self, frames: torch.Tensor, strength: float) -> torch.Tensor:
        if strength <= 0:
            return frames
        if not self.dual:
            self.dual = [torch.zeros_like(frames) for _ in self.weights]
        step = 1.0 / (4 * sum(w * w for w, _ in self.weights) * strength)
        norm = torch.empty_like(frames)
        for _ in range(self.steps):
            v = self._primal(frames, strength)
            for dual, (w, axis) in zip(self.dual, self.weights):
                _front(dual, axis).add_(_back(v, axis), alpha=step * w).sub_(_front(v, axis), alpha=step * w)
            torch.mul(self.dual[0], self.dual[0], out=norm)
            norm.addcmul_(self.dual[1], self.dual[1]).addcmul_(self.dual[2], self.dual[2])
            norm.clamp_min_(1.0).rsqrt_()
            for dual in self.dual:
                dual.mul_(norm)
        return self._primal(frames, strength)

    def _primal(self, frames: torch.Tensor, strength: float) -> torch.Tensor:
        """frames - strength D^T dual."""
        v = frames.clone()
        for dual, (w, axis) in zip(self.dual, self.weights):
            _back(v, axis).sub_(_front(dual, axis), alpha=strength * w)
            _front(v, axis).add_(_front(dual, axis), alpha=strength * w)
        return v


def tv_denoise(frames: torch.Tensor, strength: float, time_weight: float = 1.0, steps: int = 4) -> torch.Tensor:
    """argmin_v |v - x|^2 / 2 + strength TV(v) by `steps` projected gradient steps on the dual.

    TV is isotropic over (time, row, column); differences in time are weighed by `time_weight`.
    Source: [chambolle2004, Sec. 3], with gradient projection.
    """
    return TvDenoiser(time_weight, steps)(frames, strength)


def total_variation(frames: torch.Tensor, time_weight: float = 1.0) -> torch.Tensor:
    """Isotropic total variation over time, rows and columns, summed."""
    squares = torch.zeros_like(frames)
    for weight, axis in ((time_weight, 1), (1.0, 2), (1.0, 3)):
        _front(squares, axis).add_((weight * (_back(frames, axis) - _front(frames, axis))).square())
    return squares.sqrt().sum()


def _front(x: torch.Tensor, axis: int) -> torch.Tensor:
    """All but the last along `axis`."""
    return x.narrow(axis, 0, x.shape[axis] - 1)


def _back(x: torch.Tensor, axis: int) -> torch.Tensor:
    """All but the first along `axis`."""
    return x.narrow(axis, 1, x.shape[axis] - 1)
