"""A quality over the SNR: a panel for each channel and budget; for own rates a panel for each scheme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from semlink.link.plots.curves.model import UNKNOWN, Curve, Ends, Panel, Sheet
from semlink.link.plots.curves.notes import BUDGET_PANELS, SCHEME_PANELS, notes
from semlink.link.plots.curves.panels import MAX_PANELS
from semlink.link.plots.curves.scene import Scene
from semlink.link.results.finished import FinishedPoint
from semlink.link.results.labels import COST_NAMES, SNR_NAME
from semlink.link.results.rows import cost_column, only_senses, value

__all__ = ["snr_sheets"]


def snr_sheets(scene: Scene) -> Iterator[Sheet]:
    """Nothing where only one SNR was run."""
    sent = [p for p in scene.points if not only_senses(p.row)]
    if len({p.row.snr_db for p in sent if p.row.snr_db is not None}) < 2:
        return
    own = [p for p in sent if p.row.budget is None and p.row.rate is not None]
    rest = [p for p in sent if p.row.budget is not None or p.row.rate is None]
    if rest:
        yield _over_budgets(scene.of(rest))
    if own:
        yield _own_rates(scene.of(own), "_rates" if rest else "")


def _snr(point: FinishedPoint) -> float | None:
    return point.row.snr_db


def _over_budgets(scene: Scene) -> Sheet:
    kept, left = scene.panels(lambda p: p.row.budget, _snr)
    channels = len({channel for channel, _ in [*kept, *left]})
    panels = []
    for channel, budget in kept:
        parts = [channel] if channels > 1 else []
        parts += [f"budget {budget:g} uses per pixel"] if budget is not None else []
        here = [p for p in scene.points if (p.row.channel, p.row.budget) == (channel, budget)]
        panels.append(Panel(", ".join(parts), scene.curves(here, _snr)))
    return notes(_sheet(scene, panels, ""), scene, left, BUDGET_PANELS)


def _own_rates(scene: Scene, suffix: str) -> Sheet:
    """A panel for each scheme; its curves are shaded by what they cost."""
    cost = cost_column(p.row for p in scene.points)
    keys = list(dict.fromkeys((p.row.channel, p.row.scheme) for p in scene.points))
    channels = len({channel for channel, _ in keys})
    panels = []
    for channel, scheme in keys[:MAX_PANELS]:
        mine = [p for p in scene.points if (p.row.channel, p.row.scheme) == (channel, scheme)]
        curves = []
        for place, rate in enumerate(sorted({p.row.rate for p in mine if p.row.rate is not None})):
            line = [p for p in mine if p.row.rate == rate]
            spent = _spent(line, cost)
            shade = None if math.isnan(spent[0]) else math.sqrt(spent[0] * spent[1])
            curves += [
                Curve(f"{rate:g}", place, c.dots, c.bound, c.genie, None, shade, spent)
                for c in scene.curves(line, _snr)
            ]
        title = scheme + (f", {channel}" if channels > 1 else "")
        title += f" (genie: {mine[0].row.genie})" if mine[0].row.genie else ""
        panels.append(Panel(title, tuple(curves)))
    sheet = _sheet(scene, panels, suffix, COST_NAMES[cost])
    return notes(sheet, scene, keys[MAX_PANELS:], SCHEME_PANELS)


def _spent(points: Sequence[FinishedPoint], cost: str) -> Ends:
    """The least and the most that a point of a curve costs."""
    costs = [found for p in points if (found := value(p.row, cost)) is not None]
    return (min(costs), max(costs)) if costs else UNKNOWN


def _sheet(scene: Scene, panels: Sequence[Panel], suffix: str, shade_label: str = "") -> Sheet:
    return Sheet(
        name=f"{scene.quantity.stem}_vs_snr{suffix}",
        panels=tuple(panels),
        xlabel=f"{SNR_NAME} [dB]",
        ylabel=scene.quantity.label,
        folders=() if shade_label else scene.folders,
        log_y=scene.quantity.log,
        shade_label=shade_label,
        zero=scene.quantity.zero,
    )
