"""Spectral-wise attention: feature maps are the tokens, pixels their coordinates.

Attention over c channels needs only the c x c Gram matrix G = X^T X of the
features: K Q^T = W_k G W_q^T and the norms of queries and keys are diagonals of
such products. So no query or key image is ever formed, and the softmax folds
into one matrix per clip that is applied together with the output projection.

Source: [cai2022mstpp, public code]; the Gram form is this project's own.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class SpectralAttention(nn.Module):
    """Multi-head self-attention across channels with a positional branch.

    Shape: (b, width, h, w) in and out; `width` is heads times `head_width`.
    Source: [cai2022mstpp, S-MSA]; rows of the attention are keys, the softmax
    runs over queries.
    """

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.heads = width // head_width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.sharpness = nn.Parameter(torch.ones(self.heads, 1, 1))
        self.project = nn.Linear(width, width)
        self.position = nn.Sequential(depthwise(width), nn.GELU(), depthwise(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, h, w = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(b, h * w, c)  # a view when channels-last
        value = self.value(tokens)
        mixing = self._mixing(tokens).to(value.dtype)  # (b, c, c)
        mixed = torch.baddbmm(self.project.bias.to(value.dtype), value, mixing)
        image = value.view(b, h, w, c).permute(0, 3, 1, 2)
        return mixed.view(b, h, w, c).permute(0, 3, 1, 2) + self.position(image)

    def _mixing(self, tokens: torch.Tensor) -> torch.Tensor:
        """What value rows are multiplied with: attention, then projection, (b, c, c) in float32 or better."""
        b, _, c = tokens.shape
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.to(self.query.weight.dtype)
            gram = tokens.transpose(1, 2) @ tokens  # (b, c, c)
            query, key = self._by_head(self.query.weight), self._by_head(self.key.weight)  # (heads, d, c)
            key_gram = key @ gram.unsqueeze(1)  # (b, heads, d, c)
            query_gram = query @ gram.unsqueeze(1)
            scores = key_gram @ query.transpose(1, 2)  # (b, heads, d, d)
            key_norm = _norm((key_gram * key).sum(-1))
            query_norm = _norm((query_gram * query).sum(-1))
            scores = scores / key_norm.unsqueeze(-1) / query_norm.unsqueeze(-2)
            attention = (scores * self.sharpness).softmax(-1)
            out = self.project.weight.view(c, self.heads, -1).permute(1, 2, 0)  # (heads, d, c)
            return (attention.transpose(-1, -2) @ out).reshape(b, c, c)

    def _by_head(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.view(self.heads, -1, weight.shape[1])


class SpectralBlock(nn.Module):
    """Attention and a convolutional feed-forward part, each added to its input.

    Shape: (b, width, h, w) in and out. `norm_first` puts a layer norm before
    the attention, as the papers' drawings show and the public code does not.
    Source: [cai2022mstpp, SAB].
    """

    def __init__(self, width: int, head_width: int, *, norm_first: bool = False) -> None:
        super().__init__()
        self.norm_attention = ChannelNorm(width) if norm_first else nn.Identity()
        self.attention = SpectralAttention(width, head_width)
        self.norm = ChannelNorm(width)
        self.feed = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.GELU(),
            depthwise(4 * width),
            nn.GELU(),
            nn.Conv2d(4 * width, width, 1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_attention(x))
        return x + self.feed(self.norm(x))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (b, c, h, w), one pixel at a time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def depthwise(width: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps channels apart, without bias."""
    return nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)


def init_spectral(module: nn.Module) -> None:
    """Start as the public code does: linear weights truncated normal 0.02, biases zero.

    Source: [cai2022mstpp, public code].
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def attention_by_definition(block: SpectralAttention, x: torch.Tensor) -> torch.Tensor:
    """The same attention with queries and keys written out: slow, the reference of the tests."""
    b, c, h, w = x.shape
    tokens = x.flatten(2).transpose(1, 2)
    query, key, value = (layer(tokens) for layer in (block.query, block.key, block.value))

    def split(image):
        return image.transpose(1, 2).reshape(b, block.heads, -1, h * w)

    scores = F.normalize(split(key), dim=-1) @ F.normalize(split(query), dim=-1).transpose(-1, -2)
    mixed = (scores * block.sharpness).softmax(-1) @ split(value)
    mixed = block.project(mixed.reshape(b, c, h * w).transpose(1, 2))
    position = block.position(value.transpose(1, 2).reshape(b, c, h, w))
    return mixed.transpose(1, 2).reshape(b, c, h, w) + position


def _norm(squared: torch.Tensor) -> torch.Tensor:
    return squared.clamp_min(1e-24).sqrt()
