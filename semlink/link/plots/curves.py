"""Rows sorted into curves and panels: what a figure shows, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from semlink.link.metrics.registry import PSNR, Metric
from semlink.link.results.labels import COST_NAMES, SNR_NAME, schemes_of
from semlink.link.results.rows import Row, by_cost, cost_column, only_senses, value

SHEETS = ("cost", "readings", "snr", "snr_rates")
"""What a metric is drawn over, as files are named."""
MAX_PANELS = 6
MAX_NOTES = 6  # schemes with points left out, each in a line
COINCIDENT = 0.003  # of the quality range: closer curves cannot be told apart on paper


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a panel, points in order of `x`.

    `order` is the place of its scheme among all schemes: it fixes colour and
    marker through all panels. `half` is the half width of the 95 % interval,
    NaN where none is known. `shade` replaces the colour by a place on a scale.
    """

    label: str
    order: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    half: tuple[float, ...]
    bound: bool = False
    genie: str = ""
    shade: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One figure: panels that share their axes, and what must be said below them."""

    name: str
    panels: tuple[Panel, ...]
    xlabel: str
    ylabel: str
    notes: tuple[str, ...]
    log_x: bool = False
    pixels: float | None = None
    shade_label: str = ""
    schemes: tuple[str, ...] = ()


def cost_sheets(rows: Sequence[Row], metric: Metric = PSNR) -> tuple[Sheet, ...]:
    """Quality over cost, a panel per channel and SNR; what only senses beside others has a sheet of its own."""
    kinds = by_cost(rows)
    names = ["cost", "readings"] if len(kinds) > 1 else ["cost"]
    found = [_cost_sheet(rows, cost, mine, metric, name) for (cost, mine), name in zip(kinds, names)]
    return tuple(sheet for sheet in found if len(kinds) == 1 or any(panel.curves for panel in sheet.panels))


def _cost_sheet(rows: Sequence[Row], cost: str, mine: Sequence[Row], metric: Metric, name: str) -> Sheet:
    """Of `mine`, whose cost is counted in `cost`; colours go by all `rows`."""
    keys = list(dict.fromkeys((r.channel, r.snr_db) for r in mine))
    kept = _thin(sorted(keys, key=_snr_within_channel(keys)))
    channels = len({channel for channel, _ in keys})
    panels = []
    for channel, snr_db in kept:
        here = [r for r in mine if (r.channel, r.snr_db) == (channel, snr_db)]
        parts = [channel] if channels > 1 else []
        parts += (
            [f"{SNR_NAME}\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{snr_db:g}\N{NO-BREAK SPACE}dB"]
            if snr_db is not None
            else []
        )
        panels.append(Panel(", ".join(parts), _curves(rows, here, metric, lambda r: value(r, cost))))
    costs = [x for panel in panels for curve in panel.curves for x in curve.x]
    return Sheet(
        name=f"{stem(metric)}_vs_{name}",
        panels=tuple(panels),
        xlabel=COST_NAMES[cost],
        ylabel=metric.label,
        notes=_notes(mine, panels, metric, len(keys), "SNR and channel"),
        log_x=bool(costs) and min(costs) > 0 and max(costs) > 10 * min(costs),
        pixels=_pixels(mine) if cost == "channel_uses_per_pixel" else None,
        schemes=schemes_of(rows),
    )


def snr_sheets(rows: Sequence[Row], metric: Metric = PSNR) -> tuple[Sheet, ...]:
    """Quality over SNR: a panel per channel and budget; for own rates a panel per scheme.

    Nothing where only one SNR was run.
    """
    if len({r.snr_db for r in rows if r.snr_db is not None}) < 2:
        return ()
    sent = [r for r in rows if not only_senses(r)]
    own = [r for r in sent if r.budget is None and r.rate is not None]
    rest = [r for r in sent if r.budget is not None or r.rate is None]
    sheets = []
    if rest:
        sheets.append(_budget_sheet(rows, rest, metric))
    if own:
        sheets.append(_rate_sheet(rows, own, metric, "_rates" if rest else ""))
    return tuple(sheets)


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


def quality_range(panels: Iterable[Panel]) -> tuple[float, float] | None:
    """Limits of the quality axis where bands would leave no room for the curves; None where all fits.

    A band may reach beyond the curves by as much as the curves themselves span.
    """
    points = [(y, h) for panel in panels for c in panel.curves for y, h in zip(c.y, c.half)]
    if not points:
        return None
    low, high = min(y for y, _ in points), max(y for y, _ in points)
    reach = [h if math.isfinite(h) else 0.0 for _, h in points]
    lowest = min(y - h for (y, _), h in zip(points, reach))
    highest = max(y + h for (y, _), h in zip(points, reach))
    span = high - low
    if span <= 0 or (low - lowest <= span and highest - high <= span):
        return None
    return max(lowest, low - 0.5 * span), min(highest, high + 0.5 * span)


def _budget_sheet(rows: Sequence[Row], here: Sequence[Row], metric: Metric) -> Sheet:
    keys = list(dict.fromkeys((r.channel, r.budget) for r in here))
    kept = _thin(sorted(keys, key=_snr_within_channel(keys)))
    channels = len({channel for channel, _ in keys})
    panels = []
    for channel, budget in kept:
        parts = [channel] if channels > 1 else []
        parts += [f"{budget:g} uses per pixel"] if budget is not None else []
        group = [r for r in here if (r.channel, r.budget) == (channel, budget)]
        panels.append(Panel(", ".join(parts), _curves(rows, group, metric, lambda r: r.snr_db)))
    return Sheet(
        name=f"{stem(metric)}_vs_snr",
        panels=tuple(panels),
        xlabel=f"{SNR_NAME} [dB]",
        ylabel=metric.label,
        notes=_notes(here, panels, metric, len(keys), "budget and channel"),
        schemes=schemes_of(rows),
    )


def _rate_sheet(rows: Sequence[Row], here: Sequence[Row], metric: Metric, suffix: str) -> Sheet:
    """A panel per scheme; its curves are shaded by what they cost."""
    cost = cost_column(here)
    keys = list(dict.fromkeys((r.channel, r.scheme) for r in here))
    channels = len({channel for channel, _ in keys})
    panels = []
    for channel, scheme in _thin(keys):
        group = [r for r in here if (r.channel, r.scheme) == (channel, scheme)]
        curves = []
        for place, rate in enumerate(sorted({r.rate for r in group if r.rate is not None})):
            line = [r for r in group if r.rate == rate]
            costs = [c for c in (value(r, cost) for r in line) if c is not None]
            shade = sum(costs) / len(costs) if costs else None
            curves += [
                Curve(f"{rate:g}", place, c.x, c.y, c.half, c.bound, c.genie, shade)
                for c in _curves(rows, line, metric, lambda r: r.snr_db)
            ]
        title = scheme + (f", {channel}" if channels > 1 else "")
        title += f" (genie: {group[0].genie})" if group[0].genie else ""
        panels.append(Panel(title, tuple(curves)))
    return Sheet(
        name=f"{stem(metric)}_vs_snr{suffix}",
        panels=tuple(panels),
        xlabel=f"{SNR_NAME} [dB]",
        ylabel=metric.label,
        notes=_notes(here, panels, metric, len(keys), "scheme and channel"),
        shade_label=COST_NAMES[cost],
        schemes=schemes_of(rows),
    )


def _curves(
    rows: Sequence[Row], here: Iterable[Row], metric: Metric, abscissa: Callable[[Row], float | None]
) -> tuple[Curve, ...]:
    """A curve per scheme over the finite points of `here`."""
    here = tuple(here)
    curves = []
    for order, scheme in enumerate(schemes_of(rows)):
        mine = [r for r in here if r.scheme == scheme]
        points = sorted(p for r in mine if (p := _point(r, metric, abscissa)) is not None)
        if points:
            x, y, half = zip(*points)
            genie = next((r.genie for r in mine if r.genie), "")
            curves.append(Curve(scheme, order, x, y, half, any(r.bound for r in mine), genie))
    return tuple(curves)


def _point(row: Row, metric: Metric, abscissa: Callable[[Row], float | None]) -> tuple[float, float, float] | None:
    """(x, y, half width) of a row, None where it cannot be drawn."""
    x, y, half = abscissa(row), value(row, metric.column), value(row, metric.interval)
    if x is None or y is None or not math.isfinite(y):
        return None
    return x, y, math.nan if half is None or math.isinf(half) else half


def _drawable(row: Row, metric: Metric) -> bool:
    found = value(row, metric.column)
    return found is not None and math.isfinite(found)


def _notes(rows: Sequence[Row], panels: Sequence[Panel], metric: Metric, available: int, what: str) -> tuple[str, ...]:
    """The lines at the foot: what the bands are, what is left out, what lies on top of each other."""
    notes = [_conditions(rows)]
    halves = [h for panel in panels for curve in panel.curves for h in curve.half if math.isfinite(h) and h > 0]
    if halves:
        cut = "" if quality_range(panels) is None else ", cut off where they leave the axis"
        notes.append(f"Bands and bars: 95 % confidence interval of the mean over trials{cut}.")
    if not metric.higher_is_better:
        notes.append("Lower is better.")
    if available > len(panels):
        notes.append(f"{len(panels)} of {available} panels ({what}) are shown; the others are in curves.csv.")
    notes += _left_out(rows, metric)
    notes += _on_top(panels)
    return tuple(note for note in notes if note != ".")


def _on_top(panels: Sequence[Panel]) -> Iterator[str]:
    """A line for each group of curves on top of each other: of equal numbers, or too close to be told apart."""
    found: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for panel in panels:
        equal = coincident(panel.curves, 0.0)
        close = [group for group in coincident(panel.curves, COINCIDENT * spread(panels)) if group not in equal]
        for is_equal, groups in ((True, equal), (False, close)):
            for group in groups:
                found.setdefault((is_equal, tuple(panel.curves[i].label for i in group)), []).append(panel.title)
    for (is_equal, labels), titles in found.items():
        where = "" if len(titles) == len(panels) else f" ({'; '.join(t for t in titles if t)})"
        if is_equal:
            yield f"Coincide{where}: {' = '.join(labels)}."
        else:
            yield f"Too close to be told apart here{where}: {', '.join(labels)}."


def _conditions(rows: Sequence[Row]) -> str:
    """Channel (where the titles don't say it), clips and trials behind the points."""
    channels = {r.channel for r in rows}
    parts = [f"Channel: {rows[0].channel}"] if len(channels) == 1 and rows[0].channel else []
    for name, counts in (("clips", [r.clips for r in rows]), ("trials", [r.trials for r in rows])):
        found = [n for n in counts if n]
        if found:
            low, high = min(found), max(found)
            parts.append(f"{low if low == high else f'{low} to {high}'} {name[:-1] if high == 1 else name}")
    return ", ".join(parts) + "."


def _left_out(rows: Sequence[Row], metric: Metric) -> list[str]:
    """A line per scheme with points that could not be sent."""
    lines = []
    for scheme in schemes_of(rows):
        missing = [r for r in rows if r.scheme == scheme and not _drawable(r, metric)]
        lossless = [r for r in missing if value(r, metric.column) is not None]
        reasons = list(dict.fromkeys(r.note for r in missing if r.note and r not in lossless))
        if lossless:
            lines.append(f"Not drawn: {scheme}, {_points(len(lossless))} without any error.")
        if len(missing) > len(lossless):
            why = f" ({reasons[0]}{', and other reasons' if len(reasons) > 1 else ''})" if reasons else ""
            lines.append(f"Not drawn: {scheme}, {_points(len(missing) - len(lossless))}{why}.")
    more = len(lines) - MAX_NOTES
    return [*lines[:MAX_NOTES], f"Not drawn: points of {more} more schemes, see curves.csv."] if more > 1 else lines


def _points(count: int) -> str:
    return f"{count} point" + ("s" if count > 1 else "")


def _same(one: Curve, other: Curve, tolerance: float) -> bool:
    if len(one.x) != len(other.x):
        return False
    aligned = all(math.isclose(a, b, rel_tol=0.01 if tolerance else 0.0) for a, b in zip(one.x, other.x))
    return aligned and all(abs(a - b) <= tolerance for a, b in zip(one.y, other.y))


def _thin(keys: Sequence[tuple]) -> list[tuple]:
    """At most six keys: of each group (first element) evenly many, its ends included."""
    if len(keys) <= MAX_PANELS:
        return list(keys)
    groups = list(dict.fromkeys(key[0] for key in keys))[:MAX_PANELS]
    share = MAX_PANELS // len(groups)
    kept = []
    for group in groups:
        mine = [key for key in keys if key[0] == group]
        count = min(share, len(mine))
        steps = range(count) if count > 1 else ()
        kept += [mine[round(i * (len(mine) - 1) / (count - 1))] for i in steps] or [mine[len(mine) // 2]]
    return kept


def _snr_within_channel(keys: Sequence[tuple]) -> Callable[[tuple], tuple]:
    """Sort key: channels as in the file, numbers upwards, None first."""
    channels = list(dict.fromkeys(channel for channel, _ in keys))
    return lambda key: (channels.index(key[0]), -math.inf if key[1] is None else key[1])


def _pixels(rows: Iterable[Row]) -> float | None:
    """Source pixels of a clip, where all rows agree on it."""
    pairs = ((value(r, "channel_uses"), value(r, "channel_uses_per_pixel")) for r in rows)
    found = [uses / per_pixel for uses, per_pixel in pairs if uses and per_pixel]
    return found[0] if found and max(found) <= 1.001 * min(found) else None


def stem(metric: Metric) -> str:
    """How files about a metric begin: psnr_db -> psnr."""
    return metric.column.removesuffix("_db")
