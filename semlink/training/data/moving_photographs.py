"""Photographs under simulated motion: layers that glide, turn and zoom, cover one another, blur and change in light.

A clip is drawn from its own number alone. Motion within a frame is blurred by
averaging moments of the shutter; what covers moves on its own path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """How far simulated scenes go.

    Attributes:
        max_speed: fastest layer, pixels a frame.
        turn: standard deviation of the turn a frame, radians; `zoom` likewise, of the logarithm of the scale.
        static_share: probability that nothing moves.
        layers: most layers over the background.
        shutter: longest exposure of a frame as a share of its time.
        flicker: standard deviation of the change of light over a clip.
    """

    max_speed: float = 6.0
    turn: float = 0.006
    zoom: float = 0.006
    static_share: float = 0.08
    layers: int = 2
    shutter: float = 0.6
    flicker: float = 0.08


def moving_photographs(
    photos: Sequence[np.ndarray], frames: int, side: int, settings: MotionSettings, rng: np.random.Generator
) -> torch.Tensor:
    """One clip (frames, side, side) in [0, 1]."""
    moves = 0.0 if rng.random() < settings.static_share else 1.0
    moments = _moments(frames, settings.shutter * rng.random() * moves, rng.random() < 0.5)
    scene = _pan(photos, moments, side, settings, moves, rng)
    for _ in range(int(rng.integers(0, settings.layers + 1))):
        cover = _cover(moments, side, settings.max_speed * moves, rng)
        scene = scene + cover * (_pan(photos, moments, side, settings, moves, rng) - scene)
    scene = scene.view(frames, -1, side, side).mean(1)
    return (scene * _light(frames, settings.flicker, rng)).clamp(0, 1)


def _moments(frames: int, shutter: float, blurred: bool) -> torch.Tensor:
    """Times at which the scene is seen, in frames about the middle: one a frame, or two where there is blur."""
    starts = torch.arange(frames) - (frames - 1) / 2
    return (starts[:, None] + torch.tensor([0.0, shutter])).flatten() if blurred else starts


def _path(time: torch.Tensor, max_speed: float, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns along a gently bent path through 0 at time 0."""
    speed, heading = max_speed * rng.random() ** 1.5, rng.uniform(0, 2 * math.pi)
    bend = rng.normal(0, 0.06) * time
    return speed * time * torch.sin(heading + bend), speed * time * torch.cos(heading + bend)


def _pan(photos, moments, side: int, settings: MotionSettings, moves: float, rng) -> torch.Tensor:
    """A window over a photograph that glides, turns and zooms: (moments, side, side)."""
    photo = photos[rng.integers(len(photos))]
    angle = rng.uniform(-0.4, 0.4) + moves * rng.normal(0, settings.turn) * moments
    scale = math.exp(rng.uniform(-0.5, 0.5)) * torch.exp(moves * rng.normal(0, settings.zoom) * moments)
    free = [max(0.0, (length - side) / 2) for length in photo.shape]
    row, column = (length / 2 + rng.uniform(-room, room) for length, room in zip(photo.shape, free))
    rows, columns = _path(moments, settings.max_speed * moves, rng)
    return _look(photo, row + rows * scale, column + columns * scale, angle, scale, side)


def _look(photo: np.ndarray, rows, columns, angle, scale, side: int) -> torch.Tensor:
    """`photo` through a window of `side` pixels, one position a moment."""
    axis = torch.arange(side) - (side - 1) / 2
    y, x = axis.view(1, -1, 1), axis.view(1, 1, -1)
    cos, sin = (scale * torch.cos(angle)).view(-1, 1, 1), (scale * torch.sin(angle)).view(-1, 1, 1)
    seen_y, seen_x = rows.view(-1, 1, 1) + cos * y + sin * x, columns.view(-1, 1, 1) - sin * y + cos * x
    height, width = photo.shape
    grid = torch.stack((2 * (seen_x + 0.5) / width - 1, 2 * (seen_y + 0.5) / height - 1), -1).float()
    image = torch.from_numpy(photo.astype(np.float32) / 255).expand(len(rows), 1, -1, -1)
    return F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)[:, 0]


def _cover(moments: torch.Tensor, side: int, max_speed: float, rng: np.random.Generator) -> torch.Tensor:
    """Opacity of a layer, an ellipse or a box with edges soft or sharp, on its own path: (moments, side, side)."""
    axis = torch.arange(side).float()
    rows, columns = _path(moments, max_speed, rng)
    row, column = rng.uniform(0.1, 0.9, 2) * side
    height, width = rng.uniform(0.08, 0.35, 2) * side
    y = ((axis.view(1, -1, 1) - row - rows.view(-1, 1, 1)) / height).abs()
    x = ((axis.view(1, 1, -1) - column - columns.view(-1, 1, 1)) / width).abs()
    reach = torch.maximum(y, x) if rng.random() < 0.3 else (y.square() + x.square()).sqrt()
    return torch.sigmoid((1 - reach) * min(height, width) * float(rng.uniform(0.7, 3.0)))


def _light(frames: int, flicker: float, rng: np.random.Generator) -> torch.Tensor:
    """Brightness along the clip, (frames, 1, 1): a slow change in half of the clips."""
    change = rng.normal(0, flicker) if rng.random() < 0.5 else 0.0
    return (1 + change * torch.linspace(-1, 1, frames)).view(-1, 1, 1)
