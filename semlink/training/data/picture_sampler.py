"""A fixed set of training pictures, for models that learn something about each of them.

The set depends on the seed alone: whole pictures of the material, or squares
cut out of it at random and shrunk to the wanted size. Every picture comes once
in an epoch, in an order that depends on (seed, epoch).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from semlink.errors import TrainingError
from semlink.training.data.pack import Pack

HELD_OUT = 64
_SET, _ORDER, _TEST = 0, 1, 2  # streams of chance


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """Which pictures, and what they look like.

    Attributes:
        count: how many there are in the set.
        patches: squares cut out of the material; otherwise its items as they are, resized.
        most: longest side of a square before it is shrunk, in pixels.
        planes: 1 gray; 3: coloured at random, since the material is gray. A picture's gray levels are put on a
            line of four random colours that get brighter from the first to the last.
    """

    count: int
    patches: bool = False
    most: int = 256
    planes: int = 1


@dataclass(frozen=True, slots=True)
class Pictures:
    """Some of the set: `numbers` (b,), and `pixels` float32 (b, planes, h, w) in [0, 1]."""

    numbers: torch.Tensor
    pixels: torch.Tensor

    def to(self, device: torch.device) -> Pictures:
        """The same on `device`."""
        return Pictures(self.numbers.to(device), self.pixels.to(device))


class PictureSampler:
    """Draws batches from a set of pictures of `side` x `side` pixels.

    Raises:
        TrainingError: the material gives fewer pictures than asked for.
    """

    def __init__(self, pack: Pack, settings: PictureSettings, side: int, seed: int) -> None:
        self.settings, self.seed, self.pack, self.side = settings, seed, pack, side
        items = pack.items()
        whole = range(settings.count)
        self.drawn_from = [n for n, i in enumerate(items) if min(i.shape[1:]) >= side] if settings.patches else [*whole]
        self.pixels = _cut(items, settings, side, seed) if settings.patches else _whole(items, settings, side)
        self._order = lru_cache(2)(self._order_of)

    def batch(self, step: int, size: int) -> Pictures:
        """Batch number `step`: the next `size` places of the endless row of epochs."""
        count = self.settings.count
        places = range(step * size, (step + 1) * size)
        numbers = np.array([self._order(place // count)[place % count] for place in places])
        return Pictures(torch.from_numpy(numbers), self._drawn(numbers))

    def held_out(self, crop: int) -> torch.Tensor:
        """Up to 64 pictures (b, planes, side, side) of what is held out; they have one size, whatever `crop` says."""
        items, settings, side = self.pack.items(held_out=True), self.settings, self.side
        if not items:
            return torch.empty(0, settings.planes, side, side)
        if settings.patches:
            cut = _cut(items, PictureSettings(HELD_OUT, True, settings.most, settings.planes), side, self.seed, _TEST)
        else:
            cut = _whole(items[:HELD_OUT], PictureSettings(min(HELD_OUT, len(items))), side)
        gray = torch.from_numpy(cut).float() / 255
        return _coloured(gray, [_rng(self.seed, _TEST, n) for n in range(len(cut))], settings.planes)

    def _drawn(self, numbers: np.ndarray) -> torch.Tensor:
        gray = torch.from_numpy(self.pixels[numbers]).float() / 255
        return _coloured(gray, [_rng(self.seed, _SET, n) for n in numbers], self.settings.planes)

    def _order_of(self, epoch: int) -> np.ndarray:
        return _rng(self.seed, _ORDER, epoch).permutation(self.settings.count)


def _whole(items: tuple[np.ndarray, ...], settings: PictureSettings, side: int) -> np.ndarray:
    stills = [item[0] for item in items]
    if len(stills) < settings.count:
        raise TrainingError(f"options.pictures.count: {settings.count}, but the material holds {len(stills)} pictures")
    return np.stack([_resized(still, side) for still in stills[: settings.count]])


def _cut(
    items: tuple[np.ndarray, ...], settings: PictureSettings, side: int, seed: int, stream: int = _SET
) -> np.ndarray:
    """Squares of random size and place, uint8 (count, side, side)."""
    usable = [item for item in items if min(item.shape[1:]) >= side]
    if not usable:
        raise TrainingError(f"data: none of {len(items)} items is large enough; allowed: at least {side} pixels a side")
    out = np.empty((settings.count, side, side), np.uint8)
    for number in range(settings.count):
        rng = np.random.default_rng([seed, stream, 1, number])
        item = usable[rng.integers(len(usable))]
        frame = item[rng.integers(len(item))]
        longest = max(side, min(settings.most, *frame.shape))
        square = int(round(np.exp(rng.uniform(np.log(side), np.log(longest)))))
        top, left = (int(rng.integers(size - square + 1)) for size in frame.shape)
        cut = frame[top : top + square, left : left + square]
        out[number] = _resized(cut[:, ::-1] if rng.random() < 0.5 else cut, side)
    return out


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    """uint8 (h, w) as uint8 (side, side), bilinear and without aliasing."""
    if picture.shape == (side, side):
        return picture
    gray = torch.from_numpy(picture.astype(np.float32))[None, None]
    out = F.interpolate(gray, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return out[0, 0].round().clamp(0, 255).to(torch.uint8).numpy()


def _coloured(gray: torch.Tensor, rngs: list[np.random.Generator], planes: int) -> torch.Tensor:
    """(b, h, w) as (b, planes, h, w)."""
    if planes == 1:
        return gray[:, None]
    out = [_on_colours(picture, colours(rng)) for picture, rng in zip(gray, rngs)]
    return torch.stack(out) if out else torch.empty(0, planes, *gray.shape[1:])


def colours(rng: np.random.Generator) -> np.ndarray:
    """Four colours (4, 3) in [0, 1], the mean of R, G and B rising from near 0 to near 1."""
    light = np.sort(rng.uniform(0, 1, 4)) * 0.5 + np.linspace(0, 0.5, 4)
    tint = rng.normal(0, 1, (4, 3)) * 0.5 + rng.normal(0, 1, 3)
    tint -= tint.mean(1, keepdims=True)
    return np.clip(light[:, None] + rng.uniform(0, 0.5) * tint, 0, 1)


def _on_colours(gray: torch.Tensor, line: np.ndarray) -> torch.Tensor:
    """Gray levels (h, w) put on the broken line through the colours: (3, h, w)."""
    knots = torch.from_numpy(line.astype(np.float32))
    place = gray * (len(line) - 1)
    at = place.floor().clamp(0, len(line) - 2)
    part = (place - at)[..., None]
    below = knots[at.long()]
    return (below + part * (knots[at.long() + 1] - below)).permute(2, 0, 1)


def _rng(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(stream, int(number)))))
