"""Training clips drawn on the device that trains: video and photographs in motion, as looks at one buffer of pixels.

A *look* is a window that glides, turns and zooms over a picture, one picture a
frame: over the frames of a video it only stands and shrinks, over a photograph
it moves. So a batch is a few gathers from one buffer, and a GPU never waits for
the processor. What is drawn, but for the pixels, follows from (seed, step) on
the processor, so a clip is the same on any device up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from semlink.training.data.clip_sampler import validation_clips
from semlink.training.data.moving_photographs import MotionSettings
from semlink.training.data.pack import Pack
from semlink.training.tokens.clip_settings import TokenClipSettings, generator, stride, usable, usable_numbers

SHARP = 1.25  # pixels of a picture to one of a clip from which a pixel is the mean of four looks


@dataclass(frozen=True, slots=True)
class Looks:
    """Windows (n), one position a frame (n, t): all arrays.

    `base` is where a picture begins in the buffer, `sizes` (n, 2) its height and
    width, `rows` and `columns` the centre, `angle` and `scale` how it is turned
    and how many of its pixels a pixel spans.
    """

    base: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    angle: np.ndarray
    scale: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Looks:
        return Looks(*(getattr(self, name)[chosen] for name in self.__slots__))

    @classmethod
    def stacked(cls, looks: list[Looks]) -> Looks:
        return cls(*(np.stack([getattr(one, name) for one in looks]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Cover:
    """A layer over what is behind: its look, and an ellipse or a box on a path (t) through which it shows."""

    look: Looks
    rows: np.ndarray
    columns: np.ndarray
    size: np.ndarray
    boxed: float
    edge: float


class DeviceClips:
    """Draws batches (b, t, crop, crop) of float32 in [0, 1] on `device` from a pack."""

    def __init__(self, pack: Pack, settings: TokenClipSettings, crop: int, seed: int, device: torch.device) -> None:
        self.pack, self.settings, self.crop, self.seed, self.device = pack, settings, crop, seed, device
        items = usable(pack, settings, crop)
        self.drawn_from = usable_numbers(pack, settings, crop)
        self.shapes = [item.shape for item in items]
        starts = np.cumsum([0, *(item.size for item in items)])[:-1]
        self.videos = [n for n, shape in enumerate(self.shapes) if shape[0] >= settings.frames]
        self.stills = [n for n, shape in enumerate(self.shapes) if shape[0] == 1]
        self.starts = starts.astype(np.int64)
        self.pixels = torch.from_numpy(np.concatenate([item.ravel() for item in items])).to(device)

    def held_out(self, crop: int) -> torch.Tensor:
        """Clips for validation; see `validation_clips`."""
        return validation_clips(self.pack, self.settings.frames, crop)

    def batch(self, step: int, size: int) -> torch.Tensor:
        """Batch number `step`."""
        rng = generator(self.seed, step)
        still = np.array([self._takes_still(rng) for _ in range(size)])
        looks = [self._still_look(rng) if moved else self._real_look(rng) for moved in still]
        shutter = np.where(still & (rng.random(size) < 0.5), self.settings.motion.shutter * rng.random(size), 0.0)
        covers = [self._covers(rng) if moved else [] for moved in still]
        scene = self._scene(looks, covers, np.zeros(size))
        blurred = np.flatnonzero(shutter)
        if blurred.size:
            later = self._scene([looks[n] for n in blurred], [covers[n] for n in blurred], shutter[blurred])
            where = torch.from_numpy(blurred).to(self.device)
            scene = scene.index_copy(0, where, (scene[where] + later) / 2)
        return self._lit(scene, still, rng)

    def _takes_still(self, rng: np.random.Generator) -> bool:
        return not self.videos or (bool(self.stills) and rng.random() < self.settings.still_share)

    def _real_look(self, rng: np.random.Generator) -> Looks:
        s, number = self.settings, self.videos[rng.integers(len(self.videos))]
        length, height, width = self.shapes[number]
        step = stride(s, length, rng)
        first = int(rng.integers(length - (s.frames - 1) * step))
        frames = first + step * np.arange(s.frames)
        frames = frames[::-1] if rng.random() < 0.5 else frames
        wanted = rng.uniform(1.0, s.max_shrink) if rng.random() < s.shrink_share else 1.0
        scale = min(wanted, (height - 1) / self.crop, (width - 1) / self.crop)
        half = scale * self.crop / 2
        row, column = (rng.uniform(half, side - half) for side in (height, width))
        if scale == 1.0:  # real pixels stay as they are
            row, column = math.floor(row), math.floor(column)
        still = np.ones(s.frames)
        base = self.starts[number] + frames * height * width
        turn = rng.integers(4) * math.pi / 2
        return Looks(base, np.array([height, width]), row * still, column * still, turn * still, scale * still)

    def _still_look(self, rng: np.random.Generator) -> Looks:
        motion, frames = self.settings.motion, self.settings.frames
        number = self.stills[rng.integers(len(self.stills))]
        _, height, width = self.shapes[number]
        moves = float(rng.random() >= motion.static_share)
        time = np.arange(frames) - (frames - 1) / 2
        scale = math.exp(rng.uniform(-0.5, 0.5)) * np.exp(moves * rng.normal(0, motion.zoom) * time)
        angle = rng.uniform(0, 2 * math.pi) + moves * rng.normal(0, motion.turn) * time
        free = [max(0.0, (side - self.crop) / 2) for side in (height, width)]
        row, column = (side / 2 + rng.uniform(-room, room) for side, room in zip((height, width), free))
        down, across = _path(time, moves * motion.max_speed, rng)
        base = np.full(frames, self.starts[number])
        return Looks(base, np.array([height, width]), row + down * scale, column + across * scale, angle, scale)

    def _covers(self, rng: np.random.Generator) -> list[Cover]:
        return [
            self._cover(rng, self.settings.motion) for _ in range(int(rng.integers(self.settings.motion.layers + 1)))
        ]

    def _cover(self, rng: np.random.Generator, motion: MotionSettings) -> Cover:
        time = np.arange(self.settings.frames) - (self.settings.frames - 1) / 2
        down, across = _path(time, motion.max_speed * (rng.random() >= motion.static_share), rng)
        row, column = rng.uniform(0.1, 0.9, 2) * self.crop
        size = rng.uniform(0.08, 0.35, 2) * self.crop
        boxed, edge = float(rng.random() < 0.3), float(rng.uniform(0.7, 3.0))
        return Cover(self._still_look(rng), row + down, column + across, size, boxed, edge)

    def _scene(self, looks: list[Looks], covers: list[list[Cover]], after: np.ndarray) -> torch.Tensor:
        """Backgrounds and what covers them, each `after` so much of a frame."""
        scene = self._seen(_later(Looks.stacked(looks), after))
        for layer in range(max(map(len, covers))):
            here = np.array([n for n, own in enumerate(covers) if len(own) > layer])
            own = [covers[n][layer] for n in here]
            where = torch.from_numpy(here).to(self.device)
            behind, front = scene[where], self._seen(_later(Looks.stacked([c.look for c in own]), after[here]))
            scene = scene.index_copy(0, where, behind + self._opacity(own, after[here]) * (front - behind))
        return scene

    def _seen(self, looks: Looks) -> torch.Tensor:
        """What windows show: (n, t, crop, crop)."""
        out = torch.empty(*looks.base.shape, self.crop, self.crop, device=self.device)
        coarse = looks.scale.max(1) > SHARP
        for chosen, offsets in ((~coarse, (0.0,)), (coarse, (-0.25, 0.25))):
            if chosen.any():
                part = self._on_device(looks[chosen])
                shown = [look_at(self.pixels, part, self.crop, dy, dx) for dy in offsets for dx in offsets]
                out[torch.from_numpy(chosen).to(self.device)] = torch.stack(shown).mean(0)
        return out

    def _on_device(self, looks: Looks) -> tuple[torch.Tensor, ...]:
        scale_cos, scale_sin = looks.scale * np.cos(looks.angle), looks.scale * np.sin(looks.angle)
        whole = [torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in (looks.base, looks.sizes)]
        parts = [self._float(a) for a in (looks.rows, looks.columns, scale_cos, scale_sin)]
        return (*whole, *parts)

    def _opacity(self, covers: list[Cover], after: np.ndarray) -> torch.Tensor:
        """Of layers: (n, t, crop, crop)."""
        places = (np.stack([getattr(c, name) for c in covers]) for name in ("rows", "columns"))
        rows, columns = (self._float(_shifted(a, after))[:, :, None, None] for a in places)
        size, boxed, edge = (self._float(np.array([getattr(c, n) for c in covers])) for n in ("size", "boxed", "edge"))
        axis = torch.arange(float(self.crop), device=self.device)
        y = ((axis.view(-1, 1) - rows) / size[:, 0].view(-1, 1, 1, 1)).abs()
        x = ((axis - columns) / size[:, 1].view(-1, 1, 1, 1)).abs()
        reach = torch.where(boxed.view(-1, 1, 1, 1) > 0, torch.maximum(y, x), (y * y + x * x).sqrt())
        return torch.sigmoid((1 - reach) * (size.amin(1) * edge).view(-1, 1, 1, 1))

    def _lit(self, scene: torch.Tensor, still: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Mirrored, lit and of another contrast, clip by clip."""
        size, frames = scene.shape[:2]
        mirrored = torch.from_numpy(rng.random(size) < 0.5).to(self.device).view(-1, 1, 1, 1)
        scene = torch.where(mirrored, scene.flip(3), scene)
        change = np.where(still & (rng.random(size) < 0.5), rng.normal(0, self.settings.motion.flicker, size), 0.0)
        light = rng.uniform(0.7, 1.0, (size, 1)) * (1 + change[:, None] * np.linspace(-1, 1, frames))
        power = np.where(rng.random(size) < 0.3, rng.uniform(0.85, 1.2, size), 1.0)
        scene = scene.clamp(1e-3, 1) ** self._float(power).view(-1, 1, 1, 1)
        return (scene * self._float(light)[:, :, None, None]).clamp(0, 1)

    def _float(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)


