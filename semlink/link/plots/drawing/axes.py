"""One panel: intervals first, then lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from semlink.files import JsonDict
from semlink.link.plots.curves.model import COINCIDENT, Curve, Ends, Panel, Sheet, coincident, spread
from semlink.link.plots.style import Look, line_style, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.typing import ColorType

__all__ = ["ZERO", "draw_panel", "style_of"]

ZERO: JsonDict = {"color": "#555555", "linestyle": "-"}
"""The line that others are compared with."""
APART_PT = 1.5
"""Between the light lines of neighbouring schemes, in widths of a curve's line."""


def draw_panel(axes: Axes, panel: Panel, sheet: Sheet, look: Look, norm: Normalize | None) -> None:
    """Draw the curves; coinciding ones as nested rings, the first one outermost."""
    import matplotlib

    sizes = dict.fromkeys(range(len(panel.curves)), 0)
    for group in coincident(panel.curves, COINCIDENT * spread(sheet.panels)):
        sizes.update({index: len(group) - 1 - place for place, index in enumerate(group)})
    if sheet.zero:
        axes.axhline(0.0, linewidth=look.line_pt, zorder=1.5, **ZERO)
    for index, curve in enumerate(panel.curves):
        style = style_of(curve, look)
        if norm is not None and curve.shade is not None:
            colour = matplotlib.colormaps["viridis"](0.9 * (1 - norm(curve.shade)))
            style |= {"color": colour, "markerfacecolor": colour, "markeredgecolor": colour, "linestyle": "-"}
        style["markersize"] += 0.64 * look.marker_pt * sizes[index]
        style["linewidth"] += 1.07 * look.line_pt * sizes[index]
        _over_clips(axes, curve, style["color"], look, index - (len(panel.curves) - 1) / 2)
        band: JsonDict = {"room": spread(sheet.panels), "alpha": min(0.2, 0.7 / len(panel.curves))}
        _over_trials(axes, curve, style["color"], look, log=sheet.log_y, **band)
        _line(axes, curve, style, index, log=sheet.log_y)
    if not panel.curves:
        words = wrap("nothing could be sent here", 16)
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="#555555")


def style_of(curve: Curve, look: Look) -> dict:
    """How matplotlib draws a curve."""
    return line_style(curve.order, look, bound=curve.bound, genie=bool(curve.genie), marker=curve.folder)


def _line(axes: Axes, curve: Curve, style: dict, index: int, *, log: bool) -> None:
    """The curve; on a logarithmic axis it is broken where it is 0, and arrows stand there."""
    heights = [dot.y if not log or dot.y > 0 else math.nan for dot in curve.dots]
    axes.plot(curve.x, heights, zorder=3 + index / 100, markevery=max(1, len(heights) // 12), **style)
    for dot in curve.dots if log else ():
        if dot.y <= 0 < dot.trials[1]:
            arrow = {"arrowstyle": "-|>", "color": style["color"], "linewidth": 0.7 * style["linewidth"]}
            top = dot.trials[1]
            axes.annotate("", (dot.x, 0.45 * top), (dot.x, top), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})


def _over_trials(
    axes: Axes, curve: Curve, colour: ColorType, look: Look, *, room: float, alpha: float, log: bool
) -> None:
    """A band along a line; bars at a lone point, and where bands wider than the `room` of all curves would hide it."""
    ends = [dot.trials if math.isfinite(dot.trials[0]) else (dot.y, dot.y) for dot in curve.dots]
    widest = max(high - low for low, high in ends)
    if widest <= 0:
        return
    if log or len(curve.x) == 1 or widest > 2 * room:
        shown = [(d, e) for d, e in zip(curve.dots, ends) if not log or d.y > 0]
        reach = [[d.y - e[0] for d, e in shown], [e[1] - d.y for d, e in shown]]
        at = [d.x for d, _ in shown], [d.y for d, _ in shown]
        width = 0.73 * look.line_pt
        axes.errorbar(
            *at, yerr=reach, color=colour, capsize=2.3 * look.line_pt, linewidth=width, fmt="none", zorder=2.5
        )
        return
    low, high = zip(*ends)
    axes.fill_between(curve.x, low, high, color=colour, alpha=alpha, linewidth=0, zorder=2)


def _over_clips(axes: Axes, curve: Curve, colour: ColorType, look: Look, place: float) -> None:
    """Light lines beside the points, those of each scheme a little apart from the others'."""
    from matplotlib.transforms import ScaledTranslation

    ends: Sequence[tuple[float, Ends]] = [(dot.x, dot.clips) for dot in curve.dots if dot.clips[1] > dot.clips[0]]
    figure = axes.figure
    if not ends or figure is None:
        return
    aside = ScaledTranslation(place * APART_PT * look.line_pt / 72, 0, figure.dpi_scale_trans)
    lines = axes.vlines([x for x, _ in ends], [e[0] for _, e in ends], [e[1] for _, e in ends])
    lines.set(color=colour, alpha=0.3, linewidth=0.9 * look.line_pt, zorder=1.8, label="over clips")
    lines.set_transform(lines.get_transform() + aside)
