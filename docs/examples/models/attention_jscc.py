"""An encoder and a decoder with attention that are told the SNR: one pair of networks for all channels.

schemes:
  - name: attention
    kind: model
    encoder: {network: docs/examples/models/attention_jscc.py:Encoder, checkpoint: my_attention.safetensors}
    decoder: {network: docs/examples/models/attention_jscc.py:Decoder, checkpoint: my_attention.safetensors}
    knows: [snr]
    symbols: channels
    multiple: 8

Patches of 8 x 8 pixels are tokens, self-attention mixes them, and every block is scaled and shifted by what a small
network makes of the SNR. Trained as `deepjscc.py` is, with `snr_db` as the second argument of both networks.

Source: [bourtsoulatze2019, Sec. III], encoder and decoder without a code between; the SNR as an input after Xu et al.,
ADJSCC (2022).
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

PATCH = 8


class Block(nn.Module):
    """Attention and two layers, both scaled and shifted by the SNR."""

    def __init__(self, width, heads):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.told = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, 4 * width))
        self.heads = heads

    def forward(self, tokens, snr):
        scale, shift, scale2, shift2 = self.told(snr.reshape(-1, 1, 1) / 20).chunk(4, -1)
        x = self.norms[0](tokens) * (1 + scale) + shift
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.mix(x).chunk(3, -1))
        tokens = tokens + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return tokens + self.feed(self.norms[1](tokens) * (1 + scale2) + shift2)


def places(rows, columns, width):
    """Sines and cosines of where a patch stands: (1, rows columns, width)."""
    rates = torch.exp(torch.arange(width // 4) * (-math.log(100.0) / (width // 4)))
    found = []
    for axis in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"):
        angle = axis.reshape(-1, 1) * rates
        found += [angle.sin(), angle.cos()]
    return torch.cat(found, 1)[None]


class Encoder(nn.Module):
    """Frames (batch, planes, h, w) and the SNR in dB (batch,) to tokens (batch, h w / 64, channels)."""

    def __init__(self, planes=1, channels=16, width=96, depth=3, heads=4):
        super().__init__()
        self.width = width
        self.embed = nn.Conv2d(planes, width, PATCH, PATCH)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.head = nn.Linear(width, channels)

    def forward(self, frames, snr):
        patches = self.embed(frames - 0.5)
        tokens = patches.flatten(2).transpose(1, 2) + places(*patches.shape[2:], self.width)
        for block in self.blocks:
            tokens = block(tokens, snr)
        return self.head(tokens)


class Decoder(nn.Module):
    """Tokens and the SNR to frames; `aspect` is columns over rows of a frame."""

    def __init__(self, planes=1, channels=16, width=96, depth=3, heads=4, aspect=1.0):
        super().__init__()
        self.width, self.aspect = width, aspect
        self.embed = nn.Linear(channels, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.head = nn.Linear(width, planes * PATCH**2)

    def forward(self, symbols, snr):
        rows = round((symbols.shape[1] / self.aspect) ** 0.5)
        columns = symbols.shape[1] // rows
        tokens = self.embed(symbols) + places(rows, columns, self.width)
        for block in self.blocks:
            tokens = block(tokens, snr)
        patches = self.head(tokens).transpose(1, 2).unflatten(2, (rows, columns))
        return torch.sigmoid(F.pixel_shuffle(patches, PATCH))
