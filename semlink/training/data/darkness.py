"""Clips that are dark, or black in a part: what films and drawn scenes have and few training clips do."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Darkness:
    """Shares of the clips.

    Attributes:
        dim: clips whose light falls to between `least` of it and all.
        flat: clips of which a half, a border or a box is one brightness, mostly black.
        least: of the light that is left to a dim clip.
        black: of the flat parts, those that are black.
    """

    dim: float = 0.15
    flat: float = 0.15
    least: float = 0.03
    black: float = 0.7

    def cast(self, clips: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Clips (b, t, h, w), some of them darkened."""
        draws = torch.rand(len(clips), 9, generator=rng)
        return torch.stack([self._one(clip, draw.tolist()) for clip, draw in zip(clips, draws)])

    def _one(self, clip: torch.Tensor, draw: list[float]) -> torch.Tensor:
        if draw[0] < self.dim:
            clip = clip * (self.least + (1 - self.least) * draw[1])
        if draw[2] >= self.flat:
            return clip
        h, w = clip.shape[1:]
        level = 0.0 if draw[3] < self.black else draw[4]
        top, bottom = sorted((int(draw[5] * h), int(draw[6] * h)))
        left, right = sorted((int(draw[7] * w), int(draw[8] * w)))
        if draw[1] < 0.4:  # a half
            left, right = 0, w
        inside = torch.zeros(h, w, dtype=torch.bool, device=clip.device)
        inside[top:bottom, left:right] = True
        return torch.where(inside if draw[0] < 0.5 else ~inside, level, clip)
