"""What `semlink run` says of itself while it works: a bar in a terminal, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from semlink.link.sweep.time_left import TimeLeft
from semlink.units import in_words

__all__ = ["Lines", "bar", "progress"]

WHOLE_RUN_S = 30 * 86_400.0
"""Steps may take minutes: a mean is one over all of them, not over the last half minute."""
EARLY_S, FIRST_S, EVERY_S = 5.0, 30.0, 60.0
"""Without a terminal: when work is said to have begun, when the next line comes, and how long others wait at least."""
LOOKS_EVERY_S = 1.0
SLOWER = 1.1
"""Without a terminal a long run says something whenever it has gone on for this much longer."""
LOOKING = 50.0
"""Of the time that a look at the time left takes, how long the next one waits at least."""
Tell = Callable[[str, int, int], None]


@contextmanager
def progress(name: str) -> Iterator[tuple[Tell, TimeLeft]]:
    """What a run tells what is done, and what follows it."""
    left = TimeLeft()
    if not _console().is_terminal:
        lines, over = Lines(name, left), threading.Event()
        threading.Thread(target=lines.follow, args=(over,), daemon=True, name="progress").start()
        try:
            yield lines.tell, left
        finally:
            over.set()
        return
    with bar(name, _Left(left)) as tell:
        yield tell, left


@contextmanager
def bar(name: str, last: ProgressColumn | None = None) -> Iterator[Tell]:
    """A bar in a terminal, else nothing; `last` is its last column, the time left as a mean over all if not given."""
    console = _console()
    last = last or TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), last)
    off = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off, speed_estimate_period=WHOLE_RUN_S) as shown:
        task = shown.add_task(name, total=None)

        def tell(name: str, done: int, total: int) -> None:
            shown.update(task, description=name, completed=done, total=total)

        yield tell


def _console() -> Console:
    return Console(stderr=True)


class _Left(ProgressColumn):
    """Time left. It follows from all points of the run, so it is looked at once a second, or less often."""

    def __init__(self, left: TimeLeft) -> None:
        super().__init__()
        self._left = left

    def render(self, task: Task) -> Text:
        started = time.monotonic()
        seconds = self._left.seconds()
        self.max_refresh = max(1.0, LOOKING * (time.monotonic() - started))
        return Text("" if seconds is None or task.finished else f"about {in_words(seconds)} left", style="cyan")


@dataclass(slots=True)
class Lines:
    """For a log: a line after half a minute, then one a minute, in long runs fewer; also while one point takes long."""

    name: str
    left: TimeLeft
    clock: Callable[[], float] = time.monotonic
    write: Callable[[str], object] = field(default_factory=lambda: sys.stderr.write)
    since: float = field(init=False)
    due: float = FIRST_S
    done: int = 0
    total: int = 0
    at: str = ""

    def __post_init__(self) -> None:
        self.since = self.clock()

    def follow(self, over: threading.Event) -> None:
        """Say what there is to say until a run is over."""
        if over.wait(EARLY_S):
            return
        self.begin()
        while not over.wait(LOOKS_EVERY_S):
            self.look()

    def begin(self) -> None:
        """Say that work has begun, which may load and compile for long before a point is done."""
        if self.done < self.total or not self.total:
            at = f"{self.done} of {self.total} points" if self.total else "preparing"
            self._write(f"{self.name}: {at}\n")

    def tell(self, name: str, done: int, total: int) -> None:
        """As `semlink.run` has it."""
        self.at = name if done == self.done else ""  # of a point that is finished there is no more to say
        self.done, self.total = done, total
        self.look()

    def look(self) -> None:
        """Write the next line, if it is time."""
        gone = self.clock() - self.since
        if gone < self.due or self.total and self.done == self.total:
            return
        self.due = max(gone + EVERY_S, gone * SLOWER)
        seconds = self.left.seconds()
        rest = "" if seconds is None else f", about {in_words(seconds)} left"
        points = f"{self.done} of {self.total} points" if self.total else "preparing"
        at = f"; {self.at}" if self.at and self.at != self.name else ""
        self._write(f"{self.name}: {points} after {in_words(gone)}{rest}{at}\n")

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self.write(line)
