"""A process that ends when whoever gives it its tasks has hung up, whatever it is doing.

Hanging up shows at a pipe without a word being read from it, also where the other process was killed.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["end_when_left", "ends_when_left"]

LOOKS_EVERY_MS = 100


def end_when_left(inlet: int) -> None:
    """From now on end this process as soon as the pipe `inlet` has no other end; where the system can tell."""
    if sys.platform != "win32":
        threading.Thread(target=_watch, args=(inlet, threading.Event()), daemon=True).start()


@contextmanager
def ends_when_left(inlet: int) -> Iterator[None]:
    """The same while what is inside works; no thread is left behind, so that the process may fork."""
    if sys.platform == "win32":
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(inlet, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _watch(inlet: int, done: threading.Event) -> None:
    line = select.poll()
    line.register(inlet, 0)  # nothing but the hanging up
    while not done.is_set():
        if line.poll(LOOKS_EVERY_MS):
            os._exit(1)
