"""The points of a figure with what is drawn of them, gathered once for all its panels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from semlink.link.plots.choice import View, chosen
from semlink.link.plots.curves.model import Curve, Dot
from semlink.link.plots.curves.panels import MAX_PANELS, informative
from semlink.link.plots.curves.quantity import Quantity
from semlink.link.plots.style import COLOURS
from semlink.link.results.finished import FinishedPoint, FinishedRun

__all__ = ["Key", "Scene", "scene"]

Key = tuple[str, float | str | None]
"""What a panel shows: a channel, and an SNR, a budget or a scheme."""
Number = Callable[[FinishedPoint], float | None]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn.

    Attributes:
        orders: the place of each scheme, by the name that its own folder has for it.
        folders: of an overlay, in order.
        bounds: by the scheme, what a bound is one on.
    """

    points: tuple[FinishedPoint, ...]
    quantity: Quantity
    orders: Mapping[str, int]
    folders: tuple[str, ...] = ()
    bounds: Mapping[str, str] = field(default_factory=dict)
    view: View = View()

    def of(self, points: Iterable[FinishedPoint]) -> Scene:
        """The same with these points alone."""
        return replace(self, points=tuple(points))

    def curves(self, points: Iterable[FinishedPoint], x: Number) -> tuple[Curve, ...]:
        """A curve for each scheme, and each folder, over what can be drawn of `points`."""
        groups: dict[tuple[int, str], list[FinishedPoint]] = {}
        for point in points:
            groups.setdefault((self.orders[point.scheme], point.row.scheme), []).append(point)
        curves = []
        for (order, name), mine in sorted(groups.items(), key=lambda item: item[0][0]):
            dots = sorted((dot for p in mine if (dot := self._dot(p, x)) is not None), key=lambda dot: dot.x)
            if not dots:
                continue
            origin = mine[0].origin
            bound = self.bounds.get(name, "bound") if any(p.row.bound for p in mine) else ""
            genie = next((p.row.genie for p in mine if p.row.genie), "")
            folder = self.folders.index(origin) if origin in self.folders else None
            curves.append(Curve(mine[0].scheme, order, tuple(dots), bound, genie, folder))
        return tuple(curves)

    def panels(self, number: Number, place: Number) -> tuple[list[Key], list[Key]]:
        """The panels that are drawn, by channel and number, and those for which there is no room.

        Args:
            place: where on the axis a point meets those of other schemes.
        """
        keys = list(dict.fromkeys((p.row.channel, number(p)) for p in self.points))
        channels = list(dict.fromkeys(channel for channel, _ in keys))
        kept: list[Key] = []
        for channel in channels[:MAX_PANELS]:
            mine = [n for c, n in keys if c == channel]
            levels = [n for n in mine if n is not None]
            share = MAX_PANELS // min(len(channels), MAX_PANELS)
            shown = informative(levels, self._table(channel, number, place), share) if levels else ()
            kept += [(channel, None)] if None in mine else []
            kept += [(channel, level) for level in shown]
        return kept, [key for key in keys if key not in kept]

    def drawable(self, point: FinishedPoint) -> bool:
        return self.quantity.read(point) is not None

    def _table(self, channel: str, number: Number, place: Number) -> dict[float, dict]:
        """By number, what honest schemes have at each place of the axis."""
        table: dict[float, dict] = {}
        for point in self.points:
            level, read = number(point), self.quantity.read(point)
            if point.row.channel == channel and level is not None and read is not None and not point.row.bound:
                y = math.log10(max(read.y, 1e-6)) if self.quantity.log else read.y
                table.setdefault(level, {})[point.row.scheme, place(point)] = y
        return table

    def _dot(self, point: FinishedPoint, x: Number) -> Dot | None:
        at, read = x(point), self.quantity.read(point)
        return None if at is None or read is None else Dot(at, read.y, read.trials, read.clips)


def scene(run: FinishedRun, quantity: Quantity, view: View) -> Scene:
    """What of a run is drawn; a scheme keeps its colour whatever else is chosen, unless two would share one.

    Raises:
        ScenarioError: a choice that leads to nothing.
    """
    shown = chosen(run, view.choice)
    folders = tuple(dict.fromkeys(p.origin for p in run.points if p.origin))
    return Scene(shown.points, quantity, _orders(run.points, shown.points), folders, run.bounds, view)


def _orders(points: Sequence[FinishedPoint], shown: Sequence[FinishedPoint]) -> dict[str, int]:
    places = {name: place for place, name in enumerate(dict.fromkeys(p.scheme for p in points))}
    names = list(dict.fromkeys(p.scheme for p in shown))
    if len({places[name] % len(COLOURS) for name in names}) < len(names) <= len(COLOURS):
        return {name: place for place, name in enumerate(names)}
    return {name: places[name] for name in names}
