"""The tasks of a plan worked on, in this process or in several; after a failure nothing half-written stays.

Where points are computed is chosen here and nowhere else. Whoever does it takes tasks from a `Supply` and tells what is
`Done`, one after the other; what comes back with its numbers is kept here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial

from semlink.link.sweep.plan import Plan
from semlink.link.sweep.time_left import TimeLeft, early_of_each
from semlink.link.sweep.workers.crew import finished_by_workers
from semlink.link.sweep.workers.one_task import Done, compute, keep
from semlink.link.sweep.workers.supply import Supply
from semlink.nn.cpu import one_thread

__all__ = ["Progress", "work_on"]

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""


def work_on(plan: Plan, workers: int, tell: Progress, left: TimeLeft) -> None:
    """Work on all tasks of a plan; after a failure nothing half-written stays.

    Some points of each scheme come first: it is soon known how long all will take, and what fails fails early.

    Args:
        left: is told what is begun and what is done.
    Raises:
        SemlinkError: the first point that failed, or a process that died; finished points are kept.
    """
    workers, total = min(workers, len(plan.tasks)), len(plan.tasks)
    tasks = early_of_each(plan.tasks, workers)
    left.begin(tasks, workers)
    tell(plan.job.scenario.name, 0, total)
    try:
        with closing(_finished(plan, Supply.of(tasks), workers, tell, left)) as all_done:
            for number, done in enumerate(all_done, start=1):
                _settle(plan, done)
                left.finished(done.task, done.seconds)
                tell(done.task.name, number, total)
    except BaseException:
        plan.job.tidy()
        raise


def _finished(plan: Plan, supply: Supply, workers: int, tell: Progress, left: TimeLeft) -> Generator[Done]:
    """The tasks as they are done, wherever that is."""
    if workers > 1:
        plan.runner.links.clear()  # this process computes nothing
        return finished_by_workers(plan.job, plan.runner.clips, supply, workers, left.started)
    return _finished_here(plan, supply, tell, left)


def _settle(plan: Plan, done: Done) -> None:
    """Keep what came of a task.

    Raises:
        SemlinkError: nothing came of it, or the disk does not take it.
    """
    if done.fault is not None:
        raise done.fault
    if done.finished is not None:
        keep(plan.job, plan.runner.clips, done.task, done.finished)


def _finished_here(plan: Plan, supply: Supply, tell: Progress, left: TimeLeft) -> Generator[Done]:
    total, number = len(plan.tasks), 0
    while (task := supply.take()) is not None:
        doing = partial(_within, tell, task.name, number, total)
        runner = replace(plan.runner, tell=partial(_part_of, doing), doing=doing)
        left.started(task)
        started = time.monotonic()
        with one_thread():
            finished = compute(runner, task)
        yield Done(task, time.monotonic() - started, finished)
        number += 1


def _within(tell: Progress, name: str, done: int, total: int, said: str) -> None:
    """What a calibration tells of itself, as progress of the run."""
    tell(f"{name}, {said}", done, total)


def _part_of(doing: Callable[[str], None], part: int, whole: int) -> None:
    """What a long fit tells of itself."""
    doing(f"{part} of {whole}")
