"""A plain network of the family of VCSNet: stacked convolutions, key features added to the frames between.

Source: [shi2021vcsnet] for the structure; five layers of 3 x 3 convolutions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class VcsNet(nn.Module):
    """Two stacks of 3 x 3 convolutions, for key frames and for the others, which take in both key frames' features.

    Takes and gives what `HitVcsNet` does, so that the two are compared on equal terms.
    """

    def __init__(self, width: int = 64, levels: int = 4, *, guided: bool = True) -> None:
        super().__init__()
        self.guided = guided
        inputs = [1, *[width] * (levels - 1)]
        self.key = nn.ModuleList(nn.Conv2d(c, width, 3, padding=1) for c in inputs)
        self.rest = nn.ModuleList(nn.Conv2d(c + (guided and not n), width, 3, padding=1) for n, c in enumerate(inputs))
        self.give = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in inputs)
        self.show_key, self.show_rest = (nn.Conv2d(width, 1, 3, padding=1) for _ in range(2))
        for last in (self.show_key, self.show_rest):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(
        self,
        key: torch.Tensor,
        rest: torch.Tensor,
        guide: torch.Tensor | None,
        before: torch.Tensor,
        behind: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `HitVcsNet.forward`."""
        keys, rests = key, torch.cat((rest, guide), 1) if self.guided and guide is not None else rest
        for see_key, see_rest, give in zip(self.key, self.rest, self.give):
            keys = F.relu(see_key(keys))
            given = give(keys)
            rests = F.relu(see_rest(rests) + given[before] + given[behind])
        start = guide if self.guided and guide is not None else rest
        return key + self.show_key(keys).float(), start + self.show_rest(rests).float()
