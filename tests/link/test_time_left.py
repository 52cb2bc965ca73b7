"""The time that a run will still take: a law wherever there is one, by a clock that the test moves."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import toys
from small_runs import job, unpacked

from semlink.cli.progress import Lines
from semlink.link.results.finished import read_run
from semlink.link.sweep.grid import GridPoint, Task
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.link.sweep.time_left import TimeLeft, early_of_each
from semlink.units import in_words

Cost = Callable[[Task, bool], float]
"""Seconds of a task, which may be a worker's first of its scheme."""


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Told:
    """What was said when a task was done: seconds since the start, tasks done, estimate; and the whole time."""

    at: Sequence[tuple[float, int, float]]
    whole: float

    def ratio(self, done: int) -> float:
        """Estimate by truth when so many tasks were done."""
        at, _, said = self.at[done - 1]
        return said / (self.whole - at)


def tasks_of(*schemes: int, snrs: Sequence[float] = (3, 6, 9), budgets: Sequence[float] = (1, 2, 4)) -> list[Task]:
    points = [GridPoint(s, 0, snr, budget, None) for s in schemes for snr in snrs for budget in budgets]
    return [Task(f"{p.scheme}-{p.snr_db}-{p.budget}", p, "", is_shown=(p.snr_db, p.budget) == (6, 2)) for p in points]


def played(tasks: Sequence[Task], cost: Cost, workers: int = 1) -> Told:
    """The tasks worked on as workers do, with what is said whenever one is done."""
    clock = Clock()
    left, start = TimeLeft(clock), clock.now
    assert left.seconds() is None, "clips are loaded"
    left.begin(tasks, workers)
    assert left.seconds() is None, "nothing is known yet"
    waiting, busy, seen, told = list(tasks), [], set(), []
    free = list(range(workers))
    while waiting or busy:
        while free and waiting:
            task, worker = waiting.pop(0), free.pop()
            link = (worker, task.point.scheme)
            left.started(task, worker)
            heapq.heappush(busy, (clock.now + cost(task, link not in seen), task.key, task, worker))
            seen.add(link)
        clock.now, _, task, worker = heapq.heappop(busy)
        left.finished(task)
        free.append(worker)
        told.append((clock.now - start, len(told) + 1, left.seconds()))
    return Told(told, clock.now - start)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_points_that_take_the_same_give_the_exact_time(workers):
    told = played(early_of_each(tasks_of(0, 1, 2), workers), lambda task, is_first: 7.0, workers)
    for at, done, said in told.at:
        if done % workers == 0:  # else the others are done at the same time
            assert said == pytest.approx(told.whole - at)


def test_a_quick_and_a_slow_scheme_are_told_after_two_points_of_each():
    cost = {0: 1.0, 1: 20.0}
    tasks = early_of_each(tasks_of(0, 1))
    assert [task.point.scheme for task in tasks[:4]] == [0, 0, 1, 1] and len(tasks) == 18
    assert set(tasks) == set(tasks_of(0, 1)) and tasks[4:] == tuple(t for t in tasks_of(0, 1) if t not in tasks[:4])
    told = played(tasks, lambda task, is_first: cost[task.point.scheme])
    assert all(told.ratio(done) == pytest.approx(1) for done in range(3, 18)), "one of each is enough"
    before = played(tasks_of(0, 1), lambda task, is_first: cost[task.point.scheme])
    assert before.ratio(9) < 0.06, "in the order of the grid the slow scheme comes as a surprise"


def test_what_a_scheme_pays_once_is_not_taken_for_every_point():
    told = played(early_of_each(tasks_of(0, 1)), lambda task, is_first: 2.0 + 30 * is_first * task.point.scheme)
    assert told.ratio(4) == pytest.approx(1)
    both = played(early_of_each(tasks_of(0, 1), 2), lambda task, is_first: 2.0 + 30 * is_first, workers=2)
    assert all(both.ratio(done) == pytest.approx(1) for done in range(6, 16)), "each worker pays once"


