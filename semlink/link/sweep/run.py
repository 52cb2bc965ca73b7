"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the results folder. A point's numbers depend on its
own key alone, so the number of workers and the order of work change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import point_name
from semlink.link.sweep.job import Job, Plan, Progress, Report, plan
from semlink.link.sweep.point import record_of
from semlink.link.sweep.workers import run_many
from semlink.nn.cpu import one_thread


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
    made = plan(job, fresh=fresh)
    tell = progress or (lambda name, done, total: None)
    tell(job.scenario.name, 0, len(made.missing))
    bench: PointRunner | None = None
    try:
        if min(workers, len(made.missing)) > 1:
            run_many(job, made.missing, min(workers, len(made.missing)), tell)
        elif made.missing:
            bench = _run_here(job, made, tell)
    except BaseException:
        job.results.tidy()
        raise
    rows = job.results.write_curves(made.keys)
    seconds = time.monotonic() - started
    job.results.write_manifest(
        job.scenario.model_dump(mode="json"),
        seconds=seconds,
        workers=workers,
        computed=len(made.missing),
        points=len(made.points),
    )
    return Report(rows, len(made.points), len(made.missing), seconds, made.clips, made.keys, bench)


def _run_here(job: Job, made: Plan, tell: Progress) -> PointRunner:
    bench = job.bench(made.clips)
    with one_thread():
        for done, (key, point) in enumerate(made.missing, start=1):
            name = point_name(job.scenario, point)
            bench = replace(bench, tell=_within(tell, name, done - 1, len(made.missing)))
            job.results.write(key, record_of(bench, point))
            tell(name, done, len(made.missing))
    return bench


def _within(tell: Progress, name: str, done: int, total: int) -> Callable[[int, int], None]:
    """What a long fit tells of itself, as progress of the run."""
    return lambda part, whole: tell(f"{name}, {part} of {whole}", done, total)
