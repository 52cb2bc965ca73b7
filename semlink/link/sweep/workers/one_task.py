"""One task worked on, and a worker's life of such."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import torch

from semlink.errors import SemlinkError
from semlink.link.sweep.clips import Clips
from semlink.link.sweep.grid import Task
from semlink.link.sweep.plan import Job
from semlink.link.sweep.point_runner import PointRunner

__all__ = ["ONE_THREAD", "serve", "work"]

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Variables by which libraries choose their threads."""


def work(job: Job, runner: PointRunner, task: Task) -> None:
    """Compute a point and keep it."""
    if task.only_picture:
        job.keep(task.key, None, runner.picture(task))
        return
    finished = runner.run(task)
    if finished.film is not None:
        job.keep_film(task.key, finished.film, runner.clips)
    job.keep(task.key, finished.record, finished.picture, finished.reception)


def serve(line: Connection, job: Job, clips: Clips, environment: dict[str, str]) -> None:
    """A worker's life: one task after the other until the parent hangs up, or is no more."""
    _hear_no_ctrl_c()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment | dict.fromkeys(ONE_THREAD, "1"))  # the server may have been started under another
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        runner = job.runner(clips)
        while True:
            task = line.recv()
            started = time.monotonic()
            fault = _fault(job, runner, task)
            line.send((fault, time.monotonic() - started))


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
    """What went wrong with a task, in a form that reaches the parent; None if nothing did."""
    try:
        work(job, runner, task)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the parent raises it
        if isinstance(fault, SemlinkError):
            with suppress(Exception):
                pickle.loads(pickle.dumps(fault))
                return fault
        return RuntimeError("".join(traceback.format_exception(fault)))
    return None
