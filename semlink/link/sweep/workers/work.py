"""The tasks of a plan worked on, in this process or in several; after a failure nothing half-written stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Plan
from semlink.link.sweep.time_left import TimeLeft, early_of_each
from semlink.link.sweep.workers.crew import finished_by_workers
from semlink.link.sweep.workers.one_task import work
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
    workers = min(workers, len(plan.tasks))
    tasks = early_of_each(plan.tasks, workers)
    left.begin(tasks, workers)
    tell(plan.job.scenario.name, 0, len(plan.tasks))
    try:
        if workers > 1:
            _in_processes(plan, tasks, workers, tell, left)
        else:
            _here(plan, tasks, tell, left)
    except BaseException:
        plan.job.tidy()
        raise


def _here(plan: Plan, tasks: Sequence[Task], tell: Progress, left: TimeLeft) -> None:
    with one_thread():
        for done, task in enumerate(tasks, start=1):
            doing = partial(_within, tell, task.name, done - 1, len(tasks))
            runner = replace(plan.runner, tell=partial(_part_of, doing), doing=doing)
            left.started(task)
            work(plan.job, runner, task)
            left.finished(task)
            tell(task.name, done, len(tasks))


def _within(tell: Progress, name: str, done: int, total: int, said: str) -> None:
    """What a calibration tells of itself, as progress of the run."""
    tell(f"{name}, {said}", done, total)


def _part_of(doing: Callable[[str], None], part: int, whole: int) -> None:
    """What a long fit tells of itself."""
    doing(f"{part} of {whole}")


def _in_processes(plan: Plan, tasks: Sequence[Task], workers: int, tell: Progress, left: TimeLeft) -> None:
    plan.runner.links.clear()  # this process computes nothing
    done = finished_by_workers(plan.job, plan.runner.clips, tasks, workers, left.started)
    for number, (task, seconds) in enumerate(done, start=1):
        left.finished(task, seconds)
        tell(task.name, number, len(tasks))
