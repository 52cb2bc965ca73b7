"""How likely a one is, for every bit, from all bits that are decoded before it.

Blocks are decoded in four turns of a 2x2 scan. A network sees the last group's bits, and this group's where an earlier
turn has been, around each block; what it makes of them meets the block's own bits, channel by channel and step by step:

    memory[k] = clip(seen + sum of channels before k),   logit = seen + sum of bits before + sum of memory up to k

Only bits, classes and counts enter, never pixels: both ends can carry it out in whole numbers. Everything between
layers is bounded to 0 .. `HIDDEN_MOST` for that.

Source: this project.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.tokens.contexts import HIDDEN_MOST, TURNS, scan_order
from semlink.nn.tokens import Conv, channels_first, channels_last, silent, working_dtype

CLASS_ONE, CHANNELS_ONE = 8.0, 32.0  # powers of two: whole numbers at both ends
FACTS = 4
"""Planes beside the bits: places of earlier turns, class and count of the block, whether a group came before."""


class BitContexts(nn.Module):
    """Logits of a one for bits (b, h, w, K * n)."""

    def __init__(self, channels: int, steps: int, width: int, memory: int) -> None:
        super().__init__()
        self.channels, self.steps = channels, steps
        bits, hidden = channels * steps, channels * memory
        self.enter = Conv(2 * bits + FACTS, width)
        self.turn = nn.Embedding(TURNS, width)
        self.middle = Conv(width, width)
        self.leave = silent(Conv(width, bits + hidden, 1))
        self.own = nn.Parameter(torch.zeros(bits, bits))
        self.remember = nn.Parameter(torch.randn(hidden, bits) * 0.05)
        self.recall = nn.Parameter(torch.zeros(bits, hidden))
        nn.init.normal_(self.turn.weight, std=0.02)

    @property
    def masked(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`own`, `remember` and `recall` without what would look ahead."""
        bits, hidden = len(self.own), len(self.remember)
        place = torch.arange(bits, device=self.own.device)
        number = torch.arange(hidden, device=self.own.device) // (hidden // self.channels)
        channel = place // self.steps
        return (
            self.own * (place[:, None] > place),
            self.remember * (number[:, None] > channel),
            self.recall * (channel[:, None] >= number),
        )

    def forward(self, bits: torch.Tensor, last: torch.Tensor, facts: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Logits (b, h, w, K * n) as they are at each clip's turn (b,); right where that turn is.

        `bits` and `last` are those of this group and of the last one, 0 where not sent; `facts` (b, h, w, 3) see
        `facts_of`.
        """
        order = scan_order(bits.shape[1], bits.shape[2], bits.device)
        known = (order < turn[:, None, None])[..., None].float()
        x = torch.cat((last, bits * known, known, facts), -1)
        dtype = working_dtype(bits)
        with torch.autocast(bits.device.type, enabled=False):
            x = channels_first(x.to(dtype))
            x = self.enter(x) + self.turn(turn).to(x.dtype)[:, :, None, None]
            x = self.middle(F.hardtanh(x, 0.0, HIDDEN_MOST))
            seen = channels_last(self.leave(F.hardtanh(x, 0.0, HIDDEN_MOST))).float()
            logits, memory = seen.split((bits.shape[-1], len(self.remember)), -1)
            own, remember, recall = self.masked
            memory = F.hardtanh(memory + bits @ remember.T, 0.0, HIDDEN_MOST)
            return logits + bits @ own.T + memory @ recall.T


def facts_of(classes: torch.Tensor, counts: torch.Tensor, later: bool) -> torch.Tensor:
    """Class and count of each block, and whether a group came before, in units of about 1: (b, h, w, 3)."""
    planes = (classes / CLASS_ONE, counts / CHANNELS_ONE, torch.full_like(counts, float(later)))
    return torch.stack([plane.float() for plane in planes], -1)


def surprise(bits: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """-log2 of the probability of each bit; falls where a bit moves to its likelier value."""
    return (F.softplus(logits) - 0.5 * (1 + bits) * logits) / 0.6931471805599453
