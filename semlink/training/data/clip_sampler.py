"""Training clips: crops of real video, and photographs under simulated motion.

The batch of a step depends on (seed, step) and on nothing else, so a resumed
run meets the very clips that an unbroken one would have met.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from semlink.errors import TrainingError
from semlink.training.data.pack import Pack


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """What a training clip looks like.

    Attributes:
        frames, crop: length, and height and width in pixels.
        still_share: probability of a photograph in motion instead of real video.
        max_speed: fastest camera or object, pixels per frame.
        static_share: probability that a simulated scene stands still.
        max_stride: real video may be thinned to every second .. this frame.
        half_share: probability of a real crop of twice the size, averaged 2x2.
    """

    frames: int = 16
    crop: int = 64
    still_share: float = 0.4
    max_speed: float = 4.0
    static_share: float = 0.1
    max_stride: int = 2
    half_share: float = 0.25


class ClipSampler:
    """Draws batches (b, t, h, w) of float32 in [0, 1] from a pack."""

    def __init__(self, pack: Pack, settings: ClipSettings, seed: int) -> None:
        self.pack, self.settings, self.seed = pack, settings, seed
        items = pack.items()
        self.drawn_from = [
            n for n, item in enumerate(items) if self._fits(item, 1 if len(item) == 1 else settings.frames)
        ]
        self.videos = [item for item in items if self._fits(item, settings.frames)]
        self.stills = [item[0] for item in items if item.shape[0] == 1 and self._fits(item, 1)]
        if not self.videos and not self.stills:
            raise TrainingError(
                f"data: none of {len(items)} items is large enough; allowed: clips of {settings.frames} frames "
                f"or stills, at least {settings.crop} pixels high and wide"
            )

    def held_out(self, crop: int) -> torch.Tensor:
        """Clips for validation; see `validation_clips`."""
        return validation_clips(self.pack, self.settings.frames, crop)

    def batch(self, step: int, size: int) -> torch.Tensor:
        """Batch number `step`."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(self.seed, spawn_key=(step,))))
        return torch.stack([_augment(self._clip(rng), rng) for _ in range(size)])

    def _clip(self, rng: np.random.Generator) -> torch.Tensor:
        still = not self.videos or (bool(self.stills) and rng.random() < self.settings.still_share)
        return self._moving_still(rng) if still else self._real(rng)

    def _real(self, rng: np.random.Generator) -> torch.Tensor:
        s = self.settings
        video = self.videos[rng.integers(len(self.videos))]
        stride = min(int(rng.integers(1, s.max_stride + 1)), (video.shape[0] - 1) // (s.frames - 1))
        start = int(rng.integers(video.shape[0] - (s.frames - 1) * stride))
        half = rng.random() < s.half_share and min(video.shape[1:]) >= 2 * s.crop
        size = 2 * s.crop if half else s.crop
        top, left = (int(rng.integers(side - size + 1)) for side in video.shape[1:])
        cut = video[start : start + (s.frames - 1) * stride + 1 : stride, top : top + size, left : left + size]
        clip = torch.from_numpy(cut.astype(np.float32) / 255)
        return F.avg_pool2d(clip, 2) if half else clip

    def _moving_still(self, rng: np.random.Generator) -> torch.Tensor:
        s = self.settings
        still = rng.random() < s.static_share
        scene = self._pan(rng, 0.0 if still else s.max_speed)
        if rng.random() < 0.6:
            cover = _blob(rng, s, 0.0 if still else s.max_speed)
            scene = scene + cover * (self._pan(rng, 0.0 if still else s.max_speed) - scene)
        return scene

    def _pan(self, rng: np.random.Generator, max_speed: float) -> torch.Tensor:
        """A window that glides, turns and zooms over a photograph: (t, crop, crop)."""
        s = self.settings
        photo = self.stills[rng.integers(len(self.stills))]
        time = torch.linspace(-0.5, 0.5, s.frames) * (s.frames - 1)
        moving = max_speed > 0
        speed, heading = max_speed * rng.random() ** 1.5, rng.uniform(0, 2 * math.pi)
        angle = rng.uniform(-0.3, 0.3) + moving * rng.normal(0, 0.004) * time
        scale = math.exp(rng.uniform(-0.2, 0.5)) * torch.exp(moving * rng.normal(0, 0.004) * time)
        reach = [max(0.0, (side - s.crop) / 2) for side in photo.shape]
        centre = [side / 2 + rng.uniform(-free, free) for side, free in zip(photo.shape, reach)]
        path = speed * time
        rows, columns = centre[0] + path * math.sin(heading), centre[1] + path * math.cos(heading)
        return _look(photo, rows, columns, angle, scale, s.crop)

    def _fits(self, item: np.ndarray, frames: int) -> bool:
        enough = item.shape[0] == 1 if frames == 1 else item.shape[0] >= frames
        return enough and min(item.shape[1:]) >= self.settings.crop


def validation_clips(pack: Pack, frames: int, crop: int, limit: int = 8) -> torch.Tensor:
    """Centre crops of the first frames of held-out clips: float32 (b, frames, crop, crop); b may be 0."""
    chosen = [item for item in pack.items(held_out=True) if item.shape[0] >= frames and min(item.shape[1:]) >= crop]
    if not chosen:
        return torch.empty(0, frames, crop, crop)
    return torch.stack([_centre(item[:frames], crop) for item in chosen[:limit]])


def _centre(clip: np.ndarray, crop: int) -> torch.Tensor:
    top, left = ((side - crop) // 2 for side in clip.shape[1:])
    return torch.from_numpy(clip[:, top : top + crop, left : left + crop].astype(np.float32) / 255)


def _look(photo: np.ndarray, rows, columns, angle, scale, size: int) -> torch.Tensor:
    """`photo` seen through a window at (rows, columns), one position a frame: (t, size, size)."""
    axis = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle = torch.as_tensor(angle, dtype=torch.float32).expand(len(rows)).view(-1, 1, 1)
    scale = scale.view(-1, 1, 1)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    seen_y = rows.view(-1, 1, 1) + cos * y + sin * x
    seen_x = columns.view(-1, 1, 1) - sin * y + cos * x
    height, width = photo.shape
    grid = torch.stack((2 * (seen_x + 0.5) / width - 1, 2 * (seen_y + 0.5) / height - 1), -1).float()
    image = torch.from_numpy(photo.astype(np.float32) / 255)[None, None]
    seen = F.grid_sample(
        image.expand(len(rows), 1, *image.shape[2:]), grid, padding_mode="reflection", align_corners=False
    )
    return seen[:, 0].clamp(0, 1)


def _blob(rng: np.random.Generator, s: ClipSettings, max_speed: float) -> torch.Tensor:
    """A soft-edged ellipse on its own straight path: opacity (t, crop, crop)."""
    axis = torch.arange(s.crop).float()
    time = torch.linspace(-0.5, 0.5, s.frames) * (s.frames - 1)
    speed, heading = max_speed * rng.random(), rng.uniform(0, 2 * math.pi)
    row = rng.uniform(0.2, 0.8) * s.crop + speed * math.sin(heading) * time
    column = rng.uniform(0.2, 0.8) * s.crop + speed * math.cos(heading) * time
    height, width = rng.uniform(0.1, 0.35, 2) * s.crop
    y = (axis.view(1, -1, 1) - row.view(-1, 1, 1)) / height
    x = (axis.view(1, 1, -1) - column.view(-1, 1, 1)) / width
    return torch.sigmoid((1 - (y.square() + x.square()).sqrt()) * min(height, width))


def _augment(clip: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A flip, a quarter turn, time backwards, and some light taken away."""
    flip_rows, flip_columns, backwards = rng.random(3) < 0.5
    axes = [axis for axis, on in ((0, backwards), (1, flip_rows), (2, flip_columns)) if on]
    clip = clip.flip(axes) if axes else clip
    clip = torch.rot90(clip, int(rng.integers(4)), (1, 2))
    return (clip * float(rng.uniform(0.7, 1.0))).contiguous()
