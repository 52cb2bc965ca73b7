"""An encoder and a decoder of your own: two networks, each at its end of the link.

In a scenario:

    schemes:
      - name: mine
        kind: model
        encoder: {network: my_model.py:MyModel, options: {channels: 2}}
        decoder: {network: my_model.py:Decoder, options: {channels: 2}}
        multiple: 8

Weights of a training go beside them: checkpoint: my_weights.safetensors
Then: semlink check-model my_model.py:MyModel my_model.py:Decoder
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

SIZE = 0.35


class MyModel(nn.Module):
    """The encoder: frames (batch, planes, h, w) in [0, 1] to real numbers, two for each symbol."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return (F.avg_pool2d(frames, 8) - 0.5).repeat(1, self.channels, 1, 1)


class Decoder(nn.Module):
    """What arrived, in the shape in which it was sent, to frames."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        means = numbers.unflatten(1, (self.channels, -1)).mean(1)
        return F.interpolate(0.5 + SIZE * means, scale_factor=8)
