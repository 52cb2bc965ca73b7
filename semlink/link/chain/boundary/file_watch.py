"""What a user's receiver opens while it works: nothing that was written since the link was put together.

Python tells of every file, socket and mapped memory that is opened. A file that changed since then, and that
the receiver did not write itself in this very task, may hold what a transmitter left. Weights and tables that were
there before are fine, and so is what a receiver keeps in a temporary file for a moment. What is only looked at,
`folder_view` tells. Files that a library opens without telling Python are not seen.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from semlink.errors import BoundaryError
from semlink.link.chain.boundary.folder_view import LOOKS

__all__ = ["Watch", "files_clock_ns"]

R = TypeVar("R")
CLOCK_NS = 20_000_000
"""How far a file system's clock may be behind."""
SYSTEM = ("/proc/", "/sys/", "/dev/null")
COMPILED = (".pyc", ".nbi", ".nbc")
"""What Python and numba keep of code."""
TRUSTED = tuple(
    str(path)
    for path in (
        Path(__file__).resolve().parents[3],
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")),
        "<",
    )
)
"""Where code stands that may read what it likes: this package, Python, and what is no file."""
READS = frozenset(
    {"open", "os.rename", "os.link", "os.symlink", "os.chmod", "os.utime", "os.getxattr", "sqlite3.connect"}
)
PROBES = frozenset({LOOKS, "os.remove", "os.truncate", "os.chown", "os.setxattr", "os.listxattr"})
"""What tells of a file that it is there, or more, and reads nothing from it."""
STARTS = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty"})


_stat_of, _lstat_of = os.stat, os.lstat
"""As they are before anybody has them tell of it."""


def files_clock_ns() -> int:
    """The time by the clock that dates files, which ticks every few milliseconds, as soon as it ticks.

    What was written before has an earlier date, and what is written afterwards has this one or a later.
    """
    with tempfile.TemporaryFile() as probe:
        first = now = os.fstat(probe.fileno()).st_ctime_ns
        began = time.monotonic_ns()
        while now == first and time.monotonic_ns() - began < CLOCK_NS:
            time.sleep(0.0005)
            os.write(probe.fileno(), b".")
            now = os.fstat(probe.fileno()).st_ctime_ns
    return now


class Watch:
    """Sees what is opened during a task."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.began_ns: int | None = None
        self.written: set[str] = set()
        self.started = False
        self.is_busy = False
        self.seen: list[str] = []
        self.hidden: list[str] = []
        sys.addaudithook(self._hear)

    def over(self, task: Callable[[], R]) -> R:
        """Do a task.

        Raises:
            BoundaryError: it opened what it may not, or failed without what was left out of lists; names the first.
        """
        time.sleep(CLOCK_NS / 1e9)  # what was written before is then older than what the task writes
        self.written, self.started, self.seen, self.hidden = set(), False, [], []
        self.began_ns = time.time_ns()
        try:
            return task()
        except Exception as fault:
            if self.hidden:
                self.seen.append(f"fails without {self.hidden[0]}, which was written while the run went on ({fault})")
            raise
        finally:
            self.began_ns = None
            if self.seen:
                raise BoundaryError(
                    f"the receiver {self.seen[0]}; what does not come over the air must be there before the run begins"
                )

    def hides(self, path: str) -> bool:
        """Whether lists of folders leave it out."""
        if self.is_news(path):
            self.hidden.append(path)
            return True
        return False

    def is_news(self, path: str) -> bool:
        """Whether something came to be, or changed, after the link was put together and before this task."""
        try:
            found = _lstat_of(path)
        except OSError:
            return False
        return self._is_between(found) and not self._is_own(path) and _asked_by_a_user()

    def _is_between(self, found: os.stat_result) -> bool:
        return self.began_ns is not None and self.since_ns <= found.st_ctime_ns < self.began_ns

    def _is_own(self, path: str) -> bool:
        """Whether a path, or a folder above it, was made in this task."""
        self.is_busy, before = True, self.is_busy
        real = os.path.join(_real(os.path.dirname(path) or "."), os.path.basename(path))
        self.is_busy = before
        return any(real == one or real.startswith(one + os.sep) for one in self.written)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self.began_ns is None or self.is_busy:
            return
        self.is_busy = True
        try:
            self._weigh(event, given)
        finally:
            self.is_busy = False

    def _weigh(self, event: str, given: tuple[Any, ...]) -> None:
        if event in STARTS:
            self.started = True
            for word in _words(given):
                self._look_at(word, "hands on")
        elif event in READS:
            self._opened(given[0], given[2] if event == "open" else 0)
        elif event == "os.mkdir" and not _stat(given[0]):
            self.written.add(_real(given[0]))
        elif event in PROBES:
            self._looked(given[0])
        elif event == "mmap.__new__" and isinstance(given[0], int) and given[0] >= 0:
            self._look_at(given[0], "maps")
        elif event == "socket.connect" and _asked_by_a_user():
            self.seen.append(f"connects to {given[1]!r}")

    def _opened(self, path: Any, flags: Any) -> None:
        """A file is opened; one that is written from its beginning holds nothing of before."""
        anew = isinstance(flags, int) and flags & os.O_TRUNC and flags & os.O_ACCMODE != os.O_RDONLY
        if anew or (isinstance(flags, int) and flags & os.O_CREAT and not _stat(path)):
            self.written.add(_real(path))
        else:
            self._look_at(path, "reads")

    def _looked(self, path: Any) -> None:
        """A file, or a link to one, is looked at without being opened."""
        if isinstance(path, str | bytes | os.PathLike):
            name = os.fsdecode(path)
            if os.path.lexists(name) and not os.path.isdir(name) and self.is_news(name) and not name.endswith(COMPILED):
                self.seen.append(f"looks at {name}, which was written while the run went on")

    def _look_at(self, path: Any, does: str) -> None:
        began, found = self.began_ns, _stat(path)
        if began is None or found is None or not stat.S_ISREG(found.st_mode) or found.st_ctime_ns < self.since_ns:
            return
        if self.started and found.st_ctime_ns > began - CLOCK_NS // 2:
            return  # a program that it started wrote it
        name = f"/proc/self/fd/{path}" if isinstance(path, int) else path
        real = _real(name)
        if real in self.written or real.startswith(SYSTEM) or real.endswith(COMPILED) or not _asked_by_a_user():
            return
        self.seen.append(f"{does} {real}, which was written while the run went on")


def _words(given: tuple[Any, ...]) -> list[str]:
    """The words of a command line."""
    words: list[str] = []
    for part in given:
        parts = part if isinstance(part, list | tuple) else [part]
        words += [word for one in parts if isinstance(one, str | bytes) for word in os.fsdecode(one).split()]
    return words


def _stat(path: Any) -> os.stat_result | None:
    try:
        return _stat_of(path)
    except (OSError, ValueError, TypeError):
        return None


def _real(path: Any) -> str:
    return os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else f"descriptor {path}"


def _asked_by_a_user() -> bool:
    """Whether code of a user stands between a task and what it opens."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if "site-packages" in file.removeprefix(TRUSTED[0]) or not file.startswith(TRUSTED):
            return True
        frame = frame.f_back
    return False
