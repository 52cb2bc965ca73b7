"""What latents that are already decoded tell of the next ones.

Latents are coded in stages, from strong channels to weak ones; the strongest
in two halves, like the fields of a chessboard. A stage sees all that was
decoded before, at its own place and around it:

    mean  += linear(u'),    log2 scale += layers(|u'| clipped at 1, |u'| clipped at 6, q)

Nothing of it is sent, and nothing waits for a neighbour within a stage. It
learns far faster than a hyperprior, since no rounding stands between. The
start is the mean of the four neighbours for the strongest channel on the
second half of the board, and no help anywhere else.

Source: channels in groups as in [minnen2020channelwise, Sec. 3], the board as in [he2021checkerboard, Sec. 3].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

EDGES = (2, 6, 14, 28, 56, 100)  # where a group of channels ends and the next begins
CLIPS = (1.0, 6.0)
NEIGHBOUR = 0.24  # weight of each of four, a little short of their mean


@dataclass(frozen=True, slots=True)
class Stage:
    """Channels `first` to `last`; `half` is 0 or 1 of the chessboard, None for all places."""

    first: int
    last: int
    half: int | None = None

    @property
    def sees(self) -> int:
        """How many channels are at least partly known before it."""
        return self.last if self.half == 1 else self.first

    def mask(self, h: int, w: int) -> torch.Tensor:
        """Places (h, w) that it codes."""
        if self.half is None:
            return torch.ones(h, w, dtype=torch.bool)
        return (torch.arange(h).view(-1, 1) + torch.arange(w)) % 2 == self.half


def stages_of(latents: int) -> tuple[Stage, ...]:
    """The order in which so many channels are coded."""
    edges = [0, *(edge for edge in EDGES if edge < latents), latents]
    groups = [Stage(first, last) for first, last in zip(edges, edges[1:])]
    strongest = groups[0]
    return (Stage(0, strongest.last, 0), Stage(0, strongest.last, 1), *groups[1:])


class StageContext(nn.Module):
    """Corrections of mean (in steps) and log2 scale of one stage from what it sees.

    Shape: seen (b, stage.sees, h, w) in steps, zero where not yet known; q (b,).
    """

    def __init__(self, stage: Stage, width: int) -> None:
        super().__init__()
        channels = stage.last - stage.first
        self.linear = repeated_conv(stage.sees, channels, 3)
        self.near = repeated_conv(len(CLIPS) * stage.sees + 1, width, 3)
        self.mix, self.out = nn.Conv2d(width, width, 1), nn.Conv2d(width, channels, 1)
        for layer in (self.linear, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        if stage.half == 1:
            with torch.no_grad():
                cross = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
                self.linear.weight[0, 0] = NEIGHBOUR * cross

    def forward(self, seen: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        plane = (2 * q - 1).to(seen.dtype).view(-1, 1, 1, 1).expand(len(seen), 1, *seen.shape[2:])
        features = torch.cat((*clipped_sizes(seen), plane), 1)
        return self.linear(seen), self.out(F.relu(self.mix(F.relu(self.near(features)))))


def make_contexts(latents: int, width: int) -> nn.ModuleList:
    """A context for every stage but the first, which sees nothing."""
    return nn.ModuleList(StageContext(stage, width) for stage in stages_of(latents)[1:])


def clipped_sizes(seen: torch.Tensor, one: float = 1.0) -> list[torch.Tensor]:
    """|seen| clipped at each of `CLIPS`, in units of 1 / `one`."""
    return [seen.abs().clamp_max(clip * one) for clip in CLIPS]


def repeated_conv(width_in: int, width_out: int, size: int, *, stride: int = 1) -> nn.Conv2d:
    """A convolution that repeats the edges, so that a crop looks like a frame."""
    return nn.Conv2d(width_in, width_out, size, stride=stride, padding=1, padding_mode="replicate")
