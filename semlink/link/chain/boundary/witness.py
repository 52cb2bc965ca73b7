"""A process that never held a clip, in which a user's receiver does its work again.

One server for each process of ours, started when it is first needed; it has imported the package and nothing
of a user's. For each receiver's end it forks a child, which loads the user's modules, makes the end from its bytes and
answers one task after the other. What a transmitter left in this process's memory is not there: globals, class
attributes, environment, generators, caches. What it left in files or offers at a socket, `file_watch` sees.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from semlink.errors import BoundaryError

if TYPE_CHECKING:
    from semlink.link.chain.calibration import LinkCalibration

__all__ = ["Journey", "ask", "read_message", "write_message"]

COMMAND = """
from semlink.link.chain.boundary.left_alone import ends_when_left
with ends_when_left(0):
    from semlink.link.chain.boundary.witness_server import main
main()
"""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Journey:
    """What travels to another process.

    Attributes:
        data: a receiver and its waveform, pickled.
        modules: of a user, that they need, and their files.
        made_ns: when that was, before anything was sent.
        environment: as it was then.
    """

    data: bytes
    modules: tuple[tuple[str, str], ...]
    made_ns: int
    environment: Mapping[str, str]

    @property
    def leads_abroad(self) -> bool:
        """Whether a user's classes are among it, and another process can load all of them."""
        return bool(self.modules) and all(
            name != "__main__" and file and Path(file).is_file() for name, file in self.modules
        )


def ask(journey: Journey, task: str, given: tuple[Any, ...], calibration: LinkCalibration | None = None) -> Any:
    """What the end of a journey makes of a task; `calibration` answers what it asks in between.

    Raises:
        SemlinkError: as the task says.
        RuntimeError: what else went wrong in it.
        BoundaryError: the end cannot be made there, or used what did not reach its antenna.
    """
    with _one_at_a_time:
        line = _line_to(journey)
        line.say(("task", task, given))
        while True:
            word, value = line.hear()
            if word == "done":
                return value
            if word == "fault":
                raise value
            line.say(_answered(calibration, word, value))


def _answered(calibration: LinkCalibration | None, word: str, value: tuple[Any, ...]) -> tuple[str, Any]:
    """What the calibration says to a question of the other process."""
    assert calibration is not None
    asked: dict[str, Callable[..., Any]] = {
        "delivery": calibration.delivery,
        "starting_snr_db": calibration.starting_snr_db,
        "terms": lambda: (calibration.snr_db, calibration.root),
        "channel": lambda *sent: calibration.link.channel(*sent),
    }
    try:
        return "is", asked[word](*value)
    except Exception as fault:  # noqa: BLE001 - it is raised where it was asked
        return "raise", fault


class _Line:
    """The server, and the journey whose end it has at present."""

    def __init__(self) -> None:
        quiet = dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | quiet,
            start_new_session=True,
        )
        self.owner = os.getpid()
        self.journey: Journey | None = None

    def say(self, message: object) -> None:
        assert self.process.stdin is not None
        try:
            write_message(self.process.stdin, message)
        except OSError as fault:
            raise _ended() from fault

    def hear(self) -> tuple[str, Any]:
        assert self.process.stdout is not None
        try:
            return read_message(self.process.stdout)
        except EOFError as fault:
            raise _ended() from fault

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()


_lines: list[_Line] = []
_one_at_a_time = threading.RLock()
"""Held for a task and its answer: of two threads each would wait for what the other has read."""


def _line_to(journey: Journey) -> _Line:
    """The line to the server, where the end of `journey` has been made."""
    if _lines and _lines[0].owner != os.getpid():  # this process was forked; the server is another's
        _lines.clear()
    if not _lines:
        _lines.append(_Line())
    line = _lines[0]
    if line.journey is not journey:
        if line.journey is not None:
            line.say(("close",))
        line.journey = journey
        line.say(("open", journey, list(sys.path), os.getcwd()))
        word, value = line.hear()
        if word == "fault":
            raise BoundaryError(f"the receiver cannot be made in a process of its own: {value}")
    return line


def _ended() -> BoundaryError:
    hang_up()
    return BoundaryError("the process in which the receiver works again ended; it must not end its process")


@atexit.register
def hang_up() -> None:
    """End the server, if this process has one."""
    while _lines:
        line = _lines.pop()
        if line.owner == os.getpid():
            line.process.kill()
            line.close()


def write_message(pipe: IO[bytes], message: object) -> None:
    """An object behind its length."""
    data = pickle.dumps(message)
    pipe.write(struct.pack(">Q", len(data)) + data)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> Any:
    """The next object, read to its last byte and no further.

    Raises:
        EOFError: the other end is closed.
    """
    size = struct.unpack(">Q", _exactly(pipe, 8))[0]
    return pickle.loads(_exactly(pipe, size))


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    parts = []
    while size:
        part = os.read(pipe.fileno(), min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
