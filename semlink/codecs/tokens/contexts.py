"""What is likely to come next: mean and scale of every latent from all that is decoded before it.

Latents are decoded in groups of channels, coarse ones first, and each group in
four turns over a 2x2 scan of the tokens. A network for each group sees the
groups before it everywhere, its own group where an earlier turn has been, and
the knob of the rate.

Everything is bounded, so that the same network can be carried out in whole
numbers: latents come in as asinh, at most `SEEN_MOST`, and hidden values stay in
0 .. `HIDDEN_MOST`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from semlink.nn.tokens import Conv, channels_first, channels_last, silent, working_dtype

TURNS = 4
SCAN = ((0, 2), (3, 1))  # turn of each token of a 2x2 square
SEEN_MOST = 8.0
HIDDEN_MOST = 8.0
LEAST_SCALE, MOST_SCALE = 0.02, 200.0
LEAST_CHANCE = 1e-9


class GroupContext(nn.Module):
    """The network of channels `first` to `last`: from what is seen of the channels below `last`."""

    def __init__(self, first: int, last: int, width: int) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.enter = Conv(last + 2, width)
        self.turn = nn.Embedding(TURNS, width)
        self.middle = Conv(width, width)
        self.leave = silent(Conv(width, 2 * (last - first), 1))
        nn.init.normal_(self.turn.weight, std=0.02)

    def forward(self, seen: torch.Tensor, knob: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """`seen` (b, h, w, last + 1) with the plane of known places, knobs and turns (b,): (b, h, w, 2 channels)."""
        told = knob[:, None, None, None].expand(*seen.shape[:3], 1)
        x = channels_first(torch.cat((seen, told), -1).to(working_dtype(seen)))
        with torch.autocast(x.device.type, enabled=False):
            x = self.enter(x) + self.turn(turn).to(x.dtype)[:, :, None, None]
            x = self.middle(F.hardtanh(x, 0.0, HIDDEN_MOST))
            return channels_last(self.leave(F.hardtanh(x, 0.0, HIDDEN_MOST))).float()


class ContextModel(nn.Module):
    """Mean and log scale of latents (b, h, w, c), by groups that end before each of `ends`."""

    def __init__(self, ends: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList(GroupContext(a, b, width) for a, b in zip((0, *ends[:-1]), ends))
        self.log_scale = nn.Parameter(torch.zeros(ends[-1]))

    def drawn_bits(self, latents: torch.Tensor, values: torch.Tensor, knob: torch.Tensor, gain: torch.Tensor, turns):
        """Bits of each clip if every token cost what those of one drawn turn cost; `turns` (groups, b).

        `latents` are the contexts, `values` what is coded, `gain` (b, 1, 1, c) the fineness of the steps.
        Without bias, at a quarter of the work of all turns.
        """
        found = [
            self._turn_bits(group, latents, values, knob, gain, turn).sum((1, 2)) * TURNS
            for group, turn in zip(self.groups, turns)
        ]
        return torch.stack(found).sum(0)

    def bits(self, latents: torch.Tensor, values: torch.Tensor, knob: torch.Tensor, gain: torch.Tensor):
        """Bits of each token, all turns: (b, h, w)."""
        total = torch.zeros(latents.shape[:3], device=latents.device)
        for group in self.groups:
            for turn in range(TURNS):
                turns = torch.full((len(latents),), turn, device=latents.device)
                total = total + self._turn_bits(group, latents, values, knob, gain, turns)
        return total

    def _turn_bits(self, group, latents, values, knob, gain, turn) -> torch.Tensor:
        order = scan_order(latents.shape[1], latents.shape[2], latents.device)
        now = (order == turn[:, None, None]).float()
        out = group(visible(latents, order, group.first, group.last, turn), knob, turn)
        here = slice(group.first, group.last)
        mean, spread = out.chunk(2, -1)
        scale = (spread + self.log_scale[here]).exp() * gain[..., here]
        return information(values[..., here], mean, scale.clamp(LEAST_SCALE, MOST_SCALE)).sum(-1) * now


def visible(latents: torch.Tensor, order: torch.Tensor, first: int, last: int, turn: torch.Tensor) -> torch.Tensor:
    """What the network of channels `first` to `last` may see at each clip's turn: (b, h, w, last + 1)."""
    before = (order < turn[:, None, None])[..., None].to(latents.dtype)
    seen = squashed(latents[..., :last])
    return torch.cat((seen[..., :first], seen[..., first:] * before, before), -1)


def squashed(latents: torch.Tensor) -> torch.Tensor:
    """Large values pressed together, and bounded."""
    return torch.asinh(latents).clamp(-SEEN_MOST, SEEN_MOST)


def scan_order(h: int, w: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """The turn in which each token is decoded: (h, w)."""
    square = torch.tensor(SCAN, device=device)
    return square.repeat((h + 1) // 2, (w + 1) // 2)[:h, :w]


def information(value: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Bits: -log2 of the logistic probability of the unit interval around `value`."""
    off = (value - mean).abs()
    chance = torch.sigmoid((0.5 - off) / scale) - torch.sigmoid((-0.5 - off) / scale)
    return -chance.clamp_min(LEAST_CHANCE).log2()