def look_at(pixels: torch.Tensor, looks: tuple[torch.Tensor, ...], crop: int, dy: float, dx: float) -> torch.Tensor:
    """Bytes seen through windows, bilinear, mirrored at the edges: (n, t, crop, crop) in [0, 1]."""
    base, sizes, rows, columns, cos, sin = (part[..., None, None] for part in looks)
    axis = torch.arange(crop, device=pixels.device) - (crop - 1) / 2
    y, x = (axis + dy).view(-1, 1), axis + dx
    height, width = sizes[:, :1], sizes[:, 1:]
    row = _mirrored(rows - 0.5 + cos * y + sin * x, height)
    column = _mirrored(columns - 0.5 - sin * y + cos * x, width)
    top, left = row.floor(), column.floor()
    down, right = row - top, column - left
    upper = base + top.long() * width
    lower = torch.minimum(upper + width, base + (height - 1) * width)
    near = left.long()
    far = torch.minimum(near + 1, width - 1)
    above = torch.lerp(pixels[upper + near].float(), pixels[upper + far].float(), right)
    below = torch.lerp(pixels[lower + near].float(), pixels[lower + far].float(), right)
    return torch.lerp(above, below, down) / 255


def _mirrored(at: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """Positions within 0 .. side - 1, going back and forth beyond."""
    period = 2 * (side - 1).clamp_min(1)
    at = at.abs().remainder(period)
    return torch.minimum(at, period - at)


def _path(time: np.ndarray, max_speed: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns along a gently bent path through 0 at time 0."""
    speed, heading = max_speed * rng.random() ** 1.5, rng.uniform(0, 2 * math.pi) + rng.normal(0, 0.06) * time
    return speed * time * np.sin(heading), speed * time * np.cos(heading)


def _later(looks: Looks, after: np.ndarray) -> Looks:
    names = ("rows", "columns", "angle", "scale")
    return replace(looks, **{name: _shifted(getattr(looks, name), after) for name in names})


def _shifted(values: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Values (n, t) a share of a frame later, in straight lines between frames and beyond the last."""
    pace = np.gradient(values, axis=1)
    return values + after[:, None] * pace
