"""A validation as text: a line for each point, by subject, and what differs once more at the end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from semlink.link.validate.entry import Entry, Found
from semlink.link.validate.verdict import VERDICTS, Row

__all__ = ["as_text", "counts", "found_in_words", "listed", "number", "subjects", "summary"]


def number(value: float) -> str:
    """A number with the digits that are worth something."""
    if not math.isfinite(value):
        return {math.inf: "beyond", -math.inf: "below all"}.get(value, "no number")
    if value == 0 or (abs(value) >= 1000 and value == int(value)):
        return f"{value:.0f}"
    return f"{value:.2e}" if abs(value) < 1e-3 else f"{value:.4g}"


def found_in_words(ours: Found | None) -> str:
    """Ours with its interval of 95 %, where it has one."""
    if ours is None:
        return "-"
    if ours.low == ours.high:
        return number(ours.value)
    return f"{number(ours.value)} [{number(ours.low)}, {number(ours.high)}]"


def subjects(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows by subject, in their order."""
    return [(name, list(group)) for name, group in groupby(rows, lambda row: row.name.partition("/")[0])]


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows have each verdict; those that none has are left out."""
    found = Counter(row.verdict for row in rows)
    return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}


def summary(rows: Iterable[Row]) -> str:
    """`120 agree, 14 better, 1 differs`."""
    short = {"agrees": "agree", "differs": "differ", "falls short (known)": "fall short (known)"}
    found = counts(rows).items()
    return ", ".join(f"{many:,} {verdict if many == 1 else short.get(verdict, verdict)}" for verdict, many in found)


def as_text(rows: Sequence[Row], seed: int) -> str:
    """The whole table."""
    lines = []
    for subject, group in subjects(rows):
        lines += [f"{subject}: {summary(group)}", *_table(group), ""]
    return "\n".join([*lines, *_end(rows, seed)]) + "\n"


def _table(group: Sequence[Row]) -> Iterator[str]:
    cells = [
        (row.verdict, row.name.partition("/")[2], found_in_words(row.ours), _with_unit(row.entry), row.entry.source)
        for row in group
    ]
    head = ("", "", "ours [95 %]", "theirs", "")
    widths = [max(map(len, column)) for column in zip(head, *cells)][:-1]
    for line in (head, *cells):
        padded = (f"{cell:<{width}}" for cell, width in zip(line, widths))
        yield f"  {'  '.join(padded)}  {line[-1]}".rstrip()


def _with_unit(entry: Entry) -> str:
    return f"{number(entry.theirs)} {entry.unit}".rstrip()


def _end(rows: Sequence[Row], seed: int) -> Iterator[str]:
    for verdict in ("cannot run here", "falls short (known)", "differs"):
        chosen = [row for row in rows if row.verdict == verdict]
        by_note: dict[str, list[Row]] = {}
        for row in chosen if verdict != "differs" else ():
            by_note.setdefault(row.note, []).append(row)
        for note, alike in by_note.items():
            others = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
            yield f"{verdict}: {alike[0].name}{others}: {note}"
        for row in chosen if verdict == "differs" else ():
            ours = found_in_words(row.ours)
            yield f"DIFFERS: {row.name}: {row.entry.what}: ours {ours}, theirs {_with_unit(row.entry)}; {row.note}"
    yield f"{len(rows):,} point{'' if len(rows) == 1 else 's'}, seed {seed}: {summary(rows)}"


def listed(entries: Sequence[Entry]) -> str:
    """What there is to validate, without validating it."""
    cells = [(e.name, e.cost, _with_unit(e), e.what + (f" (needs {e.needs})" if e.needs else "")) for e in entries]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<5}  {row[2]:<{widths[2]}}  {row[3]}" for row in cells]
    return "\n".join([*lines, f"{len(entries):,} point{'' if len(entries) == 1 else 's'}"]) + "\n"
