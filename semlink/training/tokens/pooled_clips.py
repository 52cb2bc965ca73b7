"""Training clips from a pool on the device: what `DeviceClips` draws is kept, met several times and slowly renewed.

To draw a clip anew costs the processor a millisecond, a GPU's step may take no
longer than a few clips do. So clips larger than a crop are drawn in sheets of
`SHEET`; a batch is one gather from all sheets, each clip cut, turned, mirrored
and played backwards by chance. Every few steps one sheet gives way to a fresh
one. What a sheet holds at a step follows from (seed, step), so a resumed run
meets the very clips of an unbroken one.
"""

from __future__ import annotations

import numpy as np
import torch

from semlink.training.data.pack import Pack
from semlink.training.tokens.clip_settings import TokenClipSettings, generator
from semlink.training.tokens.device_clips import DeviceClips

SHEET = 32
LARGER = 10
"""Times the pool of the processor: memory is cheap here, and clips are met faster."""
SLOWER = 8
"""A whole sheet is renewed at once, so less often than one clip there."""


class PooledClips:
    """Draws batches (b, t, crop, crop) of float32 in [0, 1] on `device` from a pool."""

    def __init__(self, pack: Pack, settings: TokenClipSettings, crop: int, seed: int, device: torch.device) -> None:
        self.settings, self.crop, self.seed, self.device = settings, crop, seed, device
        margin = min(settings.margin, _largest(pack, crop) - crop)
        self.source = DeviceClips(pack, settings, crop + margin, seed, device)
        self.drawn_from = self.source.drawn_from
        sheets = max(1, LARGER * settings.pool // SHEET)
        side = crop + margin
        self.pool = torch.empty(sheets, SHEET, settings.frames, side, side, dtype=torch.uint8, device=device)
        self.numbers = [-1] * sheets
        self.margin = margin

    def held_out(self, crop: int) -> torch.Tensor:
        """Clips for validation; see `validation_clips`."""
        return self.source.held_out(crop)

    def batch(self, step: int, size: int) -> torch.Tensor:
        """Batch number `step`."""
        self._renew(step)
        rng = generator(self.seed + 2, step)
        sheet, place = rng.integers(len(self.numbers), size=size), rng.integers(SHEET, size=size)
        top, left = rng.integers(self.margin + 1, size=(2, size))
        flips = rng.random((3, size)) < 0.5
        turned = rng.random(size) < 0.5
        times = _axis(self.settings.frames, np.zeros(size, np.int64), flips[0])
        rows, columns = _axis(self.crop, top, flips[1]), _axis(self.crop, left, flips[2])
        index = [self._on_device(part) for part in (sheet, place, times, rows, columns)]
        cut = self.pool[
            index[0][:, None, None, None],
            index[1][:, None, None, None],
            index[2][:, :, None, None],
            index[3][:, None, :, None],
            index[4][:, None, None, :],
        ].float()
        turned_there = self._on_device(turned)[:, None, None, None]
        light = torch.from_numpy(rng.uniform(0.85, 1.0, size).astype(np.float32)).to(self.device)
        return torch.where(turned_there, cut.transpose(2, 3), cut) * (light[:, None, None, None] / 255)

    def _renew(self, step: int) -> None:
        """Draw the sheets that step `step` has and the pool lacks."""
        sheets, renewed = len(self.numbers), step // (SLOWER * self.settings.renewal)
        for place in range(sheets):
            number = place + sheets * ((renewed - place + sheets - 1) // sheets)
            if self.numbers[place] != number:
                clips = self.source.batch(number, SHEET)
                self.pool[place] = (clips * 255 + 0.5).byte()
                self.numbers[place] = number

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, non_blocking=True)


def _axis(length: int, first: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Indices (b, length) from `first` on, backwards where flipped."""
    along = np.arange(length)
    return first[:, None] + np.where(flipped[:, None], along[::-1], along)


def _largest(pack: Pack, crop: int) -> int:
    """The largest side of a clip that every usable item has, at least `crop`."""
    sides = [min(shape[1:]) for shape, held in zip(pack.shapes, pack.held_out) if not held and min(shape[1:]) >= crop]
    return min(sides, default=crop)
