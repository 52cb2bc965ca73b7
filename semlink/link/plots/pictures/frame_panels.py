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

from semlink.errors import ScenarioError
from semlink.link.metrics.psnr_ssim import BEST_PSNR_DB, psnr_db
from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.pictures.crop import Crop, crop_at, telling_crop
from semlink.link.plots.style import PLAIN, Look, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Cell", "frames_figure"]

CELL = 256  # dots across one picture, about
GAP, MARGIN = 18, 16  # dots
DPI = 100
MAX_COLUMNS = 4
LEAST_CELL_IN = 1.5
FRAME = "#D55E00"


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture with the words above and below it.

    Attributes:
        picture: float (h, w) or, in colour, (h, w, 3) in [0, 1]; one of another size than the source (a reading) is
            stretched to it without blending; None stands for a scheme that sent nothing.
        caption: None becomes the PSNR against the source where the sizes agree.
        genie: it rests on knowledge that no receiver could have; its title is bold.
    """

    title: str
    picture: np.ndarray | None
    caption: str | None = None
    genie: bool = False


def frames_figure(
    cells: Sequence[Cell],
    *,
    motion: np.ndarray | None = None,
    at: tuple[int, int] | None = None,
    look: Look = PLAIN,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw 1 to any number of pictures of the same frame, the source first, with an enlarged detail below each.

    Args:
        motion: (h, w) absolute frame difference; draws the detail towards what moves, where one scheme stands alone.
        at: (x, y), the middle of the detail; else where schemes differ most.
        notes: what is said below all.
    Raises:
        ValueError: no cell, or a source that is no picture.
        ScenarioError: `at` is outside the frame.
    """
    if not cells or cells[0].picture is None or np.ndim(cells[0].picture) not in (2, 3):
        raise ValueError("frames_figure needs at least a source: float array (h, w) or (h, w, 3)")
    source = _picture(cells[0].picture, None)
    assert source is not None  # checked above
    shown = [
        Cell(cell.title, _picture(cell.picture, source.shape), _caption(source, cell), cell.genie) for cell in cells
    ]
    crop = _detail(source, [cell.picture for cell in shown[1:] if cell.picture is not None], motion, at)
    return picture(lambda: _figure(shown, crop, look, notes), look)


