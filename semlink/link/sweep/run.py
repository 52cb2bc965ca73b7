"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the results folder. A point's numbers depend on its
own key alone, so the number of workers and the order of work change nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semlink.caching import StreamStore
from semlink.errors import ScenarioError, SemlinkError
from semlink.link.results.folder import Results
from semlink.link.results.rows import Row
from semlink.link.scenario.build import build_waveform
from semlink.link.scenario.loader import Origin
from semlink.link.scenario.scenario import Scenario, build_block
from semlink.link.schemes.sensing_only.scheme import SensingScheme
from semlink.link.sweep.grid import GridPoint, channel_name, grid, point_key, point_name
from semlink.link.sweep.point import Bench, Clips, load_clips, run_point

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario with where it comes from and where its results go.

    `folder` is where a user's files are looked up first; `origin` lets errors
    name file and line.
    """

    scenario: Scenario
    out: Path
    folder: Path | None = None
    origin: Origin | None = None

    @property
    def results(self) -> Results:
        return Results(self.out)

    def bench(self, clips: Clips | None = None) -> Bench:
        """A place of work for this process."""
        clips = clips or load_clips(self.scenario, self.folder)
        return Bench(self.scenario, clips, StreamStore(self.out / ".cache"), self.folder)

    def blamed(self, *loc: int | str) -> AbstractContextManager[None]:
        """Errors inside are put down to this place of the scenario."""
        return nullcontext() if self.origin is None else self.origin.blamed(*loc)


@dataclass(frozen=True, slots=True)
class Plan:
    """All points with their keys, and those that are missing."""

    points: tuple[tuple[str, GridPoint], ...]
    missing: tuple[tuple[str, GridPoint], ...]
    clips: Clips

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.points)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left behind; `bench` is where the work was done, if in this process."""

    rows: tuple[Row, ...]
    points: int
    computed: int
    seconds: float
    clips: Clips
    keys: tuple[str, ...] = ()
    bench: Bench | None = None


def plan(job: Job, *, fresh: bool = False) -> Plan:
    """Load the clips, make the folder, and find what is missing.

    Raises:
        SourceError, ResultsError: before any work is done.
    """
    with job.blamed("source"):
        clips = load_clips(job.scenario, job.folder)
    check_blocks(job, clips)
    job.results.prepare(fresh=fresh)
    points = tuple((point_key(job.scenario, p, clips.digest, job.folder), p) for p in grid(job.scenario))
    return Plan(points, tuple((k, p) for k, p in points if not job.results.has(k)), clips)


def check_blocks(job: Job, clips: Clips) -> None:
    """Build every block once, so that a wrong option is said before the work starts."""
    from semlink.phy.waveforms.plain import check_fit

    scenario, bench = job.scenario, job.bench(clips)
    for number, spec in enumerate(scenario.channel):
        with job.blamed("channel", number):
            channel = _checked(f"channel {spec.kind}", lambda: build_block(spec, "channel", job.folder))  # noqa: B023
        with job.blamed(*(("channel", number) if scenario.waveform is None else ("waveform",))):
            waveform = _checked("waveform", lambda: build_waveform(scenario.waveform, spec, job.folder))  # noqa: B023
            _checked("waveform", lambda: check_fit(waveform, channel))  # noqa: B023
    seen = set()
    for point in grid(scenario):
        with job.blamed("schemes", point.scheme):
            if (point.scheme, point.channel) not in seen:
                seen.add((point.scheme, point.channel))
                bench.link(point)
            scheme = bench.link(point).transmitter
            if isinstance(scheme, SensingScheme):
                scheme.check(clips.frames[0].shape, point.rate)


def _checked(what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; a wrong value is the scenario's fault."""
    try:
        return make()
    except (ValueError, TypeError) as fault:
        raise fault if isinstance(fault, SemlinkError) else ScenarioError(f"{what}: {fault}") from fault


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
    bench: Bench | None = None
    try:
        if min(workers, len(made.missing)) > 1:
            _run_many(job, made.missing, min(workers, len(made.missing)), tell)
        elif made.missing:
            bench = _run_here(job, made, tell)
    except BaseException:
        job.results.tidy()
        raise
    rows = job.results.write_curves(made.keys)
    seconds = time.monotonic() - started
    job.results.write_manifest(
        job.scenario, seconds=seconds, workers=workers, computed=len(made.missing), points=len(made.points)
    )
    return Report(rows, len(made.points), len(made.missing), seconds, made.clips, made.keys, bench)


def _run_here(job: Job, made: Plan, tell: Progress) -> Bench:
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


def record_of(bench: Bench, point: GridPoint) -> dict[str, Any]:
    """A point's record; an error says where on the grid it happened."""
    try:
        return run_point(bench, point)
    except SemlinkError as fault:
        where = point_name(bench.scenario, point)
        if point.channel is not None:
            where += f", {channel_name(bench.scenario.channel[point.channel])}"
        raise type(fault)(f"{where}: {fault}") from fault


def _run_many(job: Job, missing: Sequence[tuple[str, GridPoint]], workers: int, tell: Progress) -> None:
    context = multiprocessing.get_context("spawn")
    with _quiet_children(), ProcessPoolExecutor(workers, context, initializer=_start, initargs=(job,)) as pool:
        with _deaf_children():
            futures = {pool.submit(_work, key, point): point for key, point in missing}
        try:
            for done, point in enumerate(_finished(futures), start=1):
                tell(point_name(job.scenario, point), done, len(missing))
        except BaseException as fault:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(fault, KeyboardInterrupt):
                for process in processes:
                    process.terminate()
                for process in processes:
                    process.join(timeout=5)
            if isinstance(fault, BrokenProcessPool):
                raise SemlinkError("a worker process died (out of memory?); run again with fewer --workers") from fault
            raise


def _finished(futures: dict[Future, GridPoint]) -> Iterator[GridPoint]:
    left = set(futures)
    while left:
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            yield futures[future]


_bench: Bench | None = None
_results: Results | None = None


def _start(job: Job) -> None:
    import torch

    global _bench, _results
    torch.set_num_threads(1)
    _bench, _results = job.bench(), job.results


def _work(key: str, point: GridPoint) -> None:
    assert _bench is not None and _results is not None
    _results.write(key, record_of(_bench, point))


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread, as in a worker, so that sums are added in the same order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet_children() -> Iterator[None]:
    """Workers start with one OpenMP thread each."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C: the parent does, and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
