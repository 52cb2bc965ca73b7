"""Ctrl-C, and being told to end: once is enough, and no moment is the wrong one.

The first Ctrl-C raises `KeyboardInterrupt`, SIGTERM and SIGHUP raise `SystemExit`; further ones are ignored, so that
what puts things in order is not interrupted. While a module is imported nothing is raised, since libraries that load
make other errors of it, or abort: before the work has begun the process ends at once, later a watchman sends the signal
again. Should the process still be there after a while, because a long call does not come back or a library swallowed
the exception, he ends it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

__all__ = ["interrupted", "patient", "stoppable"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
IMPORTS = "<frozen importlib._bootstrap"
"""How Python calls the files of what imports."""
WORK = ("semlink.link.sweep.run", "semlink.training.loop")
"""What has something to put in order."""
ENDS = {"multiprocessing.util": "_exit_function", "semlink.link.chain.boundary.witness": "hang_up"}
"""What ends other processes, by its module, if that is there."""
AGAIN_S = 0.05
SHOW_CURSOR = b"\x1b[?25h"
_patience_s = [2.0]
"""How long what puts things in order may take, before the watchman ends the process; the last counts."""


def interrupted(words: str = "") -> NoReturn:
    """Say that Ctrl-C ended a command, and what of that, and end before what it held in its hands is taken apart."""
    _tell(f"semlink: interrupted{words}\n")
    _leave(INTERRUPTED)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """What works inside needs so long to keep what it has."""
    _patience_s.append(seconds)
    yield  # after an interruption the patience stays
    _patience_s.pop()


class stoppable:
    """A command, ended by the signals above with 128 and the number of the signal; those ignored stay ignored.

    A class, because a generator has moments at its beginning and its end in which a signal is lost to whoever called.
    """

    def __init__(self) -> None:
        known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        self.caught = [one for one in known if signal.getsignal(one) not in (signal.SIG_IGN, None)]
        self.heard: list[int] = []
        self.again = threading.Event()

    def __enter__(self) -> None:
        _post_watchman(self.caught, self.again)
        for one in self.caught:
            signal.signal(one, self._stop)

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        self._hear_no_more()  # all is done, and the process ends by itself
        if self.heard or isinstance(fault, KeyboardInterrupt):  # also while something was imported, or just now
            _leave_after(self.heard[0] if self.heard else signal.SIGINT)
        if isinstance(fault, SystemExit) and isinstance(fault.code, int) and fault.code:
            _leave(fault.code)  # taking libraries apart takes a second, and who failed has nothing to wait for

    def _hear_no_more(self) -> None:
        for one in self.caught:
            signal.signal(one, signal.SIG_IGN)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.heard.append(number)
        inside = [one.f_code for one in _stack(frame)]
        if stoppable.__exit__.__code__ in inside:
            return
        if stoppable.__enter__.__code__ in inside:
            _leave_after(number)
        if _imports(frame):
            if not _works(frame):
                _leave_after(number)
            self.again.set()
            return
        self._hear_no_more()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def _leave_after(number: int) -> NoReturn:
    """End for the sake of a signal, whatever a library made of the exception that it raised."""
    if number == signal.SIGINT:
        interrupted()
    _tell(f"semlink: ended by {signal.Signals(number).name}; finished points are kept\n")
    _leave(128 + number)


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    return any(one.f_code.co_filename.startswith(IMPORTS) for one in _stack(frame))


def _works(frame: FrameType | None) -> bool:
    """Whether a function is at work that has something to put in order."""
    return any(one.f_globals.get("__name__") in WORK and one.f_code.co_name != "<module>" for one in _stack(frame))


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _post_watchman(numbers: list[int], again: threading.Event) -> None:
    """A thread that waits for one of the signals and, a while after it, ends this process.

    Args:
        again: that the signal is to be sent once more, since it came at a bad moment.
    """
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)
    signal.set_wakeup_fd(outlet, warn_on_full_buffer=False)

    def watch() -> None:
        while (number := os.read(inlet, 1)[0]) not in numbers:
            pass
        deadline = time.monotonic() + _patience_s[-1]
        while time.monotonic() < deadline:
            time.sleep(AGAIN_S)
            if again.is_set() and sys.platform != "win32":
                again.clear()
                signal.pthread_kill(threading.main_thread().ident or 0, number)
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, SHOW_CURSOR)
        _tell("semlink: ended in the middle of its work; finished points are kept, run again to continue\n")
        _kill_children()
        if "semlink.files" in sys.modules:  # imported here it would be as good as a moment without handlers
            sys.modules["semlink.files"].drop_unfinished()
        os._exit(128 + number)

    threading.Thread(target=watch, daemon=True, name="watchman").start()


def _kill_children() -> None:
    if "multiprocessing.process" in sys.modules:
        for child in sys.modules["multiprocessing.process"].active_children():
            child.kill()


def _tell(line: str) -> None:
    with suppress(OSError):
        os.write(2, line.encode())


def _leave(code: int) -> NoReturn:
    """End now: whatever is to be put in order is, but libraries are not taken apart, in which some abort."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    for module, end in ENDS.items():
        if module in sys.modules:
            with suppress(Exception):
                vars(sys.modules[module])[end]()
    os._exit(code)
