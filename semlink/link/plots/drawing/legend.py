"""The legend below the panels, and the scale of shades beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from semlink.files import JsonDict
from semlink.link.plots.curves.model import Curve, Sheet
from semlink.link.plots.drawing.axes import ZERO, style_of
from semlink.link.plots.style import MARKERS, Look, wrap

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

Entry = tuple[str, Any, bool]
"""Words, how it is drawn, and whether in bold."""
Box = tuple[float, float, float, float]  # left, bottom, width, height in parts of the figure
HANDLE = 3.6
"""A line with its gaps, in heights of a letter."""
MOST_TICKS = 8


def add_legend(figure: Figure, sheet: Sheet, look: Look, room_in: float) -> tuple[Legend | None, float]:
    """A legend in as many columns as fit, and its height in inches."""
    entries = [*_schemes(sheet, look), *_folders(sheet, look), *_zero(sheet, look)]
    if not entries:
        return None, 0.0
    renderer, longest = _renderer(figure), max(len(words) for words, _, _ in entries)
    for columns in range(min(len(entries), 4), 0, -1):
        letters = int((room_in / columns - HANDLE * look.text_pt / 72) / look.letter_in)
        if columns > 1 and letters < min(longest, 30):
            continue
        labels = [wrap(words, letters) for words, _, _ in entries]
        legend = figure.legend([handle for _, handle, _ in entries], labels, ncols=columns, loc="lower center")
        for text, (_, _, is_bold) in zip(legend.get_texts(), entries):
            text.set_fontweight("bold" if is_bold else "normal")
        box = legend.get_window_extent(renderer)
        if columns == 1 or box.width <= room_in * figure.dpi:
            break
        legend.remove()
    return legend, box.height / figure.dpi + 0.7 * look.line_in


def label_of(curve: Curve) -> str:
    """A scheme with what is out of the ordinary about it."""
    marks = [f"genie: {curve.genie}"] if curve.genie else []
    marks += [curve.bound] if curve.bound else []
    return curve.label + (f" ({'; '.join(marks)})" if marks else "")


def shades(sheet: Sheet) -> Normalize | None:
    """The scale from cost to colour, logarithmic over a factor of three; None without one."""
    from matplotlib.colors import LogNorm, Normalize

    found = [c.shade for c in sheet.curves if c.shade is not None]
    if not sheet.shade_label or not found:
        return None
    low, high = min(found), max(found)
    if high <= low:
        low, high = 0.8 * low, 1.25 * high
    return (LogNorm if low > 0 and high > 3 * low else Normalize)(low, high)


def add_colour_bar(figure: Figure, sheet: Sheet, look: Look, boxes: Sequence[Box], norm: Normalize) -> None:
    """The scale with a tick for each curve: what it costs, from the least to the most where that differs by SNR."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    colours = [matplotlib.colormaps["viridis"](0.9 * (1 - step / 255)) for step in range(256)]
    scale = ScalarMappable(norm, LinearSegmentedColormap.from_list("cost", colours))
    right = max(box[0] + box[2] for box in boxes)
    low, high = min(box[1] for box in boxes), max(box[1] + box[3] for box in boxes)
    width = figure.get_size_inches()[0]
    bar = figure.colorbar(scale, cax=figure.add_axes((right + 0.12 / width, low, 0.12 / width, high - low)))
    spent = sorted({(c.shade, *c.spent) for c in sheet.curves if c.shade is not None})
    spent = spent[:: math.ceil(len(spent) / MOST_TICKS)]
    bar.ax.yaxis.set_major_locator(FixedLocator([shade for shade, _, _ in spent]))
    bar.ax.yaxis.set_major_formatter(FixedFormatter([_range(low, high) for _, low, high in spent]))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(sheet.shade_label)


def shade_room(sheet: Sheet, look: Look) -> float:
    """Inches that the scale of shades takes at the right."""
    longest = max((len(_range(*c.spent)) for c in sheet.curves if c.shade is not None), default=0)
    return 0.3 + longest * look.letter_in + 1.6 * look.line_in


def _range(low: float, high: float) -> str:
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"


def _schemes(sheet: Sheet, look: Look) -> list[Entry]:
    """A line for each scheme: its words, how it is drawn, and whether in bold."""
    from matplotlib.lines import Line2D

    shown: dict[int, Curve] = {}
    for curve in sheet.curves:
        shown.setdefault(curve.order, curve)
    found: list[Entry] = []
    for order in sorted(shown):
        style = style_of(shown[order], look)
        if sheet.folders:
            style["marker"] = ""
        found.append((label_of(shown[order]), Line2D([], [], **style), bool(shown[order].genie)))
    return found


def _folders(sheet: Sheet, look: Look) -> list[Entry]:
    from matplotlib.lines import Line2D

    shown = sorted({curve.folder for curve in sheet.curves if curve.folder is not None})
    style: JsonDict = {"color": "#555555", "linestyle": "", "markersize": look.marker_pt}
    return [(sheet.folders[n], Line2D([], [], marker=MARKERS[n % len(MARKERS)], **style), False) for n in shown]


def _zero(sheet: Sheet, look: Look) -> list[Entry]:
    from matplotlib.lines import Line2D

    line = Line2D([], [], **ZERO, linewidth=look.line_pt)
    return [(f"{sheet.zero} (reference)", line, False)] if sheet.zero else []


def _renderer(figure: Figure) -> RendererBase:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure).get_renderer()
