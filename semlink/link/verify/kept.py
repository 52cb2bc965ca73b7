"""What a results folder says, held against itself: table, points, checksums, laws. Nothing of it is believed or run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semlink.files import Json, JsonDict
from semlink.link.results.checked.records import CHECKSUM
from semlink.link.results.finished import grid_place, read_manifest
from semlink.link.results.folder import Results
from semlink.link.results.labels import place_in_words
from semlink.link.results.rows import COLUMNS, CURVES, Row, cells, from_json, read_folder

__all__ = ["Kept", "look_over", "unlike"]

MOST_TOLD = 6
"""Faults of one kind that are told one by one."""
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder as it stands.

    Attributes:
        rows: of its table.
        behind: for each row the key and the record of the point that says it; an empty key where none does.
        manifest: empty where there is none.
        missing: how many points the manifest names that are not there.
        wrong: what cannot be as a run left it, a line each.
        said: what else a reader should know, a line each.
    """

    folder: Path
    rows: tuple[Row, ...]
    behind: tuple[tuple[str, Json], ...]
    manifest: Json
    wrong: tuple[str, ...]
    said: tuple[str, ...]
    missing: int = 0

    @property
    def alone(self) -> int:
        """Rows that no point stands behind."""
        return sum(not key for key, _ in self.behind)


def look_over(folder: Path) -> Kept:
    """Read a folder; what is damaged or contradicts itself is told, and the rest taken.

    Raises:
        ResultsError: there is no such folder, no table, or a manifest that is none.
    """
    rows, manifest = read_folder(folder), read_manifest(folder)
    store = Results(folder).points
    records, damaged = store.looked_over()
    named = manifest.get("keys")
    of_run = records if named is None else {key: records[key] for key in named if key in records}
    by_place: dict[Place, list[tuple[str, Row]]] = {}
    for key, record in of_run.items():
        row = from_json(record["row"])
        by_place.setdefault(grid_place(row), []).append((key, row))
    pairs = [_nearest(row, by_place.get(grid_place(row), ())) for row in rows]
    twice = {} if damaged else store.contradictions()
    lacking = [key for key in named or () if key not in records]
    wrong = [*damaged, *([store.told_twice(twice)] if twice else ()), *_few(_table(rows, pairs, bool(records)))]
    if lacking:
        wrong.append(f"{_counted(len(lacking), 'point')} of the manifest missing, such as {lacking[0]}")
    return Kept(
        folder,
        rows,
        tuple((key, of_run.get(key, {})) for key, _ in pairs),
        manifest,
        tuple(wrong),
        tuple(_said(rows, records, of_run, by_place)),
        len(lacking),
    )


def _nearest(row: Row, points: Sequence[tuple[str, Row]]) -> tuple[str, list[str]]:
    """The key of the point at the row's place that is most like it, and what differs; '' where there is none."""
    told = [(key, unlike(row, point)) for key, point in points]
    return min(told, key=lambda pair: len(pair[1]), default=("", []))


def unlike(row: Row, point: Row) -> list[str]:
    """What a row of the table says otherwise than its point, in words."""
    return list(_unlike(row, point))


def _unlike(row: Row, point: Row) -> Iterator[str]:
    """Cells of the table that the point has otherwise."""
    ours, theirs = (dict(zip(COLUMNS, cells(one))) for one in (row, point))
    for name in COLUMNS:
        if ours[name] != theirs[name]:
            yield f"{name} is {ours[name] or 'empty'}, and its point has {theirs[name] or 'nothing'}"
    for name in dict.fromkeys([*row.extra, *point.extra]):
        pair = [one.extra.get(name) for one in (row, point)]
        if _in_digits(pair[0]) != _in_digits(pair[1]):
            yield f"{name} is {pair[0]}, and its point has {pair[1]}"


def _in_digits(number: object) -> str:
    return f"{number:.8g}" if isinstance(number, float) else "" if number is None else str(number)


def _table(rows: Sequence[Row], pairs: Sequence[tuple[str, Sequence[str]]], has_points: bool) -> Iterator[str]:
    """Rows that no point supports, that say something else than their point, or that stand there twice."""
    seen: set[Place] = set()
    for row, (key, differing) in zip(rows, pairs, strict=True):
        place = grid_place(row)
        if place in seen:
            yield f"{CURVES}: {place_in_words(row)}: stands there twice"
        seen.add(place)
        if not key and has_points:
            yield f"{CURVES}: {place_in_words(row)}: no point supports this row"
        elif differing:
            more = f" ({len(differing) - 1} more differ)" if len(differing) > 1 else ""
            yield f"{CURVES}: {place_in_words(row)}: {differing[0]}{more}"


def _few(lines: Iterator[str]) -> list[str]:
    found = list(lines)
    rest = len(found) - MOST_TOLD
    return [*found[:MOST_TOLD], *([f"{CURVES}: {rest} more rows are wrong"] if rest > 0 else [])]


def _said(
    rows: Sequence[Row],
    records: Mapping[str, JsonDict],
    of_run: Mapping[str, JsonDict],
    by_place: Mapping[Place, object],
) -> Iterator[str]:
    if not records:
        yield "the folder holds no points: the rows of the table stand alone, without their trials"
    if strangers := len(records) - len(of_run):
        yield f"{_counted(strangers, 'point')} here that the manifest does not name; not looked at"
    if cut := set(by_place) - {grid_place(row) for row in rows}:
        yield f"{CURVES} lacks {_counted(len(cut), 'point')} that the folder holds"
    if bare := sum(CHECKSUM not in record for record in of_run.values()):
        words = "of an earlier version; what follows from their trials was reckoned again"
        yield f"{_counted(bare, 'point')} without a checksum, {words}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