def test_two_workers_halve_it():
    alone, both = (played(early_of_each(tasks_of(0, 1, 2, 3)), lambda task, is_first: 5.0, n) for n in (1, 2))
    assert both.at[7][2] == pytest.approx(alone.at[7][2] / 2)


def test_what_grows_with_the_budget_is_learnt():
    tasks = early_of_each(tasks_of(0, 1, snrs=range(3, 33, 3)))
    told = played(tasks, lambda task, _: (1 + 9 * task.point.scheme) * task.point.budget)
    assert all(1 / 1.3 < told.ratio(done) < 1.3 for done in range(3, 58) if done not in (33, 34))
    assert told.ratio(33) > 0.6, "the slow scheme's smallest budget may as well be a quick channel"
    slower = played(early_of_each(tasks_of(0, snrs=range(3, 33, 3))), lambda task, _: task.point.budget)
    assert all(0.8 < slower.ratio(done) < 1.25 for done in range(4, 28))


def test_never_negative_nor_far_beyond_the_whole():
    for workers in (1, 2, 4):
        for slow in (0, 1, 2):
            cost = {0: 2.0, 1: 2.0, 2: 2.0, slow: 40.0}
            tasks = early_of_each(tasks_of(0, 1, 2), workers)
            told = played(tasks, lambda t, new, cost=cost: cost[t.point.scheme] * t.point.budget * (1 + new), workers)
            assert all(0 <= said <= 5 * told.whole for _, _, said in told.at) and told.at[-1][2] == 0
            if workers == 1:
                assert all(said <= 1.7 * (told.whole - at) for at, done, said in told.at if done >= 5)
                assert all(said >= 0.5 * (told.whole - at) for at, done, said in told.at if done >= 7)


def test_between_points_it_counts_down_and_what_is_late_is_given_as_much_more():
    clock = Clock()
    left, (a, b, c) = TimeLeft(clock), tasks_of(0, snrs=(3, 6, 9), budgets=(1,))
    left.begin([a, b, c], 1)
    left.started(a)
    clock.now += 10
    left.finished(a)
    left.started(b)
    assert left.seconds() == pytest.approx(20)
    clock.now += 4
    assert left.seconds() == pytest.approx(16)
    clock.now += 16
    assert left.seconds() == pytest.approx(10 + 10)
    left.finished(b, seconds=12.0)
    assert left.seconds() == pytest.approx(12), "the first point pays once, so the last takes what the second took"


def test_a_scheme_at_work_takes_at_least_as_long_as_it_has_been_at_it():
    clock = Clock()
    tasks = early_of_each(tasks_of(0, 1))
    left = TimeLeft(clock)
    left.begin(tasks, 1)
    for task in tasks[:2]:
        left.started(task)
        clock.now += 1
        left.finished(task)
    assert left.seconds() == pytest.approx(16), "of the other nothing is known: as this one"
    left.started(tasks[2])
    clock.now += 50
    assert left.seconds() == pytest.approx(1.5 * 9 * 50 - 50 + 7)


def test_pictures_alone_take_no_time_and_one_scheme_stays_in_order():
    tasks = tasks_of(0)
    assert early_of_each(tasks) == tuple(tasks)
    left = TimeLeft(Clock())
    left.begin([replace(task, only_picture=True) for task in tasks], 1)
    assert left.seconds() is None
    tasks.append(replace(tasks_of(1)[0], only_picture=True))
    told = played(tasks, lambda task, _: 0.0 if task.only_picture else 3.0)
    assert told.ratio(5) == pytest.approx(1)


