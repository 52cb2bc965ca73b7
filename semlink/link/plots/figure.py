"""Curves with their intervals, laid out as figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from semlink.link.plots.curves import COINCIDENT, Curve, Panel, Sheet, coincident, quality_range, spread
from semlink.link.plots.style import RC, line_style, new_figure, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.typing import ColorType

__all__ = ["sheet_figure"]

Box = tuple[float, float, float, float]  # left, bottom, width, height in parts of the figure
# inches
MARGIN, LEFT, RIGHT, SCALE, GAP, TITLE, TICKS, LINE = 0.14, 0.72, 0.24, 1.1, 0.2, 0.26, 0.5, 0.155
LETTER = 0.076  # width of a legend letter

PANEL_SIZES = {1: (5.6, 3.5), 2: (3.7, 2.9), 3: (2.95, 2.5)}


def sheet_figure(sheet: Sheet) -> Figure:
    """One sheet laid out as a figure in the house's look."""
    import matplotlib

    with matplotlib.rc_context(RC):
        return _figure(sheet)


def _figure(sheet: Sheet) -> Figure:
    """Panels on top, then the legend, then the notes; sizes in inches, bottom up."""
    columns = _columns(sheet)
    lines = math.ceil(len(sheet.panels) / columns)
    width, height = PANEL_SIZES[columns]
    side = SCALE if sheet.shade_label else RIGHT
    total = LEFT + columns * width + (columns - 1) * GAP + side
    figure = new_figure((total, 8.0))
    legend, legend_height = (None, 0.0) if sheet.shade_label else _legend(figure, sheet)
    notes = "\n".join(wrap(note, int(total * 15.5)) for note in sheet.notes)
    notes_height = LINE * (notes.count("\n") + 1) + 0.06 if notes else 0.0
    titles = [wrap(panel.title, int(9.5 * width / 0.75)) for panel in sheet.panels]
    title = TITLE + LINE * max((text.count("\n") for text in titles), default=0)
    base = MARGIN + notes_height + legend_height + TICKS
    tall = base + lines * (height + title) + (lines - 1) * 0.12 + (0.36 if _clip_axis(sheet) else 0.0)
    figure.set_size_inches(total, tall)
    figure.text(MARGIN / total, MARGIN / tall, notes, fontsize=7.5, color="#333333", va="bottom", linespacing=1.25)
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, (MARGIN + notes_height) / tall), transform=figure.transFigure)
    boxes = []
    for place in range(len(sheet.panels)):
        line, column = divmod(place, columns)
        bottom = base + (lines - 1 - line) * (height + title + 0.12)
        left = LEFT + column * (width + GAP)
        boxes.append((left / total, bottom / tall, width / total, height / tall))
    _panels(figure, sheet, boxes, titles)
    return figure


def _panels(figure: Figure, sheet: Sheet, boxes: Sequence[Box], titles: Sequence[str]) -> None:
    """Axes in their boxes, labels on the outer ones only."""
    first: Axes | None = None
    norm, columns = _shades(sheet), _columns(sheet)
    for place, (panel, box) in enumerate(zip(sheet.panels, boxes)):
        axes = figure.add_axes(box, sharex=first, sharey=first)
        first = first or axes
        _panel(axes, panel, sheet, norm)
        below = place + columns < len(sheet.panels)
        axes.tick_params(labelbottom=not below, labelleft=place % columns == 0)
        axes.set_xlabel("" if below else sheet.xlabel)
        axes.set_ylabel(sheet.ylabel if place % columns == 0 else "")
        axes.set_title(titles[place], loc="left")
    assert first is not None  # a sheet has panels
    _limits(first, sheet)
    if _clip_axis(sheet):
        _uses_per_clip(first, sheet)
    if norm is not None:
        _colour_bar(figure, sheet, boxes, norm)


