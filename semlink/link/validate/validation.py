"""`semlink.validate`: ours beside published numbers, as rows, text, JSON and a page."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semlink import __version__
from semlink.errors import ScenarioError
from semlink.files import JsonDict, write_atomic
from semlink.link.page.page import check_place
from semlink.link.validate.entries.registry import chosen, entries, home
from semlink.link.validate.entry import Bench
from semlink.link.validate.page import page
from semlink.link.validate.run import Progress, validated
from semlink.link.validate.text import as_text, counts
from semlink.link.validate.verdict import Row

__all__ = ["Validation", "data_folder", "validate"]


@dataclass(frozen=True, slots=True)
class Validation:
    """What came out: `rows` hold the entry, the verdict and what was found, in the order of the table."""

    rows: tuple[Row, ...]
    seed: int = 1

    @property
    def passed(self) -> bool:
        """Nothing differs; what cannot run here, or falls short as it is known to, counts for nothing."""
        return not self.differing

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of what differs."""
        return tuple(row.name for row in self.rows if row.verdict == "differs")

    def __str__(self) -> str:
        return as_text(self.rows, self.seed)

    def records(self) -> list[JsonDict]:
        """A dict for each row, as JSON has them."""
        return [_record(row) for row in self.rows]

    def write_json(self, path: str | Path) -> Path:
        """Write version, seed, counts and `records`.

        Raises:
            ResultsError: it cannot be written.
        """
        head = {"semlink": __version__, "seed": self.seed, "passed": self.passed, "verdicts": counts(self.rows)}
        text = json.dumps(head | {"rows": self.records()}, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(Path(path), f"{text}\n".encode())
        return Path(path)

    def write_page(self, path: str | Path) -> Path:
        """Write an HTML page that needs no other file.

        Raises:
            ResultsError: it cannot be written, or another file than a page of semlink is there.
        """
        check_place(Path(path), replaces_ours=True)
        write_atomic(Path(path), page(self.rows, self.seed).encode())
        return Path(path)


def validate(
    *,
    full: bool = False,
    only: str | Sequence[str] = (),
    seed: int = 1,
    workers: int = 1,
    data: str | Path | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Measure published points with this installation, and judge ours against theirs.

    Args:
        full: all points, which takes most of an hour on two cores; else those that take half a minute together.
        only: names of points, beginnings of them (`ldpc/threshold`), or patterns (`*rayleigh*`).
        seed: root of all chance.
        workers: processes, each with one thread; their number changes no number.
        data: folder with the clips that some points need; SEMLINK_DATA or ../shared/data where not given.
        progress: called with a point's name, how many are judged and how many there are.
    Raises:
        SemlinkError: a name that no point has, a folder that is not there, or a worker that died.
    """
    if workers < 1:
        raise ScenarioError(f"workers: got {workers}; need 1 or more")
    if seed < 0:
        raise ScenarioError(f"seed: got {seed}; need 0 or more")
    repository = home()
    wanted = chosen(entries(repository), "full" if full else "quick", (only,) if isinstance(only, str) else tuple(only))
    bench = Bench(seed, data_folder(data), repository)
    return Validation(validated(wanted, bench, workers=workers, progress=progress), seed)


def data_folder(given: str | Path | None) -> Path | None:
    """Where clips lie; None where nothing says so.

    Raises:
        ScenarioError: the folder that is named is not there.
    """
    if given is not None:
        if not Path(given).is_dir():
            raise ScenarioError(f"--data {given}: no such folder")
        return Path(given).resolve()
    usual = Path(os.environ.get("SEMLINK_DATA", "../shared/data"))
    return usual.resolve() if usual.is_dir() else None


def _record(row: Row) -> JsonDict:
    entry, ours = row.entry, row.ours
    low, high = entry.rule.allowed(entry.theirs)
    return {
        "name": row.name,
        "what": entry.what,
        "verdict": row.verdict,
        "ours": None if ours is None else {
            "value": _finite(ours.value),
            "ci95": [_finite(ours.low), _finite(ours.high)],
            "judged_by": [_finite(ours.least), _finite(ours.most)],
            "from": ours.words,
        },
        "theirs": entry.theirs,
        "unit": entry.unit,
        "allowed": [_finite(low), _finite(high)],
        "because": entry.rule.why,
        "source": entry.source,
        "cost": entry.cost,
        "note": row.note,
        "seconds": round(row.seconds, 3),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
