"""A comparison as tables for the terminal and as `compare.csv`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from semlink.files import write_atomic
from semlink.link.compare.compare import MOTIONS, Comparison, CurveGap, PointGap
from semlink.link.compare.gaps import reason_of
from semlink.link.compare.paired import Gap
from semlink.link.report.results_table import SNR_HEAD, add, grid, number, point_name, remarks, text_of
from semlink.link.results.labels import COST_NAMES, SNR_NAME
from semlink.link.results.texts import to_cell

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

T = TypeVar("T")
HEADER = (
    "scheme",
    "reference",
    "channel",
    "snr_db",
    "budget",
    "rate",
    "quantity",
    "motion",
    "value",
    "ci95_low",
    "ci95_high",
    "noise_ci95",
    "cost",
    "reference_cost",
    "range_low",
    "range_high",
    "clips",
    "trials",
    "note",
)


def tables(comparison: Comparison) -> Group:
    """Two rich tables: curve averages, then paired differences; and what the numbers mean."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Table | Text] = [_curve_table(comparison)]
    if any(p.gap for p in comparison.points):
        parts += [Text(), _point_table(comparison)]
    return Group(*parts, Text(), Text("\n".join(_legend(comparison)), style="dim"))


def as_text(comparison: Comparison, width: int = 100) -> str:
    """The tables as plain text of `width` columns."""
    return text_of(tables(comparison), width)


def comparison_records(comparison: Comparison) -> list[dict]:
    """A dict for each number; names that have nothing to say are left out."""
    return [*_curve_lines(comparison), *_point_lines(comparison)]


