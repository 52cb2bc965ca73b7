"""A results folder as read: rows, the clips behind each, the metrics, what made them.

Tables, plots and comparisons read this and nothing else; nothing is sent again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semlink.errors import ResultsError, ScenarioError
from semlink.files import Json, json_in, reason_of
from semlink.link.metrics.registry import METRICS, Metric, generic
from semlink.link.results.checked.records import checked_manifest
from semlink.link.results.folder import Results
from semlink.link.results.labels import bound_words
from semlink.link.results.points import Points
from semlink.link.results.rows import CURVES, DECIMALS, PER_SAMPLE, SIGNIFICANT, Row, from_json, read_folder, value

__all__ = ["FinishedPoint", "FinishedRun", "grid_place", "metrics_of", "read_manifest", "read_run"]

SAME = ("seed", "trials", "channel_uses", "measurements_per_pixel", "psnr_db", "ssim")
"""Numbers that tell a point from one of an earlier run at the same place of the grid."""


@dataclass(frozen=True, slots=True)
class FinishedPoint:
    """One row, with the record of its clips and the record's key; both are empty where the folder has none.

    `origin` names its folder where several are merged, whose name then stands before that of the scheme.
    """

    row: Row
    record: Json = field(default_factory=dict)
    key: str = ""
    origin: str = ""

    @property
    def scheme(self) -> str:
        """The scheme as its own folder calls it."""
        return self.row.scheme.removeprefix(f"{self.origin}: ") if self.origin else self.row.scheme

    @property
    def clips(self) -> Sequence[Json]:
        """For each clip its name, motion and, by column, one number a trial; empty where nothing was sent."""
        return tuple(self.record.get("clips", ()))


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a results folder holds, points in the order of `curves.csv`.

    Attributes:
        doubts: what of its points is not used, or is missing, a line each.
        bounds: by the scheme, what a bound is one on (`labels.bound_words`).
    """

    folder: Path
    points: tuple[FinishedPoint, ...]
    metrics: tuple[Metric, ...]
    manifest: Json = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    bounds: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(point.row for point in self.points)

    @property
    def records(self) -> tuple[Json, ...]:
        """What the point files hold, for the points that have one."""
        return tuple(point.record for point in self.points if point.record)

    def metric(self, name: str) -> Metric:
        """The metric that a user calls by its name or its column.

        Raises:
            ScenarioError: no row carries it; names those that are there.
        """
        found = next((m for m in self.metrics if name in (m.name, m.column)), None)
        if found is None:
            known = ", ".join(m.name for m in self.metrics) or "no quality"
            raise ScenarioError(f"metric {name!r} is in no row; the results have {known}")
        return found


def read_run(directory: str | Path) -> FinishedRun:
    """Everything that a results folder holds.

    Raises:
        ResultsError: there is no such folder, it holds no results, or a point of it is damaged.
    """
    folder = Path(directory)
    rows, manifest, store = read_folder(folder), read_manifest(folder), Results(folder).points
    twice = store.contradictions()
    records = _by_place(_records(store, manifest.get("keys"), twice))
    points = tuple(FinishedPoint(row, *_record_of(row, records.get(grid_place(row), ()))) for row in rows)
    told = [entry for point in points for entry in point.record.get("metrics", ())]
    doubts = (*_doubts(store, manifest, points, twice), *_cut(store, records, rows))
    return FinishedRun(folder, points, metrics_of(rows, told), manifest, doubts, bound_words(manifest))


def _doubts(
    store: Points, manifest: Json, points: Sequence[FinishedPoint], twice: Mapping[str, Sequence[Json]]
) -> Iterator[str]:
    """What of a folder's points is not used, or is missing."""
    again = "semlink run looks at them again"
    keys, grid = manifest.get("keys"), manifest.get("grid")
    if keys is not None and grid is not None and len(keys) < len(grid):
        part = manifest.get("shard")
        told = f", shard {part[0]} of {part[1]}" if part and len(part) == 2 else ""
        yield f"{store.folder.parent}: {len(keys)} of the scenario's {len(grid)} points are here{told}"
    strangers = "" if keys is None else store.strangers({*keys, *(grid or ())})
    if strangers:
        yield f"{strangers}; they are not in {CURVES}, and not used; {again}"
    if twice:
        yield f"{store.told_twice(twice)}; what {CURVES} has is used; {again}"
    lacking = [point.row for point in points if point.row.psnr_db is not None and not point.record]
    if lacking and store.keys():
        place = ", ".join(filter(None, grid_place(lacking[0])))
        plural = "row has" if len(lacking) == 1 else "rows have"
        yield f"{store.folder}: {len(lacking)} {plural} no point of those numbers here, such as {place}; {again}"


