"""Photographs for built-in scenes, and objects cut out of them.

Only photographs that lie inside the scikit-image wheel as lossless PNG are
used, so nothing is downloaded and every machine sees the same pixels.

Source: [vanderwalt2014skimage].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from semlink.errors import SourceError
from semlink.sensing.sources.files.file_search import PICTURES, find
from semlink.sensing.sources.files.images import colour_picture, gray_picture

Point = tuple[float, float]

BACKGROUNDS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "moon",
    "motorcycle_left",
)
# Textures that make a believable object with any outline.
_STUFF = ("chelsea", "gravel", "grass", "moon")
_FINE = 4  # masks are drawn this much finer than the photograph


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object: one plane of its `texture`, uint8 (h, w), surroundings included, and a soft `mask`, the same."""

    texture: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Centre and half axes, as parts of the photograph's width and height."""

    x: float
    y: float
    rx: float
    ry: float

    def outline(self) -> tuple[Point, ...]:
        turns = [2 * math.pi * step / 72 for step in range(72)]
        return tuple((self.x + self.rx * math.cos(turn), self.y + self.ry * math.sin(turn)) for turn in turns)


# Outlines of whole objects, drawn by hand: (x, y) as parts of the photograph's width and height.
_CAMERAMAN = (
    (0.250, 0.240), (0.300, 0.210), (0.325, 0.170), (0.360, 0.135), (0.415, 0.125), (0.470, 0.150), (0.512, 0.200),
    (0.525, 0.240), (0.520, 0.272), (0.630, 0.275), (0.632, 0.335), (0.648, 0.370), (0.620, 0.440), (0.582, 0.452),
    (0.570, 0.480), (0.590, 0.500), (0.575, 0.545), (0.500, 0.605), (0.405, 0.575), (0.300, 0.700), (0.283, 0.760),
    (0.297, 0.990), (0.010, 0.990), (0.010, 0.470), (0.085, 0.375), (0.135, 0.285), (0.180, 0.257),
)  # fmt: skip
_ASTRONAUT = (
    (0.310, 0.110), (0.350, 0.065), (0.400, 0.040), (0.460, 0.035), (0.520, 0.055), (0.565, 0.105), (0.585, 0.155),
    (0.583, 0.205), (0.550, 0.250), (0.520, 0.265), (0.518, 0.340), (0.580, 0.400), (0.592, 0.450), (0.655, 0.505),
    (0.690, 0.580), (0.703, 0.680), (0.760, 0.675), (0.850, 0.695), (0.925, 0.770), (0.965, 0.880), (0.985, 0.990),
    (0.040, 0.990), (0.055, 0.830), (0.065, 0.700), (0.085, 0.590), (0.135, 0.475), (0.225, 0.420), (0.228, 0.360),
    (0.270, 0.305), (0.352, 0.290), (0.345, 0.260), (0.315, 0.215), (0.303, 0.165),
)  # fmt: skip
_MOTORCYCLE = (
    (0.195, 0.310), (0.220, 0.340), (0.280, 0.345), (0.330, 0.350), (0.420, 0.390), (0.480, 0.385), (0.510, 0.340),
    (0.560, 0.310), (0.600, 0.290), (0.640, 0.230), (0.680, 0.195), (0.715, 0.210), (0.750, 0.270), (0.745, 0.350),
    (0.765, 0.420), (0.800, 0.520), (0.870, 0.610), (0.915, 0.750), (0.912, 0.855), (0.875, 0.895), (0.800, 0.870),
    (0.740, 0.790), (0.700, 0.660), (0.655, 0.570), (0.640, 0.650), (0.600, 0.745), (0.500, 0.755), (0.440, 0.735),
    (0.360, 0.750), (0.300, 0.800), (0.225, 0.775), (0.175, 0.680), (0.168, 0.580), (0.200, 0.480), (0.170, 0.475),
    (0.205, 0.420), (0.192, 0.360),
)  # fmt: skip
_SHEET = ((0.01, 0.02), (0.99, 0.02), (0.99, 0.74), (0.01, 0.74))
OBJECTS: tuple[tuple[str, tuple[tuple[Point, ...] | Ellipse, ...]], ...] = (
    ("camera", (_CAMERAMAN,)),
    ("astronaut", (_ASTRONAUT,)),
    ("motorcycle_left", (_MOTORCYCLE,)),
    ("page", (_SHEET,)),
    ("coffee", (Ellipse(0.463, 0.535, 0.330, 0.425), Ellipse(0.484, 0.280, 0.192, 0.230))),
    ("coins", (Ellipse(0.871, 0.145, 0.074, 0.090),)),
    ("coins", (Ellipse(0.704, 0.395, 0.063, 0.080),)),
    ("coins", (Ellipse(0.904, 0.617, 0.082, 0.100),)),
    ("coins", (Ellipse(0.450, 0.863, 0.073, 0.082),)),
    ("coins", (Ellipse(0.121, 0.859, 0.070, 0.089),)),
)


