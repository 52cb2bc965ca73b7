"""Curves, panels and sheets: what a figure shows, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Ends = tuple[float, float]
"""The low and the high end of an interval; NaN where it is not known."""
UNKNOWN: Ends = (math.nan, math.nan)
COINCIDENT = 0.003  # of the quality range: closer curves cannot be told apart on paper


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a curve with the ends of its 95 % intervals over trials and over clips."""

    x: float
    y: float
    trials: Ends = UNKNOWN
    clips: Ends = UNKNOWN


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a panel, dots in order of `x`.

    Attributes:
        label: its scheme, or in sheets of one scheme its operating point.
        order: the place of its scheme among all schemes: fixes colour and marker through all panels.
        bound: what it is a bound on, '' for none (`labels.bound_words`).
        folder: the place of its results folder in an overlay; None for a lone folder.
        shade: replaces the colour by a place on a scale.
        spent: what `shade` stands for, lowest and highest.
    """

    label: str
    order: int
    dots: tuple[Dot, ...]
    bound: str = ""
    genie: str = ""
    folder: int | None = None
    shade: float | None = None
    spent: Ends = UNKNOWN

    @property
    def x(self) -> tuple[float, ...]:
        return tuple(dot.x for dot in self.dots)

    @property
    def y(self) -> tuple[float, ...]:
        return tuple(dot.y for dot in self.dots)


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One figure: panels that share their axes, and what must be said with them.

    Attributes:
        folders: names of the folders of an overlay.
        pixels: of a clip, where all rows agree on it.
        shade_label: what shades stand for; '' where colours tell schemes apart.
        zero: what a line at 0 stands for, the scheme that others are compared with; '' for no such line.
    """

    name: str
    panels: tuple[Panel, ...]
    xlabel: str
    ylabel: str
    notes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    log_x: bool = False
    log_y: bool = False
    pixels: float | None = None
    shade_label: str = ""
    zero: str = ""

    @property
    def curves(self) -> Iterator[Curve]:
        return (curve for panel in self.panels for curve in panel.curves)

    @property
    def dots(self) -> Iterator[Dot]:
        return (dot for curve in self.curves for dot in curve.dots)


def coincident(curves: Sequence[Curve], tolerance: float) -> tuple[tuple[int, ...], ...]:
    """Groups of curves (by index) whose points all lie within `tolerance` of each other; 0: of equal numbers alone."""
    groups: list[list[int]] = []
    for index, curve in enumerate(curves):
        home = next((g for g in groups if _same(curves[g[0]], curve, tolerance)), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    return tuple(tuple(g) for g in groups if len(g) > 1)


def spread(panels: Iterable[Panel]) -> float:
    """The range of all qualities, at least a tiny number."""
    found = [y for panel in panels for curve in panel.curves for y in curve.y]
    return max(max(found) - min(found), 1e-9) if found else 1.0


def quality_range(sheet: Sheet) -> Ends | None:
    """Limits of the quality axis where intervals would leave no room for the curves; None where all fits.

    An interval may reach beyond the curves by as much as the curves themselves span.
    """
    dots = list(sheet.dots)
    if not dots or sheet.log_y:
        return None
    zero = [0.0] if sheet.zero else []
    low, high = min([*zero, *(dot.y for dot in dots)]), max([*zero, *(dot.y for dot in dots)])
    ends = [end for dot in dots for end in (dot.trials, dot.clips) if math.isfinite(end[0])]
    lowest, highest = min([low, *(end[0] for end in ends)]), max([high, *(end[1] for end in ends)])
    span = high - low
    if span <= 0 or (low - lowest <= span and highest - high <= span):
        return None
    return max(lowest, low - 0.5 * span), min(highest, high + 0.5 * span)


def _same(one: Curve, other: Curve, tolerance: float) -> bool:
    if len(one.x) != len(other.x):
        return False
    aligned = all(math.isclose(a, b, rel_tol=0.01 if tolerance else 0.0) for a, b in zip(one.x, other.x))
    return aligned and all(abs(a - b) <= tolerance for a, b in zip(one.y, other.y))
