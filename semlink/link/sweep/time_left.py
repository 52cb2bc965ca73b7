"""How long a run will still take, told from what its points have taken so far.

Points of one scheme may take a hundred times as long as those of another, so a mean over all that are done says
nothing about schemes to come. `early_of_each` has some points of each scheme worked on first: a scheme's first point
also pays for what the scheme keeps (its calibration, draws of the channel, compiled loops), the second tells what the
others take. `TimeLeft` plays the rest of the run through with these. No number of a run depends on any of it.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semlink.link.sweep.grid import Task

__all__ = ["TimeLeft", "early_of_each"]

LONGER = 1.5
"""How many times the time that a point has taken so far it takes in all, where nothing is known of its scheme."""
OVERDUE = 1.0
"""Of the time by which a point is late, what it is still given: what takes long tends to take longer still.

One point of ten may hold a quarter of a run, such as the choice of an MCS right at the cliff. With 0.2 the quickstart's
two workers were told 0.55 of the truth while that point was all that was left.
"""
DOUBT = 1.0
"""Mean points that count beside those of one budget, or of one SNR: a single one says little."""
ROUNDS = 2
"""In which shares of budgets and of SNRs are found beside each other."""


def early_of_each(tasks: Sequence[Task], workers: int = 1) -> tuple[Task, ...]:
    """The tasks, first some of each scheme, so that one worker does two of them; then as they stood.

    These are the one that pictures show, and of the same budget or rate those in the middle.
    """
    of_scheme: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        of_scheme[task.point.scheme].append(task)
    if len(of_scheme) < 2:
        return tuple(tasks)
    early: dict[str, Task] = {}
    for some in of_scheme.values():
        shown = next((task for task in some if task.is_shown), some[len(some) // 2])
        rest = [task for task in some if task is not shown]
        alike = [task for task in rest if _size(task) == _size(shown)]
        found = alike if len(alike) >= workers else rest
        at = max(len(found) - workers, 0) // 2
        early |= {task.key: task for task in (shown, *found[at : at + workers])}
    return (*early.values(), *(task for task in tasks if task.key not in early))


@dataclass(slots=True)
class _Costs:
    """Seconds that points took, by their size and the air they met."""

    taken: list[tuple[Hashable, Hashable, float]] = field(default_factory=list)

    def add(self, task: Task, seconds: float) -> None:
        self.taken.append((_size(task), _air(task), seconds))

    @property
    def mean(self) -> float:
        return sum(seconds for *_, seconds in self.taken) / len(self.taken)

    def fitted(self) -> Callable[[Task], float]:
        """What a point takes: the mean, times a share for its size and one for its air where points had these."""
        mean = self.mean
        shares: tuple[dict[Hashable, float], ...] = ({}, {})
        for _ in range(ROUNDS if mean else 0):
            for of, beside in ((0, 1), (1, 0)):
                took: dict[Hashable, float] = defaultdict(lambda: DOUBT * mean)
                thought: dict[Hashable, float] = defaultdict(lambda: DOUBT * mean)
                for *where, seconds in self.taken:
                    took[where[of]] += seconds
                    thought[where[of]] += mean * shares[beside].get(where[beside], 1.0)
                shares[of].update({part: took[part] / thought[part] for part in took})
        size, air = shares
        return lambda task: mean * size.get(_size(task), 1.0) * air.get(_air(task), 1.0)


@dataclass(frozen=True, slots=True)
class _Running:
    task: Task
    worker: Hashable
    since: float
    is_first: bool


class TimeLeft:
    """Follows a run; `seconds()` says at any moment, from any thread, what is left of it.

    A worker takes the next task as soon as it has done one, and so does the estimate. A point that takes longer than
    was thought will take as much longer still. Of a scheme of which none is done, points take as long as those of the
    others, or what the one at work leads to expect.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, Task] = {}
        self._running: dict[str, _Running] = {}
        self._costs: dict[tuple[int, bool, bool], _Costs] = defaultdict(_Costs)
        self._seen: dict[Hashable, set[Hashable]] = defaultdict(set)
        self._workers = 0

    def begin(self, tasks: Sequence[Task], workers: int) -> None:
        """All that is to do, in the order in which it is done."""
        with self._lock:
            self._waiting, self._workers = {task.key: task for task in tasks}, max(workers, 1)

    def started(self, task: Task, worker: Hashable = 0) -> None:
        """A worker is at it."""
        with self._lock:
            self._waiting.pop(task.key, None)
            is_first = _link(task) not in self._seen[worker]
            self._seen[worker].add(_link(task))
            self._running[task.key] = _Running(task, worker, self._clock(), is_first)

    def finished(self, task: Task, seconds: float | None = None) -> None:
        """It is done; `seconds` is what it took where a worker says so, who may have had to start first."""
        with self._lock:
            run = self._running.pop(task.key)
            took = self._clock() - run.since if seconds is None else seconds
            self._costs[_kind(task, run.is_first)].add(task, max(took, 0.0))

    def change_to(self, workers: int) -> None:
        """So many are at work now."""
        with self._lock:
            self._workers = max(workers, 1)

    @property
    def workers(self) -> int:
        """How many are at work."""
        return self._workers

    def dropped(self, task: Task) -> None:
        """It is done, and not in this run."""
        with self._lock:
            self._waiting.pop(task.key, None)

    def expected(self) -> Callable[[Task], float] | None:
        """What each task takes that somebody begins now; None as long as no point is done."""
        with self._lock:
            if not self._means():
                return None
            guess = self._guess(self._clock())
            known = set().union(*self._seen.values())
            return lambda task: guess(task, _link(task) not in known)

    def seconds(self) -> float | None:
        """Seconds until all is done; None as long as no point is, nor is it known what there is to do."""
        with self._lock:
            if not (self._waiting or self._running):
                return 0.0 if self._workers else None
            return self._played() if self._means() else None

    def _played(self) -> float:
        now = self._clock()
        guess = self._guess(now)
        ends: list[tuple[float, int]] = []
        seen: list[set[Hashable]] = []
        for run in self._running.values():
            took, all_of_it = now - run.since, guess(run.task, run.is_first)
            ends.append((max(all_of_it - took, OVERDUE * (took - all_of_it)), len(seen)))
            seen.append(set(self._seen[run.worker]))
        busy = {run.worker for run in self._running.values()}
        free = [known for worker, known in self._seen.items() if worker not in busy]
        while len(seen) < self._workers:
            ends.append((0.0, len(seen)))
            seen.append(set(free.pop()) if free else set())
        heapq.heapify(ends)
        for task in self._waiting.values():
            end, worker = ends[0]
            heapq.heapreplace(ends, (end + guess(task, _link(task) not in seen[worker]), worker))
            seen[worker].add(_link(task))
        return max(end for end, _ in ends)

    def _guess(self, now: float) -> Callable[[Task, bool], float]:
        """How long a task takes, which may be a worker's first of its scheme."""
        means = self._means().values()
        unknown = sum(means) / max(len(means), 1)
        fitted = {kind: costs.fitted() for kind, costs in self._costs.items()}
        least: dict[int, float] = defaultdict(float)
        for run in self._running.values():
            scheme = run.task.point.scheme
            least[scheme] = max(least[scheme], now - run.since)

        def guess(task: Task, is_first: bool) -> float:
            for first in (is_first, not is_first):
                kind = _kind(task, first)
                if kind in fitted:
                    return fitted[kind](task)
            return 0.0 if task.only_picture else max(unknown, LONGER * least[task.point.scheme])

        return guess

    def _means(self) -> dict[int, float]:
        """What points of each scheme take, those of which any is done: their first only where there is no other."""
        found: dict[int, float] = {}
        for scheme, pictures, is_first in sorted(self._costs, key=lambda kind: not kind[2]):
            if not pictures:
                found[scheme] = self._costs[scheme, pictures, is_first].mean
        return found


def _size(task: Task) -> Hashable:
    return task.point.budget, task.point.rate


def _air(task: Task) -> Hashable:
    return task.point.channel, task.point.snr_db


def _link(task: Task) -> Hashable:
    """What a worker builds once, and what it learns for it."""
    return task.point.scheme, task.point.channel


def _kind(task: Task, is_first: bool) -> tuple[int, bool, bool]:
    """Tasks that take about as long: a picture alone takes a small part of a point."""
    return task.point.scheme, task.only_picture, is_first
