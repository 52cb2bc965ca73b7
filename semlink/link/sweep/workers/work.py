"""The tasks of a plan worked on, in this process or in several; after a failure nothing half-written stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from semlink.link.sweep.plan import Plan
from semlink.link.sweep.workers.crew import finished_by_workers
from semlink.link.sweep.workers.one_task import work
from semlink.nn.cpu import one_thread

__all__ = ["Progress", "work_on"]

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""


def work_on(plan: Plan, workers: int, tell: Progress) -> None:
    """Work on all tasks of a plan; after a failure nothing half-written stays.

    Raises:
        SemlinkError: the first point that failed, or a process that died; finished points are kept.
    """
    tell(plan.job.scenario.name, 0, len(plan.tasks))
    workers = min(workers, len(plan.tasks))
    try:
        if workers > 1:
            _in_processes(plan, workers, tell)
        else:
            _here(plan, tell)
    except BaseException:
        plan.job.tidy()
        raise


def _here(plan: Plan, tell: Progress) -> None:
    with one_thread():
        for done, task in enumerate(plan.tasks, start=1):
            doing = partial(_within, tell, task.name, done - 1, len(plan.tasks))
            runner = replace(plan.runner, tell=partial(_part_of, doing), doing=doing)
            work(plan.job, runner, task)
            tell(task.name, done, len(plan.tasks))


def _within(tell: Progress, name: str, done: int, total: int, said: str) -> None:
    """What a calibration tells of itself, as progress of the run."""
    tell(f"{name}, {said}", done, total)


def _part_of(doing: Callable[[str], None], part: int, whole: int) -> None:
    """What a long fit tells of itself."""
    doing(f"{part} of {whole}")


def _in_processes(plan: Plan, workers: int, tell: Progress) -> None:
    plan.runner.links.clear()  # this process computes nothing
    done = finished_by_workers(plan.job, plan.runner.clips, plan.tasks, workers)
    for number, task in enumerate(done, start=1):
        tell(task.name, number, len(plan.tasks))
