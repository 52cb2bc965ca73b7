"""A quality over what it costs: a panel for each channel and SNR."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from semlink.link.plots.curves.model import Panel, Sheet
from semlink.link.plots.curves.notes import SNR_PANELS, notes
from semlink.link.plots.curves.scene import Key, Scene
from semlink.link.results.finished import FinishedPoint
from semlink.link.results.labels import COST_NAMES, SNR_NAME
from semlink.link.results.rows import Row, by_cost, only_senses, value

__all__ = ["cost_sheets", "is_one_budget", "snr_title"]


def cost_sheets(scene: Scene) -> Iterator[Sheet]:
    """What sends over channel uses; what only senses, beside it, on a sheet of its own.

    One budget at several SNRs gives panels of lone points, which are drawn over
    the SNR instead; here only where this kind is asked for.
    """
    kinds = by_cost(point.row for point in scene.points)
    for place, (cost, _) in enumerate(kinds):
        senses = len(kinds) > 1 and place == 1
        mine = scene.of(p for p in scene.points if len(kinds) == 1 or only_senses(p.row) is senses)
        if is_one_budget(mine) and "cost" not in scene.view.choice.kinds:
            continue
        sheet = _sheet(mine, cost, "readings" if senses else "cost")
        if len(kinds) == 1 or any(panel.curves for panel in sheet.panels):
            yield sheet


def is_one_budget(scene: Scene) -> bool:
    """Whether no scheme has two points at one SNR, but some have several SNRs."""
    places: dict[tuple, set] = {}
    snrs: dict[tuple, set] = {}
    for point in scene.points:
        row = point.row
        places.setdefault((row.scheme, row.channel, row.snr_db), set()).add((row.budget, row.rate))
        snrs.setdefault((row.scheme, row.channel), set()).add(row.snr_db)
    return all(len(p) == 1 for p in places.values()) and any(len(s) > 1 for s in snrs.values())


def snr_title(key: Key, *, channels: int) -> str:
    """What stands above a panel: the channel where there are several, and the SNR."""
    channel, snr_db = key
    parts = [channel] if channels > 1 and channel else []
    glue = "\N{NO-BREAK SPACE}"
    return ", ".join([*parts, *([] if snr_db is None else [f"{SNR_NAME}{glue}={glue}{snr_db:g}{glue}dB"])])


def _sheet(scene: Scene, cost: str, name: str) -> Sheet:
    kept, left = scene.panels(lambda p: p.row.snr_db, lambda p: _place(p.row))
    channels = len({channel for channel, _ in [*kept, *left]})

    def at(key: Key) -> list[FinishedPoint]:
        return [p for p in scene.points if (p.row.channel, p.row.snr_db) == key]

    panels = tuple(
        Panel(snr_title(key, channels=channels), scene.curves(at(key), lambda p: value(p.row, cost))) for key in kept
    )
    sheet = Sheet(
        name=f"{scene.quantity.stem}_vs_{name}",
        panels=panels,
        xlabel=COST_NAMES[cost],
        ylabel=scene.quantity.label,
        folders=scene.folders,
        log_x=_is_wide([x for panel in panels for curve in panel.curves for x in curve.x]),
        log_y=scene.quantity.log,
        pixels=_pixels(p.row for p in scene.points) if cost == "channel_uses_per_pixel" else None,
        zero=scene.quantity.zero,
    )
    return notes(sheet, scene, left, SNR_PANELS)


def _place(row: Row) -> float | None:
    return row.rate if row.budget is None else row.budget


def _is_wide(costs: Sequence[float]) -> bool:
    return bool(costs) and min(costs) > 0 and max(costs) > 10 * min(costs)


def _pixels(rows: Iterable[Row]) -> float | None:
    """Source pixels of a clip, where all rows agree on it."""
    pairs = ((value(r, "channel_uses"), value(r, "channel_uses_per_pixel")) for r in rows)
    found = [uses / per_pixel for uses, per_pixel in pairs if uses and per_pixel]
    return found[0] if found and max(found) <= 1.001 * min(found) else None
