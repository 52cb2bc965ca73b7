"""Convolutions whose result does not depend on the order of summation.

Sender and receiver must compute the same probabilities to the last bit, on any
number of threads. So weights are taken as multiples of 2^-12 and activations
as multiples of 2^-8, both held as whole numbers in float64: products and sums
stay below 2^53 and are exact, and so is the rounding between layers.

Source: compare [balle2019integer, Sec. 3]; carried out in float64 instead of integers.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

WEIGHT_ONE = 2**12
ONE = 2**8  # an activation of 1
MOST = 2.0**20  # of an activation in these units: 4096


def exact_weights(layer: nn.Conv2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a convolution as whole numbers in float64, of magnitudes that keep sums exact."""
    assert layer.bias is not None
    weight = (layer.weight.detach().double() * WEIGHT_ONE).round().clamp(-(2**15), 2**15)
    bias = (layer.bias.detach().double() * (WEIGHT_ONE * ONE)).round().clamp(-(2.0**40), 2.0**40)
    return weight, bias


def exact_conv(x: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Convolve whole numbers (in units of 1/`ONE`), edges repeated, and round to whole numbers; size is kept.

    At most 2^17 inputs a sum: 2^15 * 2^20 * 2^17 < 2^53.
    """
    weight, bias = weights
    edge = weight.shape[-1] // 2
    total = F.conv2d(F.pad(x, (edge,) * 4, mode="replicate"), weight, bias)
    return torch.floor(total / WEIGHT_ONE + 0.5).clamp(-MOST, MOST)


def exact_product(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """x * factor, both in units of 1/`ONE`, rounded to such units."""
    return torch.floor(x * factor / ONE + 0.5)
