"""One run at a time in a results folder.

The lock is the system's own, on the file `.lock`, which names host and process for whoever waits. The system takes it
back from a process that is killed, so that a lock file that was left behind locks nobody out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import json_in, reason_of

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK", "alone_in", "is_held", "unwritable"]

LOCK = ".lock"
LOOKS_EVERY_S = 0.2
TRIES = 100
"""To make a folder that others remove meanwhile; one that cannot be made at all may say the same."""


@contextmanager
def alone_in(folder: Path, *, fresh: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Make a results folder and be the only run in it; a folder that is empty at the end is removed.

    A run that is there already is waited for, which `say` hears once. Where the system has no such locks, nobody waits.

    Raises:
        ResultsError: the folder cannot be written, or it is to be emptied (`fresh`) while another run is in it.
    """
    held = _wait_for(folder, fresh, say)
    try:
        yield
    finally:
        if held is not None:
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
            os.close(held)
        with contextlib.suppress(OSError):
            folder.rmdir()


def is_held(path: Path) -> bool:
    """Whether a process that is alive holds this lock file; taken for true where there are no locks."""
    if sys.platform == "win32":
        return True
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def unwritable(folder: Path, fault: OSError) -> ResultsError:
    """What is said of a folder that cannot be written."""
    if isinstance(fault, ResultsError):
        return ResultsError(f"{fault}; choose another --out")
    return ResultsError(f"{folder}: cannot be written ({reason_of(fault)}); choose another --out")


def _wait_for(folder: Path, fresh: bool, say: Callable[[str], None]) -> int | None:
    """The lock's open file; None where there are no locks."""
    if sys.platform == "win32":
        return None
    is_said, tries = False, 0
    while True:
        tries += 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = _try(folder / LOCK)
        except OSError as fault:
            if isinstance(fault, FileNotFoundError) and tries < TRIES:  # the run before this one has just removed it
                continue
            raise unwritable(folder, fault) from fault
        tries = 0
        if handle is not None:
            return handle
        if fresh:
            raise ResultsError(
                f"{folder}: {_holder(folder / LOCK)} is at work here, and --fresh would take its points away; "
                "wait until it has ended, or choose another --out"
            )
        if not is_said:
            say(f"{folder}: {_holder(folder / LOCK)} is at work here; waiting until it has ended")
            is_said = True
        time.sleep(LOOKS_EVERY_S)


def _try(path: Path) -> int | None:
    """The lock file, open and locked; None if another process has it.

    Raises:
        OSError: it cannot be opened.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            pass  # a disk without locks: better without than not at all
        if _is_still_there(handle, path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
            return handle
        os.close(handle)


def _is_still_there(handle: int, path: Path) -> bool:
    """Whether the file that was opened is the one of that name; who held it before may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        found = json_in(path.read_bytes())
        return f"another run (process {found['pid']} on {found['host']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
