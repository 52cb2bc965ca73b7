"""HIT-VCSNet: key frames and the frames between them, at three scales, reconstructed together.

Features of every frame live at full, half and quarter size. At each level
those of one frame are fused across scales (hierarchical feature fusion, HFFM),
pass a residual block, and those of a non-key frame take in the features of its
two key frames (hierarchical feature interaction, HFIM). What comes out is
brought to full size (MSFM) and added to the estimate that the network began with.

The published network knows the initial reconstruction alone. With `guided` a
non-key frame also enters as predicted from its key frames and corrected by its
measurements (`block_guide`), and the output is a correction to that.

Source: [zhang2023hitvcsnet, Sec. 2.2, Figs. 1 and 2, eqs. (5) and (6)]; widths,
depths and the order inside a level are not published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

SCALES = 3
GAIN = 5.0  # details enter and leave enlarged by this much, so that features start with about unit power


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), 3 x 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Resample(nn.Module):
    """Features of one scale for another: halved or doubled, with a residual block at the smaller size."""

    def __init__(self, width: int, source: int, target: int) -> None:
        super().__init__()
        steps = abs(target - source)
        if target > source:
            halve = [nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(steps)]
            self.body = nn.Sequential(*halve, ResidualBlock(width))
        else:
            double = [nn.ConvTranspose2d(width, width, 2, stride=2) for _ in range(steps)]
            self.body = nn.Sequential(ResidualBlock(width), *double)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class Fusion(nn.Module):
    """HFFM: each scale's features plus those of the others, brought to its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        pairs = [(source, target) for target in range(SCALES) for source in range(SCALES) if source != target]
        self.paths = nn.ModuleDict({f"{source}to{target}": Resample(width, source, target) for source, target in pairs})

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        fused = list(features)
        for name, path in self.paths.items():
            source, target = map(int, name.split("to"))
            fused[target] = fused[target] + path(features[source])
        return fused


class MultiScaleFusion(nn.Module):
    """MSFM: from the coarsest scale up, each result added to the next finer features; then one plane of pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(width, width, 2, stride=2),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(SCALES - 1)
        )
        self.leave = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        coarse = features[-1]
        for step, finer in zip(self.steps, reversed(features[:-1])):
            coarse = finer + step(coarse)
        return self.leave(coarse)


class Level(nn.Module):
    """One level of key and of non-key frames, all scales."""

    def __init__(self, width: int, *, hffm: bool, hfim: bool) -> None:
        super().__init__()
        self.fuse_key, self.fuse_rest = (Fusion(width) if hffm else None for _ in range(2))
        self.key = nn.ModuleList(ResidualBlock(width) for _ in range(SCALES))
        self.rest = nn.ModuleList(ResidualBlock(width) for _ in range(SCALES))
        self.give = nn.ModuleList(ResidualBlock(width).body for _ in range(SCALES)) if hfim else None

    def of_keys(self, key: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The next features of key frames, and what the frames between get of them; the latter may be empty."""
        fused = key if self.fuse_key is None else self.fuse_key(key)
        given = [] if self.give is None else [give(features) for give, features in zip(self.give, fused)]
        return [block(features) for block, features in zip(self.key, fused)], given

    def of_rest(
        self, rest: Sequence[torch.Tensor], given: Sequence[torch.Tensor], before: torch.Tensor, behind: torch.Tensor
    ) -> list[torch.Tensor]:
        """The next features of the frames between, whose key frames are at places `before` and `behind` in `given`."""
        fused = rest if self.fuse_rest is None else self.fuse_rest(rest)
        own = [block(features) for block, features in zip(self.rest, fused)]
        return [mine + keys[before] + keys[behind] for mine, keys in zip(own, given)] if given else own


class HitVcsNet(nn.Module):
    """The deep part; sampling and initial reconstruction come before it.

    Key frames do not depend on the others, so they are restored first, and the
    guide of the others is made from restored key frames.

    Args:
        width: channels of features; 64 in the published-size recipe.
        levels: residual blocks in a row at each scale.
        hffm, hfim: fusion across scales, interaction between frames; off for the ablations.
        guided: non-key frames enter as initial reconstruction and as guide.
    """

    def __init__(
        self, width: int = 32, levels: int = 3, *, hffm: bool = True, hfim: bool = True, guided: bool = True
    ) -> None:
        super().__init__()
        self.guided = guided
        self.see_key = nn.ModuleList(nn.Conv2d(1, width, 3, padding=1) for _ in range(SCALES))
        self.see_rest = nn.ModuleList(nn.Conv2d(1 + guided, width, 3, padding=1) for _ in range(SCALES))
        self.levels = nn.ModuleList(Level(width, hffm=hffm, hfim=hfim) for _ in range(levels))
        self.show_key, self.show_rest = MultiScaleFusion(width), MultiScaleFusion(width)

    def of_keys(self, key: torch.Tensor) -> tuple[torch.Tensor, list[list[torch.Tensor]]]:
        """Restored key frames (k, 1, h, w) from initial ones, and what each level gives to the frames between.

        h, w are multiples of 4.
        """
        features = [F.relu(see(half(detail(key), scale))) for scale, see in enumerate(self.see_key)]
        gifts = []
        for level in self._levels():
            features, given = level.of_keys(features)
            gifts.append(given)
        return key + self.show_key(features).float() / GAIN, gifts

    def of_rest(
        self,
        rest: torch.Tensor,
        guide: torch.Tensor | None,
        gifts: Sequence[Sequence[torch.Tensor]],
        before: torch.Tensor,
        behind: torch.Tensor,
    ) -> torch.Tensor:
        """Restored non-key frames (n, 1, h, w).

        Args:
            rest: their initial reconstructions (n, 1, h, w).
            guide: their predictions (n, 1, h, w); None if not guided.
            gifts: of `of_keys`.
            before, behind: (n,) places of the key frames around each of them.
        """
        start, entering = (rest, rest) if guide is None else (guide, torch.cat((rest, guide), 1))
        features = [F.relu(see(half(detail(entering), scale))) for scale, see in enumerate(self.see_rest)]
        for level, given in zip(self._levels(), gifts):
            features = level.of_rest(features, given, before, behind)
        return start + self.show_rest(features).float() / GAIN

    def _levels(self) -> list[Level]:
        return cast(list[Level], list(self.levels))


def detail(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels without their mean over 9 x 9 neighbours, enlarged: brightness says little about what is missing."""
    return GAIN * (pixels - F.avg_pool2d(pixels, 9, stride=1, padding=4, count_include_pad=False))


def half(pixels: torch.Tensor, times: int) -> torch.Tensor:
    """Pixels halved in height and width `times` times: the initial reconstruction at a coarser scale.

    The best linear estimate of a halved frame is the halved best linear
    estimate, so a coarser scale needs no upsampling matrix of its own.
    """
    return F.avg_pool2d(pixels, 2**times) if times else pixels
