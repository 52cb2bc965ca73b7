"""Networks over tokens: every position stands for a block of pixels and holds a few hundred channels.

All work is in dense 3x3 convolutions at the resolution of the blocks, which are
products of large matrices: a processor and a GPU run them near their peak,
where convolutions with few channels at full size wait for memory.

Parameters are float32. Under `torch.autocast` the trunk computes in the lower
precision, weights cast once a step: the float32 parameters are the masters that
the optimiser moves. Elsewhere everything is float32.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


def working_dtype(x: torch.Tensor) -> torch.dtype:
    """What trunks compute in on the device of `x`: the precision of an autocast that is on, else that of `x`."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """(b, h, w, c) as (b, c, h, w), a view."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """(b, c, h, w) as (b, h, w, c), a view."""
    return x.permute(0, 2, 3, 1)


class Conv(nn.Conv2d):
    """A convolution of odd size that keeps the grid and computes in the precision of its input."""

    bias: nn.Parameter

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=self.padding)


class Norm(nn.LayerNorm):
    """Layer normalisation over the channels of (b, c, h, w)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = channels_last(x)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return channels_first(F.layer_norm(rows, self.normalized_shape, weight, bias, self.eps))


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(norm(x)))), near the identity at the beginning."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = Norm(channels)
        self.rise = Conv(channels, channels)
        self.fall = Conv(channels, channels)
        nn.init.normal_(self.fall.weight, std=0.02 / math.sqrt(9 * channels))
        nn.init.zeros_(self.fall.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fall(F.relu(self.rise(self.norm(x)), inplace=True))


def trunk(channels: int, blocks: int) -> nn.Sequential:
    """Residual blocks, one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


class Operating(nn.Module):
    """What a network is told of the point it works at, as a shift of every channel: (b, facts) to (b, c, 1, 1)."""

    def __init__(self, facts: int, channels: int) -> None:
        super().__init__()
        self.shift = nn.Linear(facts, channels)

    def forward(self, facts: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return self.shift(facts).to(dtype)[:, :, None, None]


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """`layer` with zeros, so that a path that ends in it adds nothing at the beginning."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
