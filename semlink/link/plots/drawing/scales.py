"""Axes: limits that fit what is drawn, and ticks that fit the room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from semlink.link.plots.curves.model import Sheet, quality_range
from semlink.link.plots.style import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

STEPS = ((1, 2, 5), (1, 3), (1,))
"""Ticks of a decade: the first that have room."""
LEAST_RATE = 1e-7
MOST_TICKS = 14
"""Up to as many SNRs have a tick each, where there is room."""
LETTERS = 6
"""Of a tick's label with the gap to the next one."""


def set_limits(axes: Axes, sheet: Sheet, look: Look, width_in: float) -> None:
    """Scales of all panels: logarithmic with plain numbers over a decade, wide enough for a lone point."""
    xs = [dot.x for dot in sheet.dots]
    if not xs:
        return
    _upwards(axes, sheet)
    low, high, room = min(xs), max(xs), max(2, int(width_in / (LETTERS * look.letter_in)))
    if sheet.log_x:
        axes.set_xscale("log")
        ends = low / (high / low) ** 0.06, high * (high / low) ** 0.06
        plain_log_ticks(axes.xaxis, *ends, room)
        axes.set_xlim(*ends)
        return
    _sideways(axes, sheet, room, look.letter_in / width_in)


def plain_log_ticks(axis: Axis, low: float, high: float, room: int, form: str = "{:g}") -> None:
    """Ticks of a logarithmic axis as plain numbers, as many as have room."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in STEPS:
        places = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(places) <= room:
            break
    if len(places) < 2:
        places = [p for p in (s * 10.0**d for d in decades for s in STEPS[0]) if low <= p <= high]
    axis.set_major_locator(FixedLocator(places[:: max(1, math.ceil(len(places) / room))]))
    axis.set_major_formatter(FuncFormatter(lambda x, _: form.format(x)))
    axis.set_minor_locator(LogLocator(subs=range(1, 10)))
    axis.set_minor_formatter(NullFormatter())


def per_clip_scale(axes: Axes, sheet: Sheet, look: Look, width_in: float) -> None:
    """A second scale on top: the same cost in channel uses per clip."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    pixels = sheet.pixels or 1.0

    def per_clip(x):
        return x * pixels

    def per_pixel(x):
        return x / pixels

    top = axes.secondary_xaxis("top", functions=(per_clip, per_pixel))
    low, high = axes.get_xlim()
    room = max(2, int(width_in / ((LETTERS + 3) * look.letter_in)))
    if sheet.log_x:
        plain_log_ticks(top.xaxis, low * pixels, high * pixels, room)
    else:
        top.xaxis.set_major_locator(MaxNLocator(room))
    top.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", "\N{THIN SPACE}")))
    top.set_xlabel("channel uses per clip")
    axes.spines["top"].set_visible(False)


def _sideways(axes: Axes, sheet: Sheet, room: int, letter: float) -> None:
    """A linear scale; SNRs have a tick each, as far as labels have room.

    Args:
        letter: its width in parts of the panel.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    places = sorted({dot.x for dot in sheet.dots})
    low, high = places[0], places[-1]
    pad = 0.06 * (high - low) if high > 1.05 * low or low <= 0 else 0.25 * abs(high) or 1.0
    decibels = sheet.xlabel.endswith("[dB]")
    if decibels and len(places) <= MOST_TICKS:
        apart = (max(len(f"{place:g}") for place in places) + 1) * letter * (high - low + 2 * pad)
        kept = places[:1]
        for place in places[1:]:
            if place - kept[-1] >= apart:
                kept.append(place)
        axes.xaxis.set_major_locator(FixedLocator(kept))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(min(room, 6), steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlim(low - pad if decibels else max(low - pad, 0.0), high + pad)


def _upwards(axes: Axes, sheet: Sheet) -> None:
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

    limits = quality_range(sheet)
    if limits is not None:
        axes.set_ylim(*limits)
    if not sheet.log_y:
        return
    ends = [end for dot in sheet.dots for end in (dot.y, *dot.trials) if math.isfinite(end) and end > 0]
    low = 10 ** math.floor(math.log10(max(min(ends, default=0.1), LEAST_RATE)) + 1e-9)
    axes.set_yscale("log")
    axes.set_ylim(low, max([1.0, *ends]) * 1.3)
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=True))
    axes.yaxis.set_minor_formatter(NullFormatter())
