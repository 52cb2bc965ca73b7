"""The tasks of a plan worked on, in this process or in several; after a failure nothing half-written stays.

Where points are computed is chosen here and nowhere else. Whoever does it takes tasks from a `Supply` and tells what is
`Done`, one after the other; what comes back with its numbers is kept here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Plan
from semlink.link.sweep.time_left import TimeLeft, early_of_each
from semlink.link.sweep.workers.crew import finished_by_workers
from semlink.link.sweep.workers.one_task import Done, compute, keep, saying
from semlink.link.sweep.workers.supply import Claims, Supply
from semlink.memory import collecting_little
from semlink.nn.cpu import one_thread

__all__ = ["Progress", "Way", "work_on"]

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a plan is worked on.

    Attributes:
        workers: processes.
        until: when the run ends at the latest, by `time.monotonic`; what is under way then is given up.
        claims: which points others work on, where several runs share the folder.
        on: a Ray cluster that computes, as `ray_address` has it; this machine by default.
    """

    workers: int = 1
    until: float | None = None
    claims: Claims | None = None
    on: str | None = None

    @property
    def needs_processes(self) -> bool:
        """Whether processes of this machine compute; what this one computes itself nobody can end in time."""
        return self.on is None and (self.workers > 1 or self.until is not None)


def work_on(plan: Plan, way: Way, tell: Progress, left: TimeLeft) -> int:
    """Work on all tasks of a plan, and count the points computed; after a failure nothing half-written stays.

    Some points of each scheme come first: it is soon known how long all will take, and what fails fails early.

    Args:
        left: is told what is begun and what is done.
    Raises:
        SemlinkError: the first point that failed, or a process that died; finished points are kept.
    """
    if way.on is None:
        way = replace(way, workers=max(min(way.workers, len(plan.tasks)), 1))
    tasks = early_of_each(plan.tasks, max(way.workers, 1))
    left.begin(tasks, way.workers)
    supply = Supply.of(tasks, left, way.until, way.claims)
    computed = 0
    tell(plan.job.scenario.name, 0, supply.total)
    try:
        with closing(_finished(plan, supply, way, tell)) as all_done:
            for done in all_done:
                _settle(plan, done)
                supply.finish(done.task)
                left.finished(done.task, done.seconds)
                computed += not done.task.only_picture
                tell(done.task.name, supply.done, supply.total)
    except BaseException:
        if way.claims is None:
            plan.job.tidy()
        raise
    return computed


def _finished(plan: Plan, supply: Supply, way: Way, tell: Progress) -> Generator[Done]:
    """The tasks as they are done, wherever that is."""
    if plan.tasks and way.on is not None:
        from semlink.link.sweep.workers.on_ray import finished_on_ray

        plan.runner.links.clear()  # this process computes nothing
        return finished_on_ray(plan, supply, way.on, way.workers)
    if plan.tasks and way.needs_processes:
        plan.runner.links.clear()  # this process computes nothing
        doing = partial(_within, tell, supply)
        return finished_by_workers(plan.job, plan.runner.clips, supply, way.workers, supply.left.started, doing)
    return _finished_here(plan, supply, tell)


def _settle(plan: Plan, done: Done) -> None:
    """Keep what came of a task.

    Raises:
        SemlinkError: nothing came of it, or the disk does not take it.
    """
    notes = plan.job.notes
    if done.fault is not None:
        notes.fail(done.task.key, done.task.name, str(done.fault).partition("\n")[0])
        raise done.fault
    if done.finished is not None:
        keep(plan.job, plan.runner.clips, done.task, done.finished)
    if not done.task.only_picture:
        notes.took(done.task.key, done.seconds)


def _finished_here(plan: Plan, supply: Supply, tell: Progress) -> Generator[Done]:
    with collecting_little() as keep_aside:
        while True:
            while (task := supply.take()) is not None:
                supply.left.started(task)
                yield _done_here(plan, task, partial(_within, tell, supply, task))
                if supply.done <= 1:  # links are built, libraries loaded
                    keep_aside()
            if not supply.may_come:
                return
            time.sleep(supply.patience(is_free=True) or 0.0)


def _done_here(plan: Plan, task: Task, doing: Callable[[str], None]) -> Done:
    runner = saying(plan.runner, doing)
    started = time.monotonic()
    try:
        with one_thread():
            finished = compute(runner, task)
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is raised where all faults are
        return Done(task, time.monotonic() - started, fault=fault)
    return Done(task, time.monotonic() - started, finished)


def _within(tell: Progress, supply: Supply, task: Task, said: str) -> None:
    """What a task is at, as progress of the run."""
    tell(f"{task.name}, {said}", supply.done, supply.total)
