"""Muon: steps of momentum made orthogonal, for weights that are matrices or convolutions.

The momentum of a weight, as a matrix of outputs by inputs, is brought near the
closest matrix with orthonormal rows by Newton-Schulz iterations, so that a step
moves all directions alike, weak ones too. Steps have the root mean square of
Adam's (0.2 of the rate), so rates and weight decay can be those of Adam.

Source: [jordan2024muon]; the scale of steps from [liu2025muon, Sec. 2.2].
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEP_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """Orthogonal momentum with decoupled weight decay."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(weights, defaults)

    @torch.no_grad()
    def step(self, closure=None) -> None:  # type: ignore[override]
        """One step of every weight that has a gradient."""
        for group in self.param_groups:
            for shape, weights in _by_shape(group["params"]).items():
                pushes = torch.stack([self._push(weight, group["momentum"]) for weight in weights])
                moves = orthogonal(pushes, group["iterations"]) * (STEP_RMS * math.sqrt(max(pushes.shape[1:])))
                for weight, move in zip(weights, moves):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(move.view(shape).to(weight.dtype), alpha=-group["lr"])

    def _push(self, weight: nn.Parameter, momentum: float) -> torch.Tensor:
        """Gradient and its momentum, with Nesterov's look ahead: (outputs, inputs)."""
        assert weight.grad is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(state["momentum"], momentum).flatten(1)


def orthogonal(matrices: torch.Tensor, iterations: int) -> torch.Tensor:
    """Matrices (n, a, b) with their singular values drawn near 1.

    Each iteration is x <- (p I + q G + r G^2) x with G = x x'. All factors commute, so they are gathered on the small
    side, where G is followed too, and meet the matrix once: a third of the work.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices) / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-12)
    square = x @ x.mT
    one = torch.eye(square.shape[1], device=x.device, dtype=x.dtype).expand_as(square)
    whole = one
    for left in reversed(range(iterations)):
        factor = COEFFICIENTS[0] * one + torch.baddbmm(
            square, square, square, beta=COEFFICIENTS[1], alpha=COEFFICIENTS[2]
        )
        whole = factor @ whole
        square = factor @ square @ factor if left else square
    x = whole @ x
    return x.mT if tall else x


def _by_shape(weights: Iterable[nn.Parameter]) -> dict[torch.Size, list[nn.Parameter]]:
    found: dict[torch.Size, list[nn.Parameter]] = {}
    for weight in weights:
        if weight.grad is not None:
            found.setdefault(weight.shape, []).append(weight)
    return found


def adam_and_muon(model: nn.Module, learning_rate: float, decay: float, muon: float) -> list[torch.optim.Optimizer]:
    """AdamW, without decay for parameters of one dimension; where `muon` is set, Muon at so many times the rate for
    wide kernels.
    """
    wide = [p for p in model.parameters() if muon and p.dim() == 4 and p.shape[-1] > 1]
    rest = [p for p in model.parameters() if not (muon and p.dim() == 4 and p.shape[-1] > 1)]
    groups = [
        {"params": [p for p in rest if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)
    return [adam, Muon(wide, muon * learning_rate, weight_decay=decay)] if wide else [adam]
