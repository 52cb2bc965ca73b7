"""Workers, each given one point after the other through a pipe.

They are forked from a server that has imported torch once and has done nothing else,
so that a worker starts at once; where there is no such server, each imports
for itself. They get the plan's clips by the name of a file that all map.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from semlink.errors import SemlinkError
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Job
from semlink.link.sweep.workers import one_task, server
from semlink.link.sweep.workers.one_task import Done
from semlink.link.sweep.workers.supply import Supply

__all__ = ["finished_by_workers", "no_script"]

PRELOADED = (server.__name__, one_task.__name__, "scipy.ndimage", "semlink.link.sweep.workers.ready")
"""What ends the server in time, what a worker does, what nearly every point needs and no module imports before, and
what each worker would do first."""
PATIENCE_S = 2.0
"""How long all workers together may take to die."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process and the parent's end of the pipe to it."""

    process: Any
    line: Connection


def finished_by_workers(
    job: Job,
    clips: Clips,
    supply: Supply,
    workers: int,
    started: Callable[[Task, int], None],
    doing: Callable[[Task, str], None],
) -> Generator[Done]:
    """The tasks in the order in which workers finish and keep them; no worker is left at the end.

    What is under way when the time is over is given up.

    Args:
        started: told of each task that a worker gets, and of the worker's number.
        doing: told now and then what a task is at.
    Raises:
        SemlinkError: a process died.
    """
    with _crew(job, clips, workers) as crew:
        yield from _finished(crew, supply, started, doing)


def _finished(
    crew: Sequence[Worker],
    supply: Supply,
    started: Callable[[Task, int], None],
    doing: Callable[[Task, str], None],
) -> Iterator[Done]:
    busy: dict[Connection, Task] = {}
    free = [worker.line for worker in crew]
    while not supply.is_late:
        while free and (task := supply.take()) is not None:
            line = free.pop()
            busy[line] = task
            _send(line, task)
            started(task, line.fileno())
        if not (busy or supply.may_come):
            return
        patience = supply.patience(is_free=bool(free))
        for ready in wait(list(busy), patience) if busy else _nobody_for(patience):
            assert isinstance(ready, Connection)
            word = _hear(ready)
            if isinstance(word, str):
                doing(busy[ready], word)
                continue
            fault, seconds = word
            yield Done(busy.pop(ready), seconds, fault=fault)
            free.append(ready)


def _nobody_for(seconds: float | None) -> Sequence[Connection]:
    time.sleep(seconds or 0.0)
    return ()


def _send(line: Connection, task: Task) -> None:
    try:
        line.send(task)
    except OSError as fault:
        raise _died() from fault


def _hear(line: Connection) -> str | tuple[BaseException | None, float]:
    """A worker's word: what it is at, or that it is done: what went wrong, if anything did, and how long it took."""
    try:
        word: str | tuple[BaseException | None, float] = line.recv()
    except (EOFError, OSError) as end:
        raise _died() from end
    return word


def _died() -> SemlinkError:
    return SemlinkError("a worker process died (out of memory?); run again with fewer --workers")


@contextmanager
def _crew(job: Job, clips: Clips, workers: int) -> Iterator[list[Worker]]:
    """Workers for as long as they are needed."""
    context = _context()
    crew: list[Worker] = []
    try:
        for _ in range(workers):
            here, there = context.Pipe()
            process = context.Process(target=one_task.serve, args=(there, job, clips, dict(os.environ)), daemon=True)
            crew.append(Worker(process, here))
            with no_script():
                process.start()
            there.close()
        yield crew
    finally:
        _dismiss(crew)


def _dismiss(crew: Sequence[Worker]) -> None:
    """End all workers at once: what they keep is there whole or not at all."""
    started = [worker.process for worker in crew if worker.process.pid is not None]
    for process in started:
        process.kill()
    for worker in crew:
        worker.line.close()  # a worker that was starting when it was interrupted ends by this
    deadline = time.monotonic() + PATIENCE_S
    for process in started:
        process.join(max(deadline - time.monotonic(), 0))


def _context() -> Any:
    """How processes are started: from a server where the system has one.

    The server never hears Ctrl-C, nor does whatever it forks: the parent does, and ends them.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    resource_tracker.ensure_running()  # now, as it lets Ctrl-C through again
    with _environment(), _ctrl_c_later():
        forkserver.ensure_running()
    return context


@contextmanager
def no_script() -> Iterator[None]:
    """Processes started inside do not run the user's script from its top, as `multiprocessing` would have them.

    They need nothing of it: classes that live in a script are refused where there are workers. So a script needs no
    `if __name__ == "__main__"`, may come from standard input, and workers do not load what it loads.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _environment() -> Iterator[None]:
    """Processes started inside have one OpenMP thread each, and find modules where this one does."""
    ours = dict.fromkeys(one_task.ONE_THREAD, "1") | {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    if _in_main_thread():
        ours[server.STARTED_BY] = str(os.getpid())
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        _put_back(before)


def _put_back(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C; this one hears at the end what was pressed meanwhile."""
    if sys.platform == "win32" or not _in_main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