def _cut(store: Points, records: Iterable[Place], rows: Sequence[Row]) -> Iterator[str]:
    """Whether the table lacks places of which there are points."""
    lacking = len(set(records) - {grid_place(row) for row in rows})
    if lacking:
        plural = "a point" if lacking == 1 else f"{lacking} points"
        yield f"{store.folder}: {CURVES} lacks {plural} that the folder holds; semlink run writes it again"


def metrics_of(rows: Iterable[Row], told: Iterable[Json] = ()) -> tuple[Metric, ...]:
    """The metrics that some row carries: ours, then a user's as its points tell of it.

    Args:
        told: column, label, decimals and direction of users' metrics, from point files.
    """
    rows = tuple(rows)
    known = {metric.column: metric for metric in METRICS}
    for entry in told:
        known.setdefault(str(entry["column"]), _described(entry))
    for row in rows:
        for name in row.extra:
            half = any(name == metric.interval for metric in known.values()) or name.endswith("_ci95")
            if not half and name != PER_SAMPLE and value(row, name) is not None:
                known.setdefault(name, generic(name))
    return tuple(m for m in known.values() if any(value(row, m.column) is not None for row in rows))


def _described(entry: Json) -> Metric:
    column = str(entry["column"])
    plain = generic(column)
    return Metric(
        column,
        column,
        str(entry.get("label") or column),
        int(entry.get("decimals", plain.decimals)),
        plain.function,
        higher_is_better=bool(entry.get("higher_is_better", True)),
    )


def read_manifest(folder: Path) -> Json:
    """What a folder says of its run; empty where it says nothing.

    Raises:
        ResultsError: it is no manifest.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        return {}
    try:
        return checked_manifest(json_in(path.read_bytes()))
    except (OSError, ValueError) as fault:
        raise ResultsError(f"{path}: cannot be read ({reason_of(fault)}); run again to have it written anew") from fault


def _records(store: Points, keys: Iterable[str] | None, twice: Mapping[str, Sequence[Json]]) -> Iterator[Kept]:
    """Records with their rows and keys: those of the run where its manifest names them, else all."""
    named = list(store.keys() if keys is None else keys)
    for key, record in zip(named, store.records(named), strict=True):
        for one in twice.get(key, () if record is None else (record,)):
            yield from_json(one["row"]), one, key


Kept = tuple[Row, Json, str]
Place = tuple[str, ...]


def _by_place(records: Iterable[Kept]) -> Mapping[Place, Sequence[Kept]]:
    """Records by their place, each place's in their order: a folder may hold those of several runs."""
    found: dict[Place, list[Kept]] = {}
    for kept in records:
        found.setdefault(grid_place(kept[0]), []).append(kept)
    return found


def grid_place(row: Row) -> Place:
    """Where a row stands on the grid, in the digits of `curves.csv`."""
    numbers = (row.snr_db, row.budget, row.rate)
    told = ("" if n is None or math.isnan(n) else f"{n + 0.0:.{SIGNIFICANT}g}" for n in numbers)
    return _words(row.scheme), _words(row.channel), *told


def _record_of(row: Row, records: Iterable[Kept]) -> tuple[Json, str]:
    """The record behind a row with its key, empty without one; those of an earlier run are passed over."""
    return next(((record, key) for other, record, key in records if _is_same(row, other)), ({}, ""))


def _is_same(row: Row, other: Row) -> bool:
    """Whether two rows of one place are one point, up to the digits that `curves.csv` keeps."""
    return all(_close(name, row, other) for name in SAME)


def _close(name: str, row: Row, other: Row) -> bool:
    a, b = value(row, name), value(other, name)
    if a is None or b is None:
        return a is b
    digits = DECIMALS.get(name)
    return a == b or math.isclose(a, b, rel_tol=1e-7, abs_tol=0.0 if digits is None else 0.51 * 10**-digits)


def _words(text: str) -> str:
    return " ".join(text.split())
