"""One frame, side by side: the source, the reading, what each scheme made of it.

Pixels are shown as they are: whole-number enlargement, never a blend of
neighbours. Below each frame stands its most telling detail, enlarged, and
what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.link.metrics.psnr_ssim import BEST_PSNR_DB, psnr_db
from semlink.link.plots.style import new_figure, picture, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Crop", "frames_figure", "telling_crop"]

CELL = 256  # dots across one picture, about
GAP, MARGIN, LINE = 18, 16, 16  # dots
DPI = 100
MAX_COLUMNS = 4
FRAME = "#D55E00"


@dataclass(frozen=True, slots=True)
class Crop:
    """A window into a frame, in its own pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, frame: np.ndarray) -> np.ndarray:
        """The part of `frame` (h, w) under the window."""
        return frame[self.top : self.top + self.height, self.left : self.left + self.width]


def frames_figure(
    panels: Sequence[tuple[str, np.ndarray | None, str | None]], *, motion: np.ndarray | None = None
) -> Figure:
    """Draw 1 to any number of pictures of the same frame with an enlarged detail below each.

    Args:
        panels: (title, picture, caption). The first picture is the source,
            float (h, w) or, in colour, (h, w, 3) in [0, 1]; one of another size
            (a reading) is stretched to it without blending; None stands for a scheme that
            sent nothing. A caption of None becomes the PSNR against the
            source where the sizes agree.
        motion: (h, w) absolute frame difference; draws the detail towards what moves.
    Raises:
        ValueError: no panel, or a source that is no picture.
    """
    if not panels or panels[0][1] is None or np.ndim(panels[0][1]) not in (2, 3):
        raise ValueError("frames_figure needs at least a source: (title, float array (h, w) or (h, w, 3), caption)")
    source = _picture(panels[0][1], None)
    assert source is not None  # checked above
    scale, shrink = _scale(source.shape[1])
    sides = [max(8, scale * n // shrink // 2) for n in source.shape[:2]]  # so that it can be enlarged at least twice
    crop = telling_crop(source if source.ndim == 2 else source.mean(2), motion, largest=(sides[0], sides[1]))
    cells = [(title, _picture(found, source.shape), _caption(source, found, note)) for title, found, note in panels]
    return picture(lambda: _figure(cells, crop))


def telling_crop(
    frame: np.ndarray, motion: np.ndarray | None = None, *, largest: tuple[int, int] = (2**30, 2**30)
) -> Crop:
    """The window, a quarter of the frame each way, with most edges, the moving ones counting more.

    Windows have at most `largest` rows and columns and lie on a grid of a quarter of their own size.
    """
    height, width = (min(n, most, max(8, round(n / 4))) for n, most in zip(frame.shape, largest))
    rows, columns = np.gradient(np.asarray(frame, np.float64)) if min(frame.shape) > 1 else (frame, frame)
    interest = np.hypot(rows, columns)
    if motion is not None and np.any(motion > 0):
        interest = interest * (0.25 + motion / motion.mean()).clip(max=8.0)
    table = np.pad(interest.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops = range(0, frame.shape[0] - height + 1, max(1, height // 4))
    lefts = range(0, frame.shape[1] - width + 1, max(1, width // 4))

    def inside(top: int, left: int) -> float:
        low, right = top + height, left + width
        return table[low, right] - table[top, right] - table[low, left] + table[top, left]

    top, left = max(((t, c) for t in tops for c in lefts), key=lambda place: inside(*place))
    return Crop(top, left, height, width)


def _figure(cells: Sequence[tuple[str, np.ndarray | None, str]], crop: Crop) -> Figure:
    """Cells (the source first) in a grid; every picture lands on whole dots, so nothing is resampled."""
    shape = () if cells[0][1] is None else cells[0][1].shape
    scale, shrink = _scale(shape[1])
    height, width = scale * (shape[0] // shrink), scale * (shape[1] // shrink)
    zoom = max(1, min(width // crop.width, height // crop.height))
    columns = _columns(len(cells))
    lines = math.ceil(len(cells) / columns)
    letters, bold = int(width / 6.4), int(width / 8)
    titles = [wrap(title, bold) for title, _, _ in cells]
    captions = [wrap(caption, letters) if caption else "" for _, _, caption in cells]
    title_height = LINE * max(t.count("\n") + 1 for t in titles)
    caption_height = LINE * max(c.count("\n") + 1 for c in captions)
    cell_height = title_height + height + 6 + zoom * crop.height + caption_height + 4
    across = 2 * MARGIN + columns * width + (columns - 1) * GAP
    down = 2 * MARGIN + lines * cell_height + (lines - 1) * GAP
    figure = new_figure((across / DPI, down / DPI), dots=DPI)
    for place, (_, shown, _) in enumerate(cells):
        line, column = divmod(place, columns)
        left = MARGIN + column * (width + GAP)
        top = down - MARGIN - line * (cell_height + GAP)
        _text(figure, left, top - title_height + 4, titles[place], va="bottom", weight="bold")
        low = top - title_height - height
        if shown is None:
            _box(figure, left, low, width, height, "#bbbbbb")
            text = f"not sent\n{captions[place]}"
            _text(figure, left + width // 2, low + height // 2, text, va="center", ha="center")
            continue
        _cell(figure, shown, crop, left, low + height, (height, width, scale, shrink, zoom))
        _text(figure, left, top - cell_height + caption_height - 4, captions[place], va="top")
    return figure


def _cell(figure: Figure, picture: np.ndarray, crop: Crop, left: int, top: int, sizes: tuple[int, ...]) -> None:
    """A picture with its window marked, and the window enlarged below it."""
    height, width, scale, shrink, zoom = sizes
    low = top - height - 6 - zoom * crop.height
    _place(figure, _enlarge(_shrink(picture, shrink), scale), left, top - height)
    _place(figure, _enlarge(crop.of(picture), zoom), left, low)
    ratio = scale / shrink
    mark = [round(ratio * n) for n in (crop.left, crop.top, crop.width, crop.height)]
    _box(figure, left + mark[0], top - mark[1] - mark[3], mark[2], mark[3], FRAME)
    _box(figure, left, low, zoom * crop.width, zoom * crop.height, FRAME)


def _place(figure: Figure, picture: np.ndarray, left: int, bottom: int) -> None:
    levels = np.rint(255 * picture[::-1]).astype(np.uint8)
    colours = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    figure.figimage(colours, left, bottom, origin="lower")


def _box(figure: Figure, left: int, bottom: int, width: int, height: int, colour: str) -> None:
    from matplotlib.patches import Rectangle

    across, down = figure.get_size_inches() * DPI
    corner, size = (left / across, bottom / down), (width / across, height / down)
    figure.add_artist(
        Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.0, transform=figure.transFigure)
    )


def _text(
    figure: Figure, left: int, bottom: int, text: str, *, va: str, ha: str = "left", weight: str = "normal"
) -> None:
    across, down = figure.get_size_inches() * DPI
    style: Any = {"va": va, "ha": ha, "weight": weight, "fontsize": 8.5, "linespacing": 1.2}
    figure.text(left / across, bottom / down, text, **style)


def _picture(found: np.ndarray | None, shape: tuple[int, ...] | None) -> np.ndarray | None:
    """float64 (h, w) or (h, w, 3) in [0, 1], stretched to `shape` by repeating; what is no number is mid-gray."""
    if found is None:
        return None
    picture = np.nan_to_num(np.asarray(found, np.float64), nan=0.5, posinf=1.0, neginf=0.0).clip(0.0, 1.0)
    if shape is None or picture.shape[:2] == shape[:2]:
        return picture
    rows = np.arange(shape[0]) * picture.shape[0] // shape[0]
    columns = np.arange(shape[1]) * picture.shape[1] // shape[1]
    return picture[rows[:, None], columns[None, :]]


def _caption(source: np.ndarray, found: np.ndarray | None, note: str | None) -> str:
    if note is not None or found is None or found is source or np.shape(found) != source.shape:
        return note or ""
    quality = psnr_db(source, np.nan_to_num(np.asarray(found, np.float64), nan=0.5))
    return f"{quality:.2f} dB" if quality < BEST_PSNR_DB else "no error"


def _scale(width: int) -> tuple[int, int]:
    """Whole-number enlargement and reduction that bring `width` near a cell's."""
    return max(1, round(CELL / width)), max(1, round(width / (1.6 * CELL)))


def _shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means over `factor` x `factor` pixels."""
    height, width = (n // factor for n in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, *picture.shape[2:])
    return blocks.mean(axis=(1, 3))


def _enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _columns(count: int) -> int:
    """Up to four in a line, lines about equally full: 5 go 3 + 2, 6 go 3 + 3, 9 go 3 + 3 + 3."""
    lines = math.ceil(count / MAX_COLUMNS)
    return math.ceil(count / lines)
