"""Runs that share a results folder: who is there, and who has gone without a word.

Each has a file `.run/runs/<token>.json`, which it touches now and then. Who looks sees only whether its time is another
than when he looked before, and by his own watch how long it has been the same: clocks of machines and disks may differ
as they like. A process of this machine that is dead is gone at once.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from secrets import token_hex

from semlink.files import JsonDict, json_in, write_atomic
from semlink.link.results.course.notes import NOTES

__all__ = ["BEAT_S", "STALE_S", "Holder", "Presence", "holders"]

BEAT_S = 15.0
"""How often a run says that it is there."""
STALE_S = 180.0
"""Silence after which it is taken for gone: several beats, and what NFS clients remember of a file at most (60 s)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A run in a shared folder, as its file tells."""

    token: str
    host: str
    pid: int
    machine: str
    since: float

    def is_dead_here(self) -> bool:
        """Whether it was a process of this machine that is no more."""
        if self.machine != _this_machine():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:
            return False
        return False


@dataclass(slots=True)
class Presence:
    """This run's own file, and what it says of others by it."""

    results: Path
    stale_s: float = STALE_S
    beat_s: float = BEAT_S
    token: str = field(default_factory=lambda: token_hex(8))
    _end: threading.Event = field(default_factory=threading.Event)
    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By token, the time of its file, and since when by our watch it is the same."""

    @property
    def path(self) -> Path:
        return _folder(self.results) / f"{self.token}.json"

    def begin(self) -> None:
        """Say that this run is here, from now on.

        Raises:
            ResultsError: the disk does not take it.
        """
        about = {"host": socket.gethostname(), "pid": os.getpid(), "machine": _this_machine(), "since": time.time()}
        write_atomic(self.path, json.dumps(about).encode(), durable=False)
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    def end(self) -> None:
        """Say that it has gone."""
        self._end.set()
        self.path.unlink(missing_ok=True)

    def is_gone(self, token: str) -> bool:
        """Whether the run of that token ended without a word, or has long said nothing."""
        path = _folder(self.results) / f"{token}.json"
        try:
            holder, touched = _read(path), _time_of(path)
        except FileNotFoundError:
            return True
        except (OSError, ValueError, KeyError, TypeError):
            return False
        now = time.monotonic()
        before, since = self._seen.get(token, (None, now))
        if touched != before:
            since = now
            self._seen[token] = touched, now
        return holder.is_dead_here() or now - since > self.stale_s

    def _beat(self) -> None:
        while not self._end.wait(self.beat_s):
            with suppress(OSError):
                os.utime(self.path)


def holders(results: Path) -> Iterator[Holder]:
    """The runs that say they are in a folder, but those that are known to be dead."""
    for path in sorted(_folder(results).glob("[!.]*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            holder = _read(path)
            if not holder.is_dead_here():
                yield holder


def _folder(results: Path) -> Path:
    return results / NOTES / "runs"


def _read(path: Path) -> Holder:
    found: JsonDict = json_in(path.read_bytes())
    return Holder(path.stem, str(found["host"]), int(found["pid"]), str(found["machine"]), float(found["since"]))


def _time_of(path: Path) -> float:
    """When a file was touched; it is opened, since a network's disk tells the truth only then."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)


@cache
def _this_machine() -> str:
    """Where process numbers mean the same: a boot of a system, and a container in it."""
    told = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with suppress(OSError):
            told.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text().strip())
    return " ".join(told)
