"""Points computed, in this process or in several.

With several, the parent hands each worker one point after the other through a pipe. Workers
are forked from a server that has imported torch once and has done nothing else,
so that a worker starts at once; where there is no such server, each imports
for itself. They get the plan's clips by the name of a file that all map.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from semlink.errors import SemlinkError
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Job, Plan
from semlink.link.sweep.point_runner import PointRunner
from semlink.nn.cpu import one_thread

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
PRELOADED = ("scipy.ndimage",)
"""What nearly every point needs and no module imports before it does."""
PATIENCE_S = 5.0
"""How long a worker may take to die."""


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
        plan.job.pictures.tidy()
        plan.job.results.tidy()
        raise


def _here(plan: Plan, tell: Progress) -> None:
    with one_thread():
        for done, task in enumerate(plan.tasks, start=1):
            runner = replace(plan.runner, tell=_within(tell, task.name, done - 1, len(plan.tasks)))
            _work(plan.job, runner, task)
            tell(task.name, done, len(plan.tasks))


def _within(tell: Progress, name: str, done: int, total: int) -> Callable[[int, int], None]:
    """What a long fit tells of itself, as progress of the run."""
    return lambda part, whole: tell(f"{name}, {part} of {whole}", done, total)


def _work(job: Job, runner: PointRunner, task: Task) -> None:
    """Compute a point and keep it."""
    if task.only_picture:
        job.keep(task.key, None, runner.picture(task))
        return
    finished = runner.run(task)
    job.keep(task.key, finished.record, finished.picture)


@dataclass(frozen=True, slots=True)
class Worker:
    """A process and the parent's end of the pipe to it."""

    process: Any
    line: Connection


def _in_processes(plan: Plan, workers: int, tell: Progress) -> None:
    plan.runner.links.clear()  # this process computes nothing
    with _crew(plan.job, plan.runner.clips, workers) as crew:
        for done, task in enumerate(_finished(crew, plan.tasks), start=1):
            tell(task.name, done, len(plan.tasks))


def _finished(crew: Sequence[Worker], tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks in the order in which the crew finishes them."""
    waiting = deque(tasks)
    busy: dict[Connection, Task] = {}
    free = [worker.line for worker in crew]
    while busy or waiting:
        while free and waiting:
            line = free.pop()
            busy[line] = waiting.popleft()
            _send(line, busy[line])
        for ready in wait(list(busy)):
            assert isinstance(ready, Connection)
            _hear(ready)
            yield busy.pop(ready)
            free.append(ready)


def _send(line: Connection, task: Task) -> None:
    try:
        line.send(task)
    except OSError as fault:
        raise _died() from fault


def _hear(line: Connection) -> None:
    """Wait for a worker's word that it is done."""
    try:
        fault = line.recv()
    except (EOFError, OSError) as end:
        raise _died() from end
    if fault is not None:
        raise fault


def _died() -> SemlinkError:
    return SemlinkError("a worker process died (out of memory?); run again with fewer --workers")


@contextmanager
def _crew(job: Job, clips: Clips, workers: int) -> Iterator[list[Worker]]:
    """Workers for as long as they are needed; however it ends, none is left."""
    context = _context()
    crew: list[Worker] = []
    try:
        for _ in range(workers):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, job, clips, dict(os.environ)), daemon=True)
            crew.append(Worker(process, here))
            process.start()
            there.close()
        yield crew
    finally:
        _dismiss(crew)


def _dismiss(crew: Sequence[Worker]) -> None:
    started = [worker.process for worker in crew if worker.process.pid is not None]
    for process in started:
        process.terminate()
    for worker in crew:
        worker.line.close()
    for process in started:
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()


def _context() -> Any:
    """How processes are started: from a server where the system has one.

    The server never hears Ctrl-C, nor does whatever it forks: the parent does, and ends them.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *PRELOADED])
    with _environment(), _sigint_ignored():
        forkserver.ensure_running()
    return context


def _serve(line: Connection, job: Job, clips: Clips, environment: dict[str, str]) -> None:
    """A worker's life: one task after the other until the parent hangs up, or is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment | dict.fromkeys(ONE_THREAD, "1"))  # the server may have been started under another
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        runner = job.runner(clips)
        while True:
            task = line.recv()
            line.send(_fault(job, runner, task))


def _end_with_parent() -> None:
    """End this process with its parent, also in the middle of a task: a killed parent dismisses nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fault(job: Job, runner: PointRunner, task: Task) -> BaseException | None:
    """What went wrong with a task, in a form that reaches the parent; None if nothing did."""
    try:
        _work(job, runner, task)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the parent raises it
        if isinstance(fault, SemlinkError):
            with suppress(Exception):
                pickle.loads(pickle.dumps(fault))
                return fault
        return RuntimeError("".join(traceback.format_exception(fault)))
    return None


@contextmanager
def _environment() -> Iterator[None]:
    """Processes started inside have one OpenMP thread each, and find modules where this one does."""
    ours = dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
