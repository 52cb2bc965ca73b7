"""Total variation and denoising by it."""

from __future__ import annotations

import torch


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
