"""Measure and judge: entries that share a measurement share one run of it, in one process or in several.

A number depends on the seed and on its measurement alone: neither the order of work, nor the number of workers, nor
what else is run change it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch

from semlink.errors import SemlinkError
from semlink.link.sweep.workers.crew import no_script
from semlink.link.validate.entry import Bench, CannotRun, Entry, Found, Measure
from semlink.link.validate.verdict import Row, judged, not_run, raised

__all__ = ["Progress", "validated"]

Progress = Callable[[str, int, int], None]
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a measurement: its numbers, or what it needs, or how it failed."""

    found: Mapping[str, Found]
    seconds: float
    missing: str = ""
    fault: str = ""


def validated(
    entries: Sequence[Entry], bench: Bench, *, workers: int = 1, progress: Progress | None = None
) -> tuple[Row, ...]:
    """A row for each entry, in their order.

    Args:
        workers: processes.
        progress: called with an entry's name, how many entries are judged and how many there are.
    Raises:
        SemlinkError: a worker died.
    """
    by_measure: dict[Measure, list[Entry]] = {}
    for entry in entries:
        by_measure.setdefault(entry.measure, []).append(entry)
    rows: dict[str, Row] = {}
    for measure, outcome in _outcomes(list(by_measure), bench, workers):
        for entry in by_measure[measure]:
            rows[entry.name] = _row(entry, outcome)
            if progress is not None:
                progress(entry.name, len(rows), len(entries))
    return tuple(rows[entry.name] for entry in entries)


def _row(entry: Entry, outcome: Outcome) -> Row:
    if outcome.missing:
        return not_run(entry, outcome.missing)
    if outcome.fault:
        return raised(entry, outcome.fault, outcome.seconds)
    names = [entry.part] if entry.part in outcome.found else [n for n in outcome.found if fnmatch(n, entry.part)]
    if not names:
        return not_run(entry, f"needs {entry.part} among the clips; there are {', '.join(outcome.found)}")
    return judged(entry, outcome.found[names[0]], outcome.seconds)


def _outcomes(measures: Sequence[Measure], bench: Bench, workers: int) -> Iterator[tuple[Measure, Outcome]]:
    if min(workers, len(measures)) < 2:
        for measure in measures:
            yield measure, _outcome(measure, bench)
        return
    with _crew(min(workers, len(measures))) as pool:
        with no_script():
            waiting: dict[Future[Outcome], Measure] = {
                pool.submit(_outcome, each, bench): each for each in measures[::-1]
            }
        for done in as_completed(waiting):
            try:
                yield waiting[done], done.result()
            except BrokenProcessPool as fault:
                raise SemlinkError("a worker process died (out of memory?); run again with fewer --workers") from fault


def _outcome(measure: Measure, bench: Bench) -> Outcome:
    started = time.monotonic()
    try:
        return Outcome(dict(measure(bench)), time.monotonic() - started)
    except CannotRun as needs:
        return Outcome({}, 0.0, missing=str(needs))
    except Exception as fault:  # noqa: BLE001 - code that is broken in any way differs from what is published
        return Outcome({}, time.monotonic() - started, fault=f"{type(fault).__name__}: {fault}")


@contextmanager
def _crew(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each, which never hear Ctrl-C; whatever ends the work ends them at once."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_hear_no_ctrl_c)
    try:
        yield pool
        pool.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        for process in multiprocessing.active_children():
            if process not in others:
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _hear_no_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
