"""The single-stage spectral-wise transformer: a U of attention blocks.

Source: [cai2022mstpp, SST].
"""

from __future__ import annotations

import torch
from torch import nn

from semlink.nn.attention import SpectralBlock


class SpectralStage(nn.Module):
    """Two levels down, a bottleneck, two levels up, and the input added at the end.

    Shape: (b, width, h, w) in and out; h and w must be multiples of 4.
    """

    stride = 4

    def __init__(self, width: int, *, norm_first: bool = False) -> None:
        super().__init__()

        def block(scale: int) -> SpectralBlock:
            return SpectralBlock(scale * width, width, norm_first=norm_first)

        self.embed = conv3(width, width)
        self.enter = block(1)
        self.down1, self.left = halve(width), block(2)
        self.down2, self.bottom = halve(2 * width), block(4)
        self.up2, self.fuse2, self.right = double(4 * width), conv1(4 * width, 2 * width), block(2)
        self.up1, self.fuse1, self.leave = double(2 * width), conv1(2 * width, width), block(1)
        self.map = conv3(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.enter(self.embed(x))  # width
        middle = self.left(self.down1(fine))  # 2 width, half size
        coarse = self.bottom(self.down2(middle))  # 4 width, quarter size
        middle = self.right(self.fuse2(torch.cat((self.up2(coarse), middle), 1)))
        fine = self.leave(self.fuse1(torch.cat((self.up1(middle), fine), 1)))
        return self.map(fine) + x


def conv3(width_in: int, width_out: int) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps the size."""
    return nn.Conv2d(width_in, width_out, 3, padding=1, bias=False)


def conv1(width_in: int, width_out: int) -> nn.Conv2d:
    """A mix of channels, without bias."""
    return nn.Conv2d(width_in, width_out, 1, bias=False)


def halve(width: int) -> nn.Conv2d:
    """Half the size, twice the channels."""
    return nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False)


def double(width: int) -> nn.ConvTranspose2d:
    """Twice the size, half the channels."""
    return nn.ConvTranspose2d(width, width // 2, 2, stride=2)