def _detail(
    source: np.ndarray, received: Sequence[np.ndarray], motion: np.ndarray | None, at: tuple[int, int] | None
) -> Crop:
    """The window to enlarge, so small that it can be enlarged at least twice."""
    scale, shrink = _scale(source.shape[1])
    sides = [max(8, scale * n // shrink // 2) for n in source.shape[:2]]
    largest = (sides[0], sides[1])
    if at is None:
        return telling_crop(_gray(source), motion, [_gray(found) for found in received], largest=largest)
    height, width = source.shape[:2]
    if not (0 <= at[0] < width and 0 <= at[1] < height):
        raise ScenarioError(f"at: got {at[0]},{at[1]}, expected a pixel of the frame, 0,0 to {width - 1},{height - 1}")
    return crop_at(*at, source.shape, largest=largest)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Sizes in dots; `dpi` makes the whole as wide as the look wants it."""

    columns: int
    scale: int
    shrink: int
    width: int
    height: int
    dpi: float
    line: int

    @property
    def across(self) -> int:
        return 2 * MARGIN + self.columns * self.width + (self.columns - 1) * GAP

    def letters(self, points: float, share: float = 0.55) -> int:
        """Of that size, in one line of a cell."""
        return int(self.width / (share * points / 72 * self.dpi))


def _grid(shape: tuple[int, ...], count: int, look: Look) -> _Grid:
    scale, shrink = _scale(shape[1])
    height, width = scale * (shape[0] // shrink), scale * (shape[1] // shrink)
    most = MAX_COLUMNS if look.width_in is None else max(1, min(MAX_COLUMNS, int(look.width_in / LEAST_CELL_IN)))
    columns = _columns(count, most)
    across = 2 * MARGIN + columns * width + (columns - 1) * GAP
    dpi = DPI if look.width_in is None else across / look.width_in
    return _Grid(columns, scale, shrink, width, height, dpi, round(1.36 * _points(look) / 72 * dpi))


def _points(look: Look) -> float:
    return min(8.5, look.text_pt) if look.width_in is None else look.text_pt


def _figure(cells: Sequence[Cell], crop: Crop, look: Look, notes: Sequence[str]) -> Figure:
    """Cells in a grid; every picture lands on whole dots, so nothing is resampled."""
    shape = () if cells[0].picture is None else cells[0].picture.shape
    grid, points = _grid(shape, len(cells), look), _points(look)
    zoom = max(1, min(grid.width // crop.width, grid.height // crop.height))
    lines = math.ceil(len(cells) / grid.columns)
    titles = [wrap(cell.title, grid.letters(points, 0.66 if cell.genie else 0.6)) for cell in cells]
    captions = [wrap(cell.caption, grid.letters(points)) if cell.caption else "" for cell in cells]
    foot = "\n".join(wrap(note, int((grid.across - 2 * MARGIN) / (0.55 * points / 72 * grid.dpi))) for note in notes)
    foot = foot if look.notes else ""
    title_height = grid.line * max(t.count("\n") + 1 for t in titles)
    caption_height = grid.line * max(c.count("\n") + 1 for c in captions)
    foot_height = grid.line * (foot.count("\n") + 1) + 6 if foot else 0
    cell_height = title_height + grid.height + 6 + zoom * crop.height + caption_height + 4
    down = 2 * MARGIN + lines * cell_height + (lines - 1) * GAP + foot_height
    figure = new_figure((grid.across / grid.dpi, down / grid.dpi), dots=grid.dpi)
    _text(figure, MARGIN, MARGIN, foot, points, va="bottom")
    for place, cell in enumerate(cells):
        line, column = divmod(place, grid.columns)
        left = MARGIN + column * (grid.width + GAP)
        top = down - MARGIN - line * (cell_height + GAP)
        weight = "bold" if cell.genie else "normal"
        _text(figure, left, top - title_height + 4, titles[place], points, va="bottom", weight=weight)
        low = top - title_height - grid.height
        if cell.picture is None:
            _box(figure, left, low, grid.width, grid.height, "#bbbbbb")
            middle = left + grid.width // 2, low + grid.height // 2
            _text(figure, *middle, f"not sent\n{captions[place]}", points, va="center", ha="center")
            continue
        _cell(figure, cell.picture, crop, left, low + grid.height, (grid, zoom))
        _text(figure, left, top - cell_height + caption_height - 4, captions[place], points, va="top")
    return figure


def _cell(figure: Figure, picture: np.ndarray, crop: Crop, left: int, top: int, sizes: tuple[_Grid, int]) -> None:
    """A picture with its window marked, and the window enlarged below it."""
    grid, zoom = sizes
    low = top - grid.height - 6 - zoom * crop.height
    _place(figure, _enlarge(_shrink(picture, grid.shrink), grid.scale), left, top - grid.height)
    _place(figure, _enlarge(crop.of(picture), zoom), left, low)
    ratio = grid.scale / grid.shrink
    mark = [round(ratio * n) for n in (crop.left, crop.top, crop.width, crop.height)]
    _box(figure, left + mark[0], top - mark[1] - mark[3], mark[2], mark[3], FRAME)
    _box(figure, left, low, zoom * crop.width, zoom * crop.height, FRAME)


def _place(figure: Figure, picture: np.ndarray, left: int, bottom: int) -> None:
    levels = np.rint(255 * picture[::-1]).astype(np.uint8)
    colours = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    figure.figimage(colours, left, bottom, origin="lower")


def _box(figure: Figure, left: int, bottom: int, width: int, height: int, colour: str) -> None:
    from matplotlib.patches import Rectangle

    across, down = figure.get_size_inches() * figure.dpi
    corner, size = (left / across, bottom / down), (width / across, height / down)
    figure.add_artist(
        Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.0, transform=figure.transFigure)
    )


def _text(
    figure: Figure,
    left: int,
    bottom: int,
    text: str,
    points: float,
    *,
    va: str,
    ha: str = "left",
    weight: str = "normal",
) -> None:
    across, down = figure.get_size_inches() * figure.dpi
    style: Any = {"va": va, "ha": ha, "weight": weight, "fontsize": points, "linespacing": 1.2}
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


def _caption(source: np.ndarray, cell: Cell) -> str:
    found = cell.picture
    if cell.caption is not None or found is None or found is source or np.shape(found) != source.shape:
        return cell.caption or ""
    quality = psnr_db(source, np.nan_to_num(np.asarray(found, np.float64), nan=0.5))
    return f"{quality:.2f} dB" if quality < BEST_PSNR_DB else "no error"


def _gray(frame: np.ndarray) -> np.ndarray:
    return frame if frame.ndim == 2 else frame.mean(2)


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


def _columns(count: int, most: int) -> int:
    """Up to `most` in a line, lines about equally full: of four 5 go 3 + 2, 6 go 3 + 3, 9 go 3 + 3 + 3."""
    lines = math.ceil(count / most)
    return math.ceil(count / lines)