def write_compare_csv(comparison: Comparison, path: str | Path) -> None:
    """Write one tidy row per number.

    Raises:
        ResultsError: the file cannot be written.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    for line in comparison_records(comparison):
        writer.writerow({name: _cell(found) for name, found in line.items()})
    write_atomic(path, out.getvalue().encode())


def _curve_lines(comparison: Comparison) -> Iterator[dict]:
    for c in comparison.curves:
        base = {"scheme": c.scheme, "reference": comparison.reference, "channel": c.channel, "snr_db": c.snr_db}
        quality = (c.quality, _around(c.quality.value, c.quality_ci95), c.quality_noise_ci95)
        rate = (c.rate, c.rate_ci95, (c.rate_noise_ci95[1] - c.rate_noise_ci95[0]) / 2)
        named = {f"bd_{comparison.metric.column}": quality, "bd_rate_percent": rate}
        for quantity, (found, limits, noise) in named.items():
            yield base | {
                "quantity": quantity,
                "value": found.value,
                "ci95_low": limits[0],
                "ci95_high": limits[1],
                "noise_ci95": noise,
                "range_low": found.low,
                "range_high": found.high,
                "note": "; ".join(filter(None, (found.note, c.note))),
            }


def _point_lines(comparison: Comparison) -> Iterator[dict]:
    for p in comparison.points:
        base = {
            "scheme": p.row.scheme,
            "reference": comparison.reference,
            "channel": p.row.channel,
            "snr_db": p.row.snr_db,
            "budget": p.row.budget,
            "rate": p.row.rate,
            "quantity": f"difference_{comparison.metric.column}",
            "cost": p.cost,
            "reference_cost": p.reference_cost,
            "note": p.note,
        }
        for motion, gap in {"all": p.gap, **p.by_motion}.items():
            yield base | {"motion": motion} | (_gap_cells(gap) if gap else {})


def _gap_cells(gap: Gap) -> dict:
    low, high = _around(gap.mean, gap.clips_ci95)
    noise = gap.trials_ci95
    numbers = {"value": gap.mean, "ci95_low": low, "ci95_high": high, "noise_ci95": noise}
    return numbers | {"clips": gap.clips, "trials": gap.trials}


def _curve_table(comparison: Comparison) -> Table:
    name, unit = comparison.metric.title, _unit(comparison)
    several = len({c.channel for c in comparison.curves}) > 1
    heads = ["scheme", *(["channel"] if several else []), SNR_HEAD, f"BD-{name}{unit}", "BD-rate %", f"{name} range"]
    reasons = {c: reason_of(c, name) for c in comparison.curves}
    noted = list(dict.fromkeys(filter(None, reasons.values())))
    table = grid(f"Over whole curves, against {comparison.reference}", [*heads, "note"] if noted else heads)
    for scheme, curves in _grouped(comparison.curves, lambda c: c.scheme):
        for place, c in enumerate(curves):
            first = ["" if place else scheme, *([c.channel] if several else [])]
            mark = [f"({noted.index(reasons[c]) + 1})" if reasons[c] else ""] if noted else []
            add(table, *first, number(c.snr_db), *_curve_cells(c, comparison.metric.decimals), *mark)
        table.add_section()
    remarks(table, noted)
    return table


def _curve_cells(c: CurveGap, decimals: int) -> tuple[str, str, str]:
    quality = _signed(c.quality.value, c.quality_ci95, decimals)
    rate = _signed(c.rate.value, math.nan, 1)
    if rate and not math.isnan(c.rate_ci95[0]):
        rate += f" [{c.rate_ci95[0]:+.0f}, {c.rate_ci95[1]:+.0f}]"
    span = f"{c.rate.low:.4g}..{c.rate.high:.4g}" if c.rate.value is not None else ""
    return quality, rate, span


def _point_table(comparison: Comparison) -> Table:
    unit = _unit(comparison)
    several = len({p.row.channel for p in comparison.points}) > 1
    motions = [m for m in MOTIONS if any(m in p.by_motion for p in comparison.points)]
    heads = ["scheme", *(["channel"] if several else []), SNR_HEAD, "point", "cost"]
    heads += [f"\N{GREEK CAPITAL LETTER DELTA}{unit}", "noise", *motions]
    noted = list(dict.fromkeys(p.note for p in comparison.points if p.note))
    title = f"At each point, {comparison.metric.title} less that of {comparison.reference}"
    table = grid(title, [*heads, "note"] if noted else heads)
    for scheme, points in _grouped(comparison.points, lambda p: p.row.scheme):
        for place, p in enumerate(points):
            first = ["" if place else scheme, *([p.row.channel] if several else []), number(p.row.snr_db)]
            mark = [f"({noted.index(p.note) + 1})" if p.note else ""] if noted else []
            add(
                table,
                *first,
                point_name(p.row),
                number(p.cost, 4),
                *_point_cells(p, motions, comparison.metric.decimals),
                *mark,
            )
        table.add_section()
    remarks(table, noted)
    return table


def _point_cells(p: PointGap, motions: Sequence[str], decimals: int) -> list[str]:
    if p.gap is None:
        return [""] * (len(motions) + 2)
    noise = "" if math.isnan(p.gap.trials_ci95) else f"\N{PLUS-MINUS SIGN}{p.gap.trials_ci95:.{decimals}f}"
    classes = [f"{p.by_motion[m].mean:+.{decimals}f}" if m in p.by_motion else "" for m in motions]
    return [_signed(p.gap.mean, p.gap.clips_ci95, decimals), noise, *classes]


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> Iterator[tuple[str, list[T]]]:
    """Items by key, in order of first appearance."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from groups.items()


def _legend(comparison: Comparison) -> list[str]:
    better = "Positive" if comparison.metric.higher_is_better else "Negative"
    lines = [
        f"Cost: {COST_NAMES[comparison.cost]}. Averages run over what both curves cover, never beyond.",
        "\N{PLUS-MINUS SIGN} and [ ]: 95 % intervals over clips (t at points, delete-one jackknife for curves), never "
        "below noise; noise: 95 % half width over trials, clips held fixed, losses never seen reckoned with.",
        f"{better} differences and negative BD-rates favour the scheme. SNR: {SNR_NAME} of the channel.",
    ]
    return [*lines, *(f"Note: {note}." for note in comparison.notes)]


def _unit(comparison: Comparison) -> str:
    return f" {comparison.metric.unit}" if comparison.metric.unit else ""


def _signed(found: float | None, half: float, digits: int) -> str:
    if found is None:
        return ""
    return f"{found:+.{digits}f}" + ("" if math.isnan(half) else f" \N{PLUS-MINUS SIGN}{half:.{digits}f}")


def _around(middle: float | None, half: float) -> tuple[float, float]:
    return (math.nan, math.nan) if middle is None else (middle - half, middle + half)


def _cell(found: object) -> str:
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return ""
    if isinstance(found, str):
        return to_cell(found)
    return f"{round(found, 9) + 0.0:.6g}" if isinstance(found, float) else str(found)
