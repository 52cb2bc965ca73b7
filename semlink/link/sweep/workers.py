"""Points computed in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from semlink.errors import SemlinkError
from semlink.link.results.folder import Results
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import GridPoint, point_name
from semlink.link.sweep.job import Job, Progress
from semlink.link.sweep.point import record_of


def run_many(job: Job, missing: Sequence[tuple[str, GridPoint]], workers: int, tell: Progress) -> None:
    context = multiprocessing.get_context("spawn")
    with _single_thread_env(), ProcessPoolExecutor(workers, context, initializer=_start, initargs=(job,)) as pool:
        with _ignore_sigint():
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


_bench: PointRunner | None = None


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
def _single_thread_env() -> Iterator[None]:
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
def _ignore_sigint() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C: the parent does, and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
