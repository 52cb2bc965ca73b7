"""How figures look: colours, markers, sizes, and a file that is the same each time."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlink.files import JsonDict, write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours without yellow, which fades on white; safe for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h", "*")

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.0,
    "legend.labelspacing": 0.4,
    "legend.handlelength": 2.8,
    "legend.columnspacing": 1.8,
    "svg.hashsalt": "semlink",
    "svg.fonttype": "path",
    "path.simplify": False,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
}

SAVED_DOTS = 200
"""Dots an inch in files."""


def line_style(order: int, *, bound: bool = False, genie: bool = False) -> JsonDict:
    """Colour, marker and line of the scheme at place `order`; bounds dashed with hollow markers.

    Colours repeat after seven schemes and markers after twelve; a repeated
    colour comes with a dash-dotted line.
    """
    colour = COLOURS[order % len(COLOURS)]
    line = "--" if bound else ("-", (0, (7, 1.6, 1.4, 1.6)), (0, (1.4, 1.4)))[(order // len(COLOURS)) % 3]
    return {
        "color": colour,
        "marker": MARKERS[order % len(MARKERS)],
        "linestyle": line,
        "linewidth": 2.2 if genie else 1.5,
        "markersize": 5.0,
        "markerfacecolor": "white" if bound else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 1.0,
    }


def wrap(text: str, width: int) -> str:
    """`text` in lines of at most `width` characters, dollar signs made harmless."""
    lines = textwrap.wrap(text, width, break_long_words=True) or [""]
    return "\n".join(lines).replace("$", r"\$")


def rendered(figure: Figure, kind: str) -> bytes:
    """`figure` as a PNG or SVG file; equal figures give equal bytes."""
    import matplotlib

    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    data = io.BytesIO()
    dots = "figure" if figure.images else SAVED_DOTS  # pictures on whole dots stay there
    with matplotlib.rc_context(RC):
        figure.savefig(data, format=kind, metadata=metadata, dpi=dots)
    return data.getvalue()


def save(figure: Figure, path: Path) -> Path:
    """Write `figure` in the format of the suffix.

    Raises:
        ResultsError: the file cannot be written.
    """
    write_atomic(path, rendered(figure, path.suffix.removeprefix(".")))
    return path


def new_figure(size: tuple[float, float], *, dots: float | None = None, layout: Any = None) -> Figure:
    """An empty figure of `size` inches that no window shows; a notebook shows it as a picture.

    Args:
        dots: an inch, on the screen and in files, for figures whose pictures lie on whole dots.
    """
    return _figure_class()(figsize=size, dpi=dots, layout=layout)


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class HouseFigure(Figure):
        """A figure that a notebook shows although pyplot doesn't know it."""

        def _repr_png_(self) -> bytes:
            return rendered(self, "png")

    return HouseFigure


def picture(figure_of: Callable[[], Figure]) -> Figure:
    """What `figure_of` draws, in the house's look."""
    import matplotlib

    with matplotlib.rc_context(RC):
        return figure_of()
