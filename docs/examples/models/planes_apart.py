"""DeepJSCC of `deepjscc.py`, trained on gray, for colour: R, G and B each by itself, so three times the symbols."""

import deepjscc
from torch import nn


class Encoder(nn.Module):
    """Frames (batch, planes, h, w) in [0, 1] to (batch, planes * channels, h / 4, w / 4)."""

    def __init__(self, channels=4):
        super().__init__()
        self.layers = deepjscc.Encoder(1, channels).layers

    def forward(self, frames):
        each = self.layers(frames.flatten(0, 1)[:, None] - 0.5)
        return each.unflatten(0, frames.shape[:2]).flatten(1, 2)


class Decoder(nn.Module):
    """The other way."""

    def __init__(self, channels=4):
        super().__init__()
        self.channels = channels
        self.layers = deepjscc.Decoder(1, channels).layers

    def forward(self, symbols):
        planes = symbols.unflatten(1, (-1, self.channels))
        return self.layers(planes.flatten(0, 1)).unflatten(0, planes.shape[:2]).flatten(1, 2)
