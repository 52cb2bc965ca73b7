"""One task worked on, and a worker's life of such."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import torch

from semlink.errors import SemlinkError
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Job
from semlink.link.sweep.point_runner import Finished, PointRunner
from semlink.memory import collecting_little

__all__ = ["ONE_THREAD", "Done", "compute", "keep", "portable", "saying", "serve"]

SAYS_EVERY_S = 0.5
"""How long a worker waits at least until it says again what it is at."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Variables by which libraries choose their threads."""


@dataclass(frozen=True, slots=True)
class Done:
    """A task that somebody has worked on.

    Attributes:
        seconds: that it took.
        finished: what came of it; None where that is kept already, or nothing did.
        fault: what went wrong; None if nothing did.
    """

    task: Task
    seconds: float
    finished: Finished | None = None
    fault: BaseException | None = None


def compute(runner: PointRunner, task: Task) -> Finished:
    """A point computed; of one whose record is kept, its picture alone."""
    return Finished(None, runner.picture(task)) if task.only_picture else runner.run(task)


def keep(job: Job, clips: Clips, task: Task, finished: Finished) -> None:
    """Put what was computed into the results folder.

    Raises:
        ResultsError: the disk does not take it.
    """
    if finished.film is not None:
        job.keep_film(task.key, finished.film, clips)
    job.keep(task.key, finished.record, finished.picture, finished.reception)


def saying(runner: PointRunner, doing: Callable[[str], None]) -> PointRunner:
    """A runner that says in a few words what it is at, where that takes long: a calibration, a fit."""
    return replace(runner, tell=lambda part, whole: doing(f"{part} of {whole}"), doing=doing)


def serve(line: Connection, job: Job, clips: Clips, environment: dict[str, str]) -> None:
    """A worker's life: one task after the other until the parent hangs up, or is no more."""
    _hear_no_ctrl_c()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment | dict.fromkeys(ONE_THREAD, "1"))  # the server may have been started under another
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), collecting_little() as keep_aside:
        runner = saying(job.runner(clips), _now_and_then(line))
        for number in count():
            task = line.recv()
            started = time.monotonic()
            fault = _fault(job, runner, task)
            line.send((fault, time.monotonic() - started))
            if number == 0:  # links are built, libraries loaded
                keep_aside()


def _now_and_then(line: Connection) -> Callable[[str], None]:
    """Words for the parent, on the line on which it hears what is done."""
    due = 0.0

    def say(words: str) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + SAYS_EVERY_S
            line.send(words)

    return say


def _hear_no_ctrl_c() -> None:
    """Ctrl-C reaches all processes of a terminal; the parent answers it, and ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # what this one starts may hear it


def _end_with_parent() -> None:
    """End this process with its parent, also in the middle of a task: a killed parent dismisses nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fault(job: Job, runner: PointRunner, task: Task) -> BaseException | None:
    """What went wrong with a task that was to be computed and kept; None if nothing did."""
    try:
        keep(job, runner.clips, task, compute(runner, task))
    except Exception as fault:  # noqa: BLE001 - whatever it is, the parent raises it
        return portable(fault)
    return None


def portable(fault: Exception) -> Exception:
    """What went wrong, in a form that reaches another process."""
    if isinstance(fault, SemlinkError):
        with suppress(Exception):
            pickle.loads(pickle.dumps(fault))
            return fault
    return RuntimeError("".join(traceback.format_exception(fault)))
