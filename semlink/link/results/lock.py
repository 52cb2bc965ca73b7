"""One run at a time in a results folder, or several that share it.

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
from dataclasses import dataclass
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import json_in, reason_of

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK", "Place", "alone_in", "hold_with_others", "is_held", "together_in", "unwritable"]

LOCK = ".lock"
LOOKS_EVERY_S = 0.2
TRIES = 100
"""To make a folder that others remove meanwhile; one that cannot be made at all may say the same."""

_HELD: list[int | None] = []


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


@dataclass(slots=True)
class Place:
    """A run's place in a folder that several share.

    Attributes:
        is_alone: nobody else is in it now, nor can be before `open_up`.
    """

    _handle: int | None
    is_alone: bool

    def open_up(self) -> None:
        """Let others in."""
        if self._handle is not None and self.is_alone:
            fcntl.flock(self._handle, fcntl.LOCK_SH)
        self.is_alone = False

    def close(self) -> bool:
        """Let nobody in any more, if nobody is: whether that is so. Without locks nobody knows, and it is not."""
        if self._handle is not None and not self.is_alone:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self.is_alone = True
        return self.is_alone


@contextmanager
def together_in(folder: Path, *, say: Callable[[str], None]) -> Iterator[Place]:
    """Make a results folder and be in it with other runs that share it; one that does not share is waited for.

    Raises:
        ResultsError: the folder cannot be written.
    """
    place = _wait_for_place(folder, say)
    try:
        yield place
    finally:
        if place.close():
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
        if place._handle is not None:
            os.close(place._handle)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _wait_for_place(folder: Path, say: Callable[[str], None]) -> Place:
    if sys.platform == "win32":
        folder.mkdir(parents=True, exist_ok=True)
        return Place(None, False)
    is_said, tries = False, 0
    while True:
        tries += 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH):
                handle = _try(folder / LOCK, kind, shares=True)
                if handle is not None and kind == fcntl.LOCK_EX and not _locks(handle):
                    os.close(handle)
                    return Place(None, False)
                if handle is not None:
                    return Place(handle, kind == fcntl.LOCK_EX)
        except OSError as fault:
            if isinstance(fault, FileNotFoundError) and tries < TRIES:
                continue
            raise unwritable(folder, fault) from fault
        tries = 0
        if not is_said and not _shares(folder / LOCK):
            say(f"{folder}: {_holder(folder / LOCK)} is at work here, and shares not; waiting until it has ended")
            is_said = True
        time.sleep(LOOKS_EVERY_S)


def hold_with_others(path: Path) -> None:
    """Hold a lock file beside others, for as long as this process lives."""
    if sys.platform != "win32":
        _HELD.append(_try(path, fcntl.LOCK_SH))


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
        return ResultsError(f"{fault}; choose another folder")
    return ResultsError(f"{folder}: cannot be written ({reason_of(fault)}); choose another folder")


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


def _try(path: Path, kind: int | None = None, *, shares: bool = False) -> int | None:
    """The lock file, open and locked, by default for this run alone; None if another process has it.

    Raises:
        OSError: it cannot be opened.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if kind is None else kind) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            pass  # a disk without locks: better without than not at all
        if _is_still_there(handle, path):
            about = {"host": socket.gethostname(), "pid": os.getpid(), **({"shares": True} if shares else {})}
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(about).encode(), 0)
            return handle
        os.close(handle)


def _locks(handle: int) -> bool:
    """Whether the disk has locks, of a file that was locked or could not be."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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


def _shares(path: Path) -> bool:
    """Whether the run that holds the lock lets others in, as soon as it is ready."""
    try:
        return bool(json_in(path.read_bytes()).get("shares"))
    except (OSError, ValueError, AttributeError):
        return True  # it is just being written