def test_a_run_is_followed_and_a_rerun_counts_only_what_is_missing(tmp_path):
    work = two_schemes(tmp_path)
    left, said, names = TimeLeft(), [], []

    def tell(name: str, done: int, total: int) -> None:
        said.append(left.seconds())
        names.append(name.partition(" dB")[0])

    made = run(work, progress=tell, left=left)
    assert said[0] is None and all(seconds >= 0 for seconds in said[1:]) and said[-1] == 0
    assert names == ["toy", "a, 8", "a, 5", "b, 8", "b, 5", "a, 12", "b, 12"]
    assert [row.scheme for row in made.rows] == ["a"] * 3 + ["b"] * 3, "the table as ever"
    unpacked(tmp_path / "out")[0].unlink()
    again, said = TimeLeft(), []
    run(work, progress=lambda name, done, total: said.append((done, total, again.seconds())), left=again)
    assert said == [(0, 1, None), (1, 1, 0)]


@pytest.mark.slow
def test_workers_tell_what_they_took(tmp_path):
    left, said = TimeLeft(), []
    run(two_schemes(tmp_path), workers=2, left=left, progress=lambda name, done, total: said.append(left.seconds()))
    assert said[0] is None and all(0 <= seconds < 60 for seconds in said[1:]) and said[-1] == 0
    assert read_run(tmp_path / "out").manifest["workers"] == 2


def two_schemes(folder: Path) -> Job:
    """Two schemes at three SNRs."""
    direct = {"kind": f"{toys.__file__}:Direct"}
    sweep = {"snr_db": [5, 8, 12], "budget": [0.04]}
    return job(folder, sweep=sweep, schemes=[{"name": "a", **direct}, {"name": "b", **direct}])


def test_without_a_terminal_a_line_comes_now_and_then():
    clock, lines = Clock(), []
    left = TimeLeft(clock)
    tasks = tasks_of(0)
    left.begin(tasks, 1)
    log = Lines("toy", left, clock, lines.append)
    for done, task in enumerate(tasks, start=1):
        left.started(task)
        clock.now += 25
        left.finished(task)
        log.tell(task.name, done, len(tasks))
    assert lines == [
        "toy: 2 of 9 points after 50 s, about 3 min left\n",
        "toy: 5 of 9 points after 2 min, about 2 min left\n",
        "toy: 8 of 9 points after 3 min, about 25 s left\n",
    ]


def test_a_log_hears_of_a_point_that_takes_long_what_it_is_at():
    clock, lines = Clock(), []
    log = Lines("toy", TimeLeft(clock), clock, lines.append)
    for _ in range(200):  # seconds in which clips are loaded, and then a calibration says what it is at
        clock.now += 1
        log.look()
        if clock.now > 1100:
            log.tell("best, 4 dB, choosing: draw 8 of the channel", 0, 3)
    assert lines == [
        "toy: preparing after 30 s\n",
        "toy: preparing after 2 min\n",
        "toy: 0 of 3 points after 2 min; best, 4 dB, choosing: draw 8 of the channel\n",
    ]


@pytest.mark.slow
def test_workers_say_what_a_calibration_is_at(tmp_path):
    told = []
    coding = {"kind": "ldpc", "mcs": "best"}
    schemes = [{"name": "best", "kind": "digital", "codec": {"kind": f"{toys.__file__}:Thumbnails"}, "coding": coding}]
    run(job(tmp_path, schemes=schemes), workers=2, progress=lambda name, done, total: told.append(name))
    assert any("best, 5 dB" in name and ", choosing: " in name for name in told)


def test_a_log_hears_early_that_work_has_begun():
    lines: list[str] = []
    log = Lines("toy", TimeLeft(), lambda: 0.0, lines.append)
    log.begin()
    log.tell("toy", 0, 27)
    log.begin()
    log.tell("last", 27, 27)
    log.begin()
    assert lines == ["toy: preparing\n", "toy: 0 of 27 points\n"]


def test_times_in_words():
    told = {3: "3 s", 0: "1 s", 42: "40 s", 61: "1 min", 3600: "1 h", 7900: "2 h 10 min", 40_000: "11 h"}
    assert {seconds: in_words(seconds) for seconds in told} == told