def _panel(axes: Axes, panel: Panel, sheet: Sheet, norm: Normalize | None) -> None:
    """Bands first, then lines; coinciding curves as nested rings, the first one outermost."""
    import matplotlib

    sizes = dict.fromkeys(range(len(panel.curves)), 0)
    for group in coincident(panel.curves, COINCIDENT * spread(sheet.panels)):
        sizes.update({index: len(group) - 1 - place for place, index in enumerate(group)})
    for index, curve in enumerate(panel.curves):
        style = line_style(curve.order, bound=curve.bound, genie=bool(curve.genie))
        if norm is not None and curve.shade is not None:
            colour = matplotlib.colormaps["viridis"](0.9 * (1 - norm(curve.shade)))
            style |= {"color": colour, "markerfacecolor": colour, "markeredgecolor": colour, "linestyle": "-"}
        style["markersize"] += 3.2 * sizes[index]
        style["linewidth"] += 1.6 * sizes[index]
        _interval(axes, curve, style["color"], spread(sheet.panels))
        axes.plot(curve.x, curve.y, zorder=3 + index / 100, markevery=max(1, len(curve.x) // 12), **style)
    if not panel.curves:
        axes.text(0.5, 0.5, "nothing could be sent here", transform=axes.transAxes, ha="center", color="#555555")


def _interval(axes: Axes, curve: Curve, colour: ColorType, room: float) -> None:
    """A band along a line; bars at a lone point, and where bands wider than the `room` of all curves would hide it."""
    halves = [h if math.isfinite(h) else 0.0 for h in curve.half]
    if not any(halves):
        return
    if len(curve.x) == 1 or max(halves) > room:
        axes.errorbar(curve.x, curve.y, yerr=halves, color=colour, capsize=3.5, linewidth=1.1, fmt="none", zorder=2.5)
        return
    low = [y - h for y, h in zip(curve.y, halves)]
    high = [y + h for y, h in zip(curve.y, halves)]
    axes.fill_between(curve.x, low, high, color=colour, alpha=0.2, linewidth=0, zorder=2)


def _limits(axes: Axes, sheet: Sheet) -> None:
    """A scale that fits: logarithmic with plain numbers over a decade, wide enough for a lone point."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    xs = [x for panel in sheet.panels for curve in panel.curves for x in curve.x]
    if not xs:
        return
    limits = quality_range(sheet.panels)
    if limits is not None:
        axes.set_ylim(*limits)
    low, high = min(xs), max(xs)
    if sheet.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(low / (high / low) ** 0.06, high * (high / low) ** 0.06)
        return
    pad = 0.06 * (high - low) if high > 1.05 * low or low <= 0 else 0.25 * abs(high) or 1.0
    places = sorted(set(xs))
    decibels = sheet.xlabel.endswith("[dB]")
    if decibels and len(places) <= 14:
        axes.xaxis.set_major_locator(FixedLocator(places[:: math.ceil(len(places) / 7)]))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6 if _columns(sheet) < 3 else 5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlim(low - pad if decibels else max(low - pad, 0.0), high + pad)


def _uses_per_clip(axes: Axes, sheet: Sheet) -> None:
    """A second scale on top: the same cost in channel uses per clip."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    pixels = sheet.pixels or 1.0

    def per_clip(x):
        return x * pixels

    def per_pixel(x):
        return x / pixels

    top = axes.secondary_xaxis("top", functions=(per_clip, per_pixel))
    top.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if sheet.log_x else MaxNLocator(6))
    top.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", "\N{THIN SPACE}")))
    top.xaxis.set_minor_formatter(NullFormatter())
    top.set_xlabel("channel uses per clip")
    axes.spines["top"].set_visible(False)


def _legend(figure: Figure, sheet: Sheet) -> tuple[Legend | None, float]:
    """A legend below the panels, in as many columns as fit, and its height in inches."""
    from matplotlib.lines import Line2D

    shown: dict[int, Curve] = {}
    for panel in sheet.panels:
        for curve in panel.curves:
            shown.setdefault(curve.order, curve)
    curves = [shown[order] for order in sorted(shown)]
    if not curves:
        return None, 0.0
    handles = [Line2D([], [], **line_style(c.order, bound=c.bound, genie=bool(c.genie))) for c in curves]
    room = figure.get_size_inches()[0] - 2 * MARGIN
    renderer = _renderer(figure)
    longest = max(len(_label(c)) for c in curves)
    for columns in range(min(len(curves), 4), 0, -1):
        letters = int((room / columns - 0.55) / LETTER)
        if columns > 1 and letters < min(longest, 30):
            continue
        labels = [wrap(_label(c), letters) for c in curves]
        legend = figure.legend(handles, labels, ncols=columns, loc="lower center")
        for text, curve in zip(legend.get_texts(), curves):
            text.set_fontweight("bold" if curve.genie else "normal")
        box = legend.get_window_extent(renderer)
        if columns == 1 or box.width <= room * figure.dpi:
            break
        legend.remove()
    return legend, box.height / figure.dpi + 0.12


def _renderer(figure: Figure) -> RendererBase:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg(figure).get_renderer()


def _label(curve: Curve) -> str:
    marks = [f"genie: {curve.genie}"] if curve.genie else []
    marks += ["bound"] if curve.bound else []
    return curve.label + (f" ({'; '.join(marks)})" if marks else "")


def _shades(sheet: Sheet) -> Normalize | None:
    """The scale from cost to colour, logarithmic over a factor of three; None without one."""
    from matplotlib.colors import LogNorm, Normalize

    found = [c.shade for panel in sheet.panels for c in panel.curves if c.shade is not None]
    if not sheet.shade_label or not found:
        return None
    low, high = min(found), max(found)
    if high <= low:
        low, high = 0.8 * low, 1.25 * high
    return (LogNorm if low > 0 and high > 3 * low else Normalize)(low, high)


def _colour_bar(figure: Figure, sheet: Sheet, boxes: Sequence[Box], norm: Normalize) -> None:
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    colours = [matplotlib.colormaps["viridis"](0.9 * (1 - step / 255)) for step in range(256)]
    scale = ScalarMappable(norm, LinearSegmentedColormap.from_list("cost", colours))
    right = max(box[0] + box[2] for box in boxes)
    low, high = min(box[1] for box in boxes), max(box[1] + box[3] for box in boxes)
    width = figure.get_size_inches()[0]
    bar = figure.colorbar(scale, cax=figure.add_axes((right + 0.12 / width, low, 0.12 / width, high - low)))
    costs = sorted({c.shade for panel in sheet.panels for c in panel.curves if c.shade is not None})
    bar.ax.yaxis.set_major_locator(FixedLocator(costs[:: math.ceil(len(costs) / 8)]))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(sheet.shade_label)


def _clip_axis(sheet: Sheet) -> bool:
    return len(sheet.panels) == 1 and sheet.pixels is not None


def _columns(sheet: Sheet) -> int:
    """1, 2 or 3 panels side by side: 4 go two by two, 5 and 6 three by two."""
    count = len(sheet.panels)
    return 2 if count == 4 else min(count, 3)
