"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the clips and the results folder. A point's numbers
depend on its own key alone, so the number of workers and the order of work
change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from semlink.link.results.rows import Row
from semlink.link.sweep.clips import clip_file
from semlink.link.sweep.grid import point_name
from semlink.link.sweep.plan import Job, Plan, plan
from semlink.link.sweep.workers import Progress, work, work_in_processes
from semlink.nn.cpu import one_thread


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left behind: rows in the order of the grid, the keys of their points, and how many it computed."""

    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    computed: int
    seconds: float

    @property
    def points(self) -> int:
        return len(self.keys)


def run(job: Job, *, workers: int = 1, fresh: bool = False, progress: Progress | None = None) -> Report:
    """Compute the missing points and collect all rows.

    Args:
        workers: processes; each uses one thread.
        progress: called with a point's name, the number done and the number
            to do, at the start (nameless) and whenever a point is finished.
    Raises:
        SemlinkError: the first point that failed; finished points are kept.
    """
    started = time.monotonic()
    with clip_file(wanted=workers > 1) as file:
        made = plan(job, fresh=fresh, clip_file=file)
        _work(made, workers, progress or (lambda name, done, total: None))
    rows = job.results.write_curves(made.keys)
    job.results.points.pack()
    seconds = time.monotonic() - started
    job.results.write_manifest(
        job.scenario.model_dump(mode="json"),
        seconds=seconds,
        workers=workers,
        computed=made.missing,
        keys=made.keys,
        shown=made.middle,
        clips_digest=made.runner.clips.digest,
        files=job.folder,
    )
    return Report(rows, made.keys, made.missing, seconds)


def _work(made: Plan, workers: int, tell: Progress) -> None:
    """Work on all tasks; after a failure nothing half-written stays."""
    tell(made.job.scenario.name, 0, len(made.tasks))
    try:
        if min(workers, len(made.tasks)) > 1:
            work_in_processes(made, min(workers, len(made.tasks)), tell)
        else:
            _work_here(made, tell)
    except BaseException:
        made.job.pictures.tidy()
        made.job.results.tidy()
        raise


def _work_here(made: Plan, tell: Progress) -> None:
    with one_thread():
        for done, task in enumerate(made.tasks, start=1):
            name = point_name(made.job.scenario, task.point)
            runner = replace(made.runner, tell=_within(tell, name, done - 1, len(made.tasks)))
            work(made.job, runner, task)
            tell(name, done, len(made.tasks))


def _within(tell: Progress, name: str, done: int, total: int) -> Callable[[int, int], None]:
    """What a long fit tells of itself, as progress of the run."""
    return lambda part, whole: tell(f"{name}, {part} of {whole}", done, total)
