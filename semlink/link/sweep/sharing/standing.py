"""How far a results folder is, read from what its runs note; nothing is computed, and no code of a user's runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, json_in, reason_of
from semlink.link.results.checked.records import checked_manifest
from semlink.link.results.course.claims import claimed
from semlink.link.results.course.holders import holders
from semlink.link.results.course.notes import Notes
from semlink.link.results.folder import Results
from semlink.link.results.lock import LOCK, is_held
from semlink.link.results.rows import refuse_no_folder
from semlink.link.sweep.grid import GridPoint, Task
from semlink.link.sweep.time_left import TimeLeft, early_of_each

__all__ = ["AtWork", "Failed", "Standing", "standing"]


@dataclass(frozen=True, slots=True)
class Failed:
    """A point that failed in the last run that tried it: its key, its name, and what was told."""

    key: str
    point: str
    told: str


@dataclass(frozen=True, slots=True)
class AtWork:
    """A run that is in the folder.

    Attributes:
        since_s: seconds since it began, or since it began the oldest of its points.
        points: keys of the points that it is at, where it says so.
    """

    host: str
    pid: int
    since_s: float
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a results folder is.

    Attributes:
        points: of the scenario, or of the shard that was to be computed here.
        done: how many of them are there.
        missing: names of the others; those that failed are among them.
        stale: points of other scenarios or versions that lie there.
        seconds_left: what computing the rest takes, with as many processes as are or were at it; None if not known.
    """

    folder: Path
    points: int
    done: int
    missing: tuple[str, ...]
    failed: tuple[Failed, ...] = ()
    stale: int = 0
    shard: tuple[int, int] | None = None
    at_work: tuple[AtWork, ...] = ()
    workers: int = 1
    seconds_left: float | None = None

    @property
    def is_done(self) -> bool:
        return not self.missing

    def as_json(self) -> JsonDict:
        """All of it as plain values."""
        return {**asdict(self), "folder": str(self.folder), "is_done": self.is_done}


def standing(folder: str | Path) -> Standing:
    """How far a results folder is.

    Raises:
        ResultsError: there is no such folder, nothing says what it is to hold, or a file is damaged.
    """
    folder = Path(folder)
    refuse_no_folder(folder)
    about = _about(folder)
    tasks = _tasks(about)
    there = frozenset(Results(folder).keys())
    part = about.get("mine")
    mine = frozenset(part if part is not None else (task.key for task in tasks))
    to_do = [task for task in tasks if task.key in mine and task.key not in there]
    lacking = {task.key for task in to_do}
    failed = [Failed(key, **told) for key, told in Notes(folder).failures().items() if key in lacking]
    at_work, shard = _at_work(folder), about.get("shard")
    workers = int(about.get("workers") or 1) * max(len(at_work), 1)
    return Standing(
        folder,
        points=len(mine),
        done=len(mine) - len(to_do),
        missing=tuple(task.name for task in to_do),
        failed=tuple(failed),
        stale=len(there - {task.key for task in tasks}),
        shard=None if not shard else (int(shard[0]), int(shard[-1])),
        at_work=at_work,
        workers=workers,
        seconds_left=_seconds_left(tasks, to_do, Notes(folder).times(), workers),
    )


def _about(folder: Path) -> Json:
    """The plan of the last run, or the manifest of one that left no plan."""
    plan = Notes(folder).plan()
    if plan is not None:
        return plan
    try:
        return checked_manifest(json_in((folder / "manifest.json").read_bytes()))
    except FileNotFoundError:
        raise ResultsError(f"{folder}: no run has noted what it is to hold; is it a results folder?") from None
    except (OSError, ValueError) as fault:
        raise ResultsError(f"{folder / 'manifest.json'}: cannot be read ({reason_of(fault)})") from fault


def _tasks(about: Json) -> list[Task]:
    """All points of the scenario in the order of the grid."""
    grid: Sequence[str] = about.get("grid") or about.get("keys") or ()
    planned: Sequence[Json] = about.get("points_planned") or ({},) * len(grid)
    shown = frozenset(about.get("shown") or ())
    return [
        Task(
            key,
            GridPoint(*(p.get(name) for name in ("scheme", "channel", "snr_db", "budget", "rate"))),  # type: ignore[arg-type]
            str(p.get("name") or key),
            is_shown=key in shown,
        )
        for key, p in zip(grid, planned)
    ]


def _at_work(folder: Path) -> tuple[AtWork, ...]:
    """The run that holds the folder's lock, or those that share it."""
    path, now = folder / LOCK, time.time()
    if any(True for _ in holders(folder)):
        at: dict[str, list[str]] = {}
        for key, token in claimed(folder / "points"):
            at.setdefault(token, []).append(key)
        return tuple(
            AtWork(one.host, one.pid, max(now - one.since, 0.0), tuple(at.get(one.token, ())))
            for one in holders(folder)
        )
    if not is_held(path):
        return ()
    try:
        found = json_in(path.read_bytes())
        return (AtWork(str(found["host"]), int(found["pid"]), max(now - path.stat().st_mtime, 0.0)),)
    except (OSError, ValueError, KeyError, TypeError):
        return (AtWork("an unknown machine", 0, 0.0),)


def _seconds_left(
    tasks: Sequence[Task], to_do: Sequence[Task], times: Mapping[str, float], workers: int
) -> float | None:
    """What a run that begins now would take for the rest, from what its points have taken so far."""
    if not to_do:
        return 0.0
    left = TimeLeft()
    known = [task for task in tasks if task.key in times]
    left.begin([*known, *to_do], workers)
    waiting = {task.key for task in to_do}
    for task in early_of_each(tasks, workers):
        if task.key in times and task.key not in waiting:
            left.started(task)
            left.finished(task, times[task.key])
    return left.seconds()
