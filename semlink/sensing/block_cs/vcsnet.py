"""A plain network of the family of VCSNet: stacked convolutions, key features added to the frames between.

Source: [shi2021vcsnet] for the structure; five layers of 3 x 3 convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from semlink.sensing.block_cs.hit_vcsnet import GAIN, detail


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

    def of_keys(self, key: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """See `HitVcsNet.of_keys`."""
        features, gifts = detail(key), []
        for see, give in zip(self.key, self.give):
            features = F.relu(see(features))
            gifts.append(give(features))
        return key + self.show_key(features).float() / GAIN, gifts

    def of_rest(
        self,
        rest: torch.Tensor,
        guide: torch.Tensor | None,
        gifts: Sequence[torch.Tensor],
        before: torch.Tensor,
        behind: torch.Tensor,
    ) -> torch.Tensor:
        """See `HitVcsNet.of_rest`."""
        start, features = (rest, rest) if guide is None else (guide, torch.cat((rest, guide), 1))
        features = detail(features)
        for see, given in zip(self.rest, gifts):
            features = F.relu(see(features) + given[before] + given[behind])
        return start + self.show_rest(features).float() / GAIN