Plane = Literal["gray", "r", "g", "b"]
"""What is seen of a photograph."""


def photograph(name: str, plane: Plane = "gray") -> np.ndarray:
    """A built-in photograph (a name of `BACKGROUNDS`) or a picture file, one plane of it: uint8 (h, w).

    Raises:
        SourceError: a file that cannot be read.
    """
    inside = f"{name}.png"
    place = str(files("skimage.data").joinpath(inside)) if _is_built_in(name) else name
    return _gray(place) if plane == "gray" else _colours(place)["rgb".index(plane)]


def named_photos(patterns: Sequence[str]) -> tuple[str, ...]:
    """All photographs that `patterns` name: built-in names, files, folders or globs; the built-in ones for none.

    Raises:
        SourceError: a pattern names no picture.
    """
    if not patterns:
        return BACKGROUNDS
    names: list[str] = []
    for pattern in patterns:
        if pattern in BACKGROUNDS:
            names.append(pattern)
            continue
        pictures = [str(path) for item in find([pattern]) for path in item.pictures]
        if not pictures:
            raise SourceError(f"{pattern}: names no picture ({', '.join(sorted(PICTURES))})")
        names += pictures
    return tuple(dict.fromkeys(names))


def draw_object(rng: np.random.Generator, photos: Sequence[str], *, not_from: str, plane: Plane = "gray") -> Cutout:
    """A random object: a built-in cut-out, or a piece of a photograph with an irregular outline.

    Chance decides alike for every plane.
    """
    own = photos != BACKGROUNDS
    if not own and rng.random() < 0.7:
        choices = [(name, shapes) for name, shapes in OBJECTS if name != not_from]
        name, shapes = choices[int(rng.integers(len(choices)))]
        return _cut(photograph(name, plane), [_points(shape) for shape in shapes])
    stuff = [name for name in (photos if own else _STUFF) if name != not_from] or list(photos)
    photo = photograph(stuff[int(rng.integers(len(stuff)))], plane)
    return _cut(photo, [_pebble(rng, photo.shape)])


def _cut(photo: np.ndarray, outlines: Sequence[Sequence[Point]]) -> Cutout:
    """The part of `photo` that lies within any of the outlines, and a little around it."""
    rows, columns = photo.shape
    xs = [x * columns for outline in outlines for x, _ in outline]
    ys = [y * rows for outline in outlines for _, y in outline]
    left, top = max(math.floor(min(xs)) - 2, 0), max(math.floor(min(ys)) - 2, 0)
    right, bottom = min(math.ceil(max(xs)) + 2, columns), min(math.ceil(max(ys)) + 2, rows)
    sheet = Image.new("L", ((right - left) * _FINE, (bottom - top) * _FINE))
    pen = ImageDraw.Draw(sheet)
    for outline in outlines:
        pen.polygon([((x * columns - left) * _FINE, (y * rows - top) * _FINE) for x, y in outline], fill=255)
    return Cutout(photo[top:bottom, left:right], np.asarray(sheet.reduce(_FINE)))


def _pebble(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Point]:
    """A closed, smooth, irregular outline somewhere in a photograph of `shape`."""
    rows, columns = shape
    radius = float(rng.uniform(0.18, 0.30)) * min(rows, columns)
    waves = [(k, float(rng.uniform(0, 0.22)) / (k - 1), float(rng.uniform(0, 2 * math.pi))) for k in range(2, 6)]
    reach = 1.6 * radius
    x, y = float(rng.uniform(reach, columns - reach)), float(rng.uniform(reach, rows - reach))
    outline = []
    for step in range(96):
        turn = 2 * math.pi * step / 96
        r = radius * (1 + sum(size * math.cos(k * turn + phase) for k, size, phase in waves))
        outline.append(((x + r * math.cos(turn)) / columns, (y + r * math.sin(turn)) / rows))
    return outline


def _points(shape: tuple[Point, ...] | Ellipse) -> tuple[Point, ...]:
    return shape.outline() if isinstance(shape, Ellipse) else shape


def _is_built_in(name: str) -> bool:
    return name in BACKGROUNDS or name in {photo for photo, _ in OBJECTS}


@lru_cache(maxsize=64)
def _gray(path: str) -> np.ndarray:
    gray = np.floor(gray_picture(Path(path)) * 255 + 0.5).astype(np.uint8)
    gray.flags.writeable = False
    return gray


@lru_cache(maxsize=64)
def _colours(path: str) -> np.ndarray:
    planes = np.floor(colour_picture(Path(path)) * 255 + 0.5).astype(np.uint8)
    planes.flags.writeable = False
    return planes
