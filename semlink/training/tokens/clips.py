"""Training clips that cost little to draw: real video, and a slowly changing pool of photographs in motion.

Rendering motion costs far more than cutting a crop, so rendered clips are larger
than a crop, kept in a pool and met several times, each time cut, turned and
flipped anew. Every few steps one clip of the pool gives way to a fresh one. What a
place of the pool holds at a step follows from (seed, step), so a resumed run
meets the very clips of an unbroken one; it is rendered when it is first met.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from semlink.training.data.clip_sampler import validation_clips
from semlink.training.data.moving_photographs import moving_photographs
from semlink.training.data.pack import Pack
from semlink.training.tokens.clip_settings import TokenClipSettings, generator, stride, usable, usable_numbers
from semlink.training.tokens.pooled_clips import PooledClips


class TokenClips:
    """Draws batches (b, t, crop, crop) of float32 in [0, 1] from a pack."""

    def __init__(self, pack: Pack, settings: TokenClipSettings, crop: int, seed: int) -> None:
        self.pack, self.settings, self.crop, self.seed = pack, settings, crop, seed
        items = usable(pack, settings, crop)
        self.drawn_from = usable_numbers(pack, settings, crop)
        self.videos = [item for item in items if item.shape[0] > 1]
        self.stills = [item[0] for item in items if item.shape[0] == 1]
        self.pool: dict[int, tuple[int, np.ndarray]] = {}

    def on(self, device: torch.device) -> TokenClips | PooledClips:
        """Itself on the processor; elsewhere a sampler that draws there."""
        if device.type == "cpu":
            return self
        return PooledClips(self.pack, self.settings, self.crop, self.seed, device)

    def held_out(self, crop: int) -> torch.Tensor:
        """Clips for validation; see `validation_clips`."""
        return validation_clips(self.pack, self.settings.frames, crop)

    def batch(self, step: int, size: int) -> torch.Tensor:
        """Batch number `step`."""
        rng = generator(self.seed, step)
        return torch.stack([self._changed(self._clip(step, rng), rng) for _ in range(size)])

    def _clip(self, step: int, rng: np.random.Generator) -> torch.Tensor:
        still = not self.videos or (bool(self.stills) and rng.random() < self.settings.still_share)
        return self._rendered(step, rng) if still else self._real(rng)

    def _rendered(self, step: int, rng: np.random.Generator) -> torch.Tensor:
        place = int(rng.integers(self.settings.pool))
        renewed = step // self.settings.renewal
        number = place + self.settings.pool * ((renewed - place + self.settings.pool - 1) // self.settings.pool)
        if self.pool.get(place, (-1,))[0] != number:
            self.pool[place] = (number, self._render(number))
        clip = self.pool[place][1]
        top, left = rng.integers(self.settings.margin + 1, size=2)
        return _as_float(clip[:, top : top + self.crop, left : left + self.crop])

    def _render(self, number: int) -> np.ndarray:
        side = self.crop + self.settings.margin
        rng = generator(self.seed + 1, number)
        clip = moving_photographs(self.stills, self.settings.frames, side, self.settings.motion, rng)
        return (clip * 255 + 0.5).byte().numpy()

    def _real(self, rng: np.random.Generator) -> torch.Tensor:
        s = self.settings
        video = self.videos[rng.integers(len(self.videos))]
        step = stride(s, video.shape[0], rng)
        start = int(rng.integers(video.shape[0] - (s.frames - 1) * step))
        shrink = float(rng.uniform(1.0, s.max_shrink)) if rng.random() < s.shrink_share else 1.0
        size = min(round(shrink * self.crop), *video.shape[1:])
        top, left = (int(rng.integers(side - size + 1)) for side in video.shape[1:])
        cut = video[start : start + (s.frames - 1) * step + 1 : step, top : top + size, left : left + size]
        clip = _as_float(cut)
        return clip if size == self.crop else _shrunk(clip, self.crop)

    def _changed(self, clip: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Flips, a quarter turn, time backwards, another exposure and contrast."""
        axes = [axis for axis, on in enumerate(rng.random(3) < 0.5) if on]
        clip = torch.rot90(clip.flip(axes) if axes else clip, int(rng.integers(4)), (1, 2))
        contrast, light = rng.uniform(0.85, 1.2), rng.uniform(0.7, 1.0)
        if rng.random() < 0.3:
            clip = clip.clamp_min(1e-3) ** float(contrast)
        return (clip * float(light)).contiguous()


def _as_float(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255


def _shrunk(clip: torch.Tensor, side: int) -> torch.Tensor:
    size = (side, side)
    return F.interpolate(clip[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)
