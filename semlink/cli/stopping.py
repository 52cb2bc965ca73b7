"""Ctrl-C, and being told to end: once is enough, and no moment is the wrong one.

The first Ctrl-C raises `KeyboardInterrupt`, SIGTERM and SIGHUP raise `SystemExit`; further ones are ignored, so that
what puts things in order is not interrupted. Should the process still be there after a while, because a long call does
not come back or a library swallowed the exception, a watchman ends it.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["INTERRUPTED", "patient", "stoppable"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
SHOW_CURSOR = b"\x1b[?25h"
_patience_s = [2.0]
"""How long what puts things in order may take, before the watchman ends the process; the last counts."""


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """What works inside needs so long to keep what it has."""
    _patience_s.append(seconds)
    yield  # after an interruption the patience stays
    _patience_s.pop()


@contextmanager
def stoppable() -> Iterator[None]:
    """A command, ended by the signals above with 128 and the number of the signal; those ignored stay ignored."""
    heard: list[int] = []

    def hear_no_more() -> None:
        for one in caught:
            signal.signal(one, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> None:
        hear_no_more()
        heard.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    caught = [one for one in known if signal.getsignal(one) not in (signal.SIG_IGN, None)]
    _post_watchman(caught)
    for one in caught:
        signal.signal(one, stop)
    try:
        yield
    except KeyboardInterrupt:
        _tell("semlink: interrupted\n")
        _leave(INTERRUPTED)
    except SystemExit as end:
        if heard and heard[0] != signal.SIGINT:
            _tell(f"semlink: ended by {signal.Signals(heard[0]).name}; finished points are kept\n")
        if heard and isinstance(end.code, int):
            _leave(end.code)
        raise
    finally:
        hear_no_more()  # all is done, and the process ends by itself


def _post_watchman(numbers: list[int]) -> None:
    """A thread that waits for one of the signals and, a while after it, ends this process."""
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)
    signal.set_wakeup_fd(outlet, warn_on_full_buffer=False)

    def watch() -> None:
        while (number := os.read(inlet, 1)[0]) not in numbers:
            pass
        time.sleep(_patience_s[-1])
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, SHOW_CURSOR)
        _tell("semlink: ended in the middle of its work; finished points are kept, run again to continue\n")
        _kill_children()
        os._exit(128 + number)

    threading.Thread(target=watch, daemon=True, name="watchman").start()


def _kill_children() -> None:
    if "multiprocessing.process" in sys.modules:
        for child in sys.modules["multiprocessing.process"].active_children():
            child.kill()


def _tell(line: str) -> None:
    with suppress(OSError):
        os.write(2, line.encode())


def _leave(code: int) -> None:
    """End now: whatever is to be put in order is, but libraries are not taken apart one by one."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    atexit._run_exitfuncs()
    os._exit(code)
