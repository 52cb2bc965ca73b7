"""Digits that need no file: glyphs of fonts in the matplotlib wheel, bent and blurred to look written.

Like MNIST's, they fill a box of 20 pixels, are centred by their mass in
28 x 28 pixels, and are bright on black.

Source: [lecun1998mnist, Sec. III-A: how its digits are fitted and centred].
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np

SIDE, BOX = 28, 20  # pixels
_FONTS = (
    "DejaVuSans",
    "DejaVuSans-Oblique",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralItalic",
    "STIXGeneralBol",
)
_ROWS = 8  # lines of integration in a pixel
_BLUR_PX = 0.6


def draw_digit(digit: int, rng: np.random.Generator) -> np.ndarray:
    """A digit 0 to 9 in a hand of its own: float32 (28, 28) in [0, 1]."""
    corners = _outline(digit, _FONTS[rng.integers(len(_FONTS))])
    slant, turn, stretch = rng.uniform(-0.1, 0.35), rng.uniform(-0.12, 0.12), rng.uniform(0.85, 1.2)
    bend = np.array([[stretch, slant], [0, 1]])
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    bent = [points @ (spin @ bend).T for points in corners]
    every = np.concatenate(bent)
    scale = BOX / np.ptp(every, axis=0).max()
    middle = (every.max(0) + every.min(0)) / 2
    placed = [(points - middle) * [scale, -scale] + SIDE / 2 for points in bent]  # y counts downwards
    ink = coverage(placed, SIDE)
    grid = np.arange(SIDE) + 0.5
    mass = np.array([ink.sum(0) @ grid, ink.sum(1) @ grid]) / ink.sum()
    ink = coverage([points + SIDE / 2 - mass for points in placed], SIDE)
    return np.clip(1.25 * _blurred(ink), 0, 1).astype(np.float32)


def coverage(polygons: list[np.ndarray], side: int) -> np.ndarray:
    """How much of each pixel lies inside closed polygons, each (n, 2) of (x, y) in pixels, by the even-odd rule.

    Exact along x, the mean of eight lines along y.
    Shape: (side, side).
    """
    lines = (np.arange(side * _ROWS) + 0.5) / _ROWS
    left = np.arange(side)
    out = np.zeros((side * _ROWS, side))
    start = np.concatenate(polygons)
    stop = np.concatenate([np.roll(points, -1, axis=0) for points in polygons])
    for row, y in enumerate(lines):
        cut = (start[:, 1] <= y) != (stop[:, 1] <= y)
        (x0, y0), (x1, y1) = start[cut].T, stop[cut].T
        crossings = np.sort(x0 + (y - y0) / (y1 - y0) * (x1 - x0))
        for begin, end in crossings.reshape(-1, 2):
            out[row] += np.clip(np.minimum(end, left + 1) - np.maximum(begin, left), 0, 1)
    return out.reshape(side, _ROWS, side).mean(1)


@lru_cache(maxsize=128)
def _outline(digit: int, font: str) -> list[np.ndarray]:
    """The polygons of a glyph, y upwards."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    path = TextPath((0, 0), str(digit), size=100, prop=FontProperties(fname=str(file)))
    return [np.asarray(polygon) for polygon in path.to_polygons()]


def _blurred(image: np.ndarray) -> np.ndarray:
    reach = np.arange(-3, 4)
    kernel = np.exp(-(reach**2) / (2 * _BLUR_PX**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = np.apply_along_axis(np.convolve, axis, image, kernel, "same")
    return image
