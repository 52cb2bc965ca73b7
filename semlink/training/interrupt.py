"""Ctrl-C that waits for the end of a step, so that a whole state can be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Interrupt:
    """Whether somebody asked for the end."""

    has_come: bool = False


@contextmanager
def after_the_step() -> Iterator[Interrupt]:
    """Inside, the first Ctrl-C is only noted; a second one ends everything at once.

    In another thread than the first, where no signal arrives, nothing is changed.
    """
    asked = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.has_come:
            raise KeyboardInterrupt
        asked.has_come = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
