"""Points computed by a Ray cluster, or by one that is started here for as long as a run lasts.

Clips and plan lie in the object store once; results come back and are kept by this process, so that no disk need be
shared. At most two tasks a processor are under way. A node or a process that dies costs what it was at, which others
get. Where fewer points are left than processors, the trials of one point are computed side by side: in the order of
the looks at the interval, and judged by the same rule, so that no number changes.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from semlink.errors import SemlinkError
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Plan
from semlink.link.sweep.point_key import specs_of
from semlink.link.sweep.point_runner import Trial
from semlink.link.sweep.trials import StopRule, stop_rule
from semlink.link.sweep.workers import ray_node
from semlink.link.sweep.workers.address import ray_address
from semlink.link.sweep.workers.one_task import ONE_THREAD, Done
from semlink.link.sweep.workers.ray_node import Answer, Shipped
from semlink.link.sweep.workers.supply import Supply
from semlink.payload import Frames
from semlink.plugins.contents import files_of_metric, users_files
from semlink.plugins.named_files import content_digest

__all__ = ["finished_on_ray"]

A_CPU = 2
"""Tasks under way for each processor: one is computed, and the next is there already."""
TRIES = 3
"""How often a point may be lost with the process or the node that is at it."""
LOOKS_EVERY_S = 0.2
COUNTS_EVERY_S = 5.0
ALONE_S = 120.0
"""How long a cluster may have no processor at all."""
SPLIT_S = 10.0
"""Points that take less are computed in one piece."""
STORE_BYTES = 200_000_000
"""Of a local object store, beside the clips."""
SHORT_S, HURRIED_S = 5.0, 0.3
"""How long nodes have to forget a run that is at its end, and one that is interrupted; the next run does it else."""


def finished_on_ray(plan: Plan, supply: Supply, on: str, workers: int) -> Generator[Done]:
    """The tasks in the order in which the cluster finishes them; what is under way when the time is over is cancelled.

    Args:
        workers: at most so many tasks are computed at once; 0 for as many as there are processors.
    Raises:
        SemlinkError: there is no Ray or no cluster, or a point was lost again and again.
    """
    shipped = _shipped(plan)
    with _cluster(ray_address(on), workers, sum(p.nbytes for p in shipped.pixels)) as ray:
        crew = _Crew(ray, shipped, supply, workers, stop_rule(plan.job.scenario))
        try:
            yield from crew.finished()
        except BaseException:
            crew.dismiss(HURRIED_S)
            raise
        crew.dismiss(SHORT_S)


@dataclass(slots=True)
class _Heavy:
    """A point whose trials are computed side by side.

    `is_whole` where it cannot be split after all: all trials would be the same, a clip finds no room, or a block fails.
    Computed in one piece, it says so itself.
    """

    known: dict[int, Trial] = field(default_factory=dict)
    is_whole: bool = False
    awaited: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Flight:
    """What is under way: a task, or these trials of it."""

    task: Task
    trials: tuple[int, ...] | None = None


@dataclass(slots=True)
class _Crew:
    """All that is under way in a cluster."""

    ray: Any
    shipped: Shipped
    supply: Supply
    most: int
    rule: StopRule
    flights: dict[Any, _Flight] = field(default_factory=dict)
    again: deque[_Flight] = field(default_factory=deque)
    heavy: dict[str, _Heavy] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    begun: set[str] = field(default_factory=set)
    cpus: int = 0
    counted: float = -1e9
    store: Any = None
    remote: Any = None

    def finished(self) -> Iterator[Done]:
        self.store = [self.ray.put(self.shipped)]
        self.remote = self.ray.remote(num_cpus=1, max_retries=0)(ray_node.work)
        while not self.supply.is_late:
            self._count()
            self._fill()
            if not (self.flights or self.supply.may_come):
                return
            if not self.flights:
                time.sleep(self.supply.patience(is_free=True) or 0.0)
                continue
            ready, _ = self.ray.wait(list(self.flights), num_returns=1, timeout=LOOKS_EVERY_S)
            for reference in ready:
                yield from self._heard(self.flights.pop(reference), reference)

    def dismiss(self, seconds: float) -> None:
        """Cancel what is under way, and have the nodes forget the run, for which they have so long."""
        for reference in self.flights:
            with suppress(Exception):
                self.ray.cancel(reference, force=True)
        with suppress(Exception):
            strategy = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            alive = [node["NodeID"] for node in self.ray.nodes() if node["Alive"]]
            forget = self.ray.remote(num_cpus=0, max_retries=0)(ray_node.forget)
            gone = [
                forget.options(scheduling_strategy=strategy(node, soft=False)).remote(self.shipped.run)
                for node in alive
            ]
            self.ray.wait(gone, num_returns=len(gone), timeout=seconds)

    def _count(self) -> None:
        """Look now and then how many processors there are: nodes come and go."""
        if time.monotonic() - self.counted < COUNTS_EVERY_S and self.cpus:
            return
        found = int(self.ray.cluster_resources().get("CPU", 0))
        now = time.monotonic()
        if found or self.cpus == 0 and self.counted < 0:
            self.counted = now
        elif now - self.counted > ALONE_S:
            raise SemlinkError("the cluster has no processor left; finished points are kept, run again to continue")
        cpus = min(found, self.most) if self.most else found
        if cpus != self.cpus:
            self.cpus = cpus
            self.supply.left.change_to(cpus)

    def _fill(self) -> None:
        """Send out tasks, as many as are worth it."""
        while len(self.flights) < (A_CPU if not self.most else 1) * max(self.cpus, 1):
            if self.again:
                self._send(self.again.popleft())
                continue
            task = self.supply.take()
            if task is None:
                break
            if self._is_split(task):
                self.heavy[task.key] = _Heavy()
                self._look_further(task)
            else:
                self._send(_Flight(task))
        for flight in list(self.flights.values())[: max(self.cpus, 1)]:
            if flight.task.key not in self.begun:
                self.begun.add(flight.task.key)
                self.supply.left.started(flight.task, len(self.begun) % max(self.cpus, 1))

    def _is_split(self, task: Task) -> bool:
        """Whether processors would stand idle while one computes all trials of a point that takes long."""
        if task.only_picture or self.rule.max < 2:
            return False
        points = len(self.supply.waiting) + len({flight.task.key for flight in self.flights.values()}) + 1
        expected = self.supply.left.expected()
        return points < self.cpus and (expected is None or expected(task) > SPLIT_S)

    def _look_further(self, task: Task) -> None:
        """Send out the trials up to the next look at the interval, or, where that is met, the rest of the point."""
        heavy = self.heavy[task.key]
        looks = [look for look in self.rule.looks if look > len(heavy.known)]
        if not looks or (heavy.known and self.rule.ends(_scores(heavy))):
            self._send(_Flight(task))
            return
        numbers = range(len(heavy.known), looks[0])
        parts = max(min(self.cpus, len(numbers)), 1)
        ends = [len(numbers) * part // parts for part in range(parts + 1)]
        heavy.awaited = parts
        for start, end in pairwise(ends):
            self._send(_Flight(task, tuple(numbers[start:end])))

    def _send(self, flight: _Flight) -> None:
        heavy = self.heavy.get(flight.task.key)
        known = {} if heavy is None or flight.trials is not None else heavy.known
        reference = self.remote.remote(self.shipped.run, self.store, flight.task, known, flight.trials)
        self.flights[reference] = flight

    def _heard(self, flight: _Flight, reference: Any) -> Iterator[Done]:
        """What came of a flight: a task done, if it is."""
        try:
            answer: Answer = self.ray.get(reference)
        except self._losses() as loss:
            self._lose(flight, loss)
            return
        except self.ray.exceptions.RayError as fault:
            raise SemlinkError(f"{flight.task.name}: {_first_line(fault)}") from fault
        heavy = self.heavy.get(flight.task.key)
        if flight.trials is None:
            self.heavy.pop(flight.task.key, None)
            seconds = answer.seconds + (heavy.seconds if heavy else 0.0)
            yield Done(flight.task, seconds, answer.finished, answer.fault)
            return
        assert heavy is not None
        heavy.awaited -= 1
        heavy.seconds += answer.seconds
        heavy.known |= answer.trials or {}
        heavy.is_whole |= not answer.trials
        if heavy.awaited == 0 and heavy.is_whole:
            self._send(_Flight(flight.task))
        elif heavy.awaited == 0:
            self._look_further(flight.task)

    def _losses(self) -> tuple[type[Exception], ...]:
        """What Ray raises where a process or a node is gone."""
        found = self.ray.exceptions
        return found.WorkerCrashedError, found.NodeDiedError, found.ObjectLostError, found.OutOfMemoryError

    def _lose(self, flight: _Flight, loss: Exception) -> None:
        """Have another do what was lost.

        Raises:
            SemlinkError: it was lost again and again.
        """
        self.lost[flight.task.key] += 1
        if self.lost[flight.task.key] >= TRIES + len(flight.trials or ()):
            raise SemlinkError(
                f"{flight.task.name}: lost {self.lost[flight.task.key]} times with the process or node that was at it "
                f"(out of memory?): {_first_line(loss)}"
            ) from loss
        self.again.append(flight)


def _scores(heavy: _Heavy) -> list[Sequence[ClipTrial]]:
    return [heavy.known[number].scores for number in range(len(heavy.known))]


def _first_line(fault: Exception) -> str:
    lines = [line for line in str(fault).splitlines() if line.strip()]
    return lines[-1].strip() if lines and "Traceback" in str(fault) else lines[0] if lines else type(fault).__name__


@contextmanager
def _cluster(address: str | None, workers: int, clip_bytes: int) -> Iterator[Any]:
    """Ray, connected; one that was connected before stays so.

    Raises:
        SemlinkError: it is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as fault:
        raise SemlinkError(f"on: Ray cannot be imported ({fault}); pip install 'semlink[ray]'") from fault
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    try:
        if address is None:
            store = STORE_BYTES + 2 * clip_bytes
            with _one_thread_each():
                # "local" whatever RAY_ADDRESS says, and whatever cluster runs here
                ray.init("local", num_cpus=workers or os.cpu_count() or 1, object_store_memory=store, **quiet)
        else:
            quiet.pop("include_dashboard")
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as fault:
        where = "a local cluster cannot be started" if address is None else f"no cluster answers at {address}"
        raise SemlinkError(
            f"on: {where} ({_first_line(fault)}); the address is that of `ray start --head`, and this machine has to "
            "be a node of the cluster"
        ) from fault
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _shipped(plan: Plan) -> Shipped:
    """What the nodes need.

    Raises:
        ScenarioError: it has live objects.
    """
    clips, scenario, runner = plan.runner.clips, plan.job.scenario, plan.runner
    return Shipped(
        token_hex(8),
        ray_node.code_digest(),
        scenario.at(None),
        _pixels(clips.frames),
        clips.names,
        clips.motion,
        clips.digest,
        clips.look,
        _pixels(clips.calibration),
        *_files(plan),
        runner.secret,
    )


def _pixels(frames: Sequence[Frames]) -> tuple[np.ndarray, ...]:
    return tuple(np.ascontiguousarray(clip.pixels[0].numpy()) for clip in frames)


def _files(plan: Plan) -> tuple[dict[str, bytes], dict[str, str], tuple[str, ...]]:
    """A user's files by their places below the scenario's folder, or this one; those that lie elsewhere, with digests;
    and installed packages, with versions.
    """
    job, found, packages = plan.job, set[Path](), set[str]()
    ends = {(point.scheme, point.channel): point for point in plan.keys}
    told = [users_files(specs_of(job.scenario, p), job.folder, plan.runner.files(p)) for p in ends.values()]
    told += [files_of_metric(name, job.folder) for name in job.scenario.metrics if ":" in name]
    for files, imported in told:
        found |= files
        packages |= imported
    homes = [home.resolve() for home in (job.folder, Path.cwd()) if home is not None]
    sent: dict[str, bytes] = {}
    outside = {}
    for path in sorted(found):
        home = next((home for home in homes if path.is_relative_to(home)), None)
        if home is None:
            outside[str(path)] = content_digest(path)
        else:
            sent.setdefault(str(path.relative_to(home)), path.read_bytes())
    return sent, outside, tuple(sorted(packages))
