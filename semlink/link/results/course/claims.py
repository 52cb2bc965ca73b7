"""Claims of single points, by which runs that share a folder share its work.

A claim is a file `.claim-<key>.<n>` beside the points, made so that of any number of runs one succeeds, also on NFS: a
file is written whole under another name, and linked. It holds the token of its run. A point whose claimant is gone is
claimed again with the next n, which again one run alone can do; nobody removes a claim that is not his.

Whoever has claimed a point looks once more whether it is there, and whoever ends gives its claim up after the point is
kept: so nothing is computed twice, but where a run slept so long that it was taken for gone. Then both keep the same.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from secrets import token_hex

from semlink.errors import ResultsError
from semlink.files import reason_of
from semlink.link.results.course.holders import Presence

__all__ = ["Claims", "claimed", "drop_claims"]

PREFIX = ".claim-"
READS, REST_S = 5, 0.05
WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


@dataclass(slots=True)
class Claims:
    """What this run has claimed, in the folder `points` of its results.

    Attributes:
        held: number of the claim by the key of its point.
    """

    points: Path
    presence: Presence
    held: dict[str, int] = field(default_factory=dict)

    def take(self, key: str, is_done: Callable[[], bool]) -> bool | None:
        """Claim a point: True if it is now ours, False if others are at it, None if it is done.

        Raises:
            ResultsError: the disk does not take it.
        """
        if is_done():
            return None
        number = 0
        for number in count():
            holder = self._holder(key, number)
            if holder is None:
                break
            if self._holder(key, number + 1) is None and not self.presence.is_gone(holder):
                return False
        if not self._make(key, number):
            return False
        self.held[key] = number
        if is_done():
            self.give_up(key)
            return None
        return True

    def give_up(self, key: str) -> None:
        """End a claim, and remove those before it, whose runs are gone; where another came after it, it stays."""
        number = self.held.pop(key, None)
        if number is None or self._holder(key, number + 1) is not None:
            return
        for one in range(number, -1, -1):
            with suppress(OSError):
                self._path(key, one).unlink()

    def give_up_all(self) -> None:
        """End all claims."""
        for key in list(self.held):
            self.give_up(key)

    def _path(self, key: str, number: int) -> Path:
        return self.points / f"{PREFIX}{key}.{number}"

    def _holder(self, key: str, number: int) -> str | None:
        """The token in a claim; None if there is none, '' if it does not become whole."""
        for _ in range(READS):
            try:
                token = self._path(key, number).read_text()
            except FileNotFoundError:
                return None
            except (OSError, UnicodeDecodeError):
                token = ""
            if token:
                return token
            time.sleep(REST_S)  # where there are no links, it is made before it is written
        return ""

    def _make(self, key: str, number: int) -> bool:
        """Whether the claim is now ours."""
        target, spare = self._path(key, number), self.points / f".{token_hex(8)}.claim.tmp"
        token = self.presence.token.encode()
        try:
            _write_new(spare, token)
            try:
                os.link(spare, target)
            except FileExistsError:  # said of our own, too, where NFS asked twice because the first answer was lost
                return self._holder(key, number) == self.presence.token
            except OSError as fault:
                if fault.errno not in WITHOUT_LINKS:
                    raise
                return _write_new(target, token)
            finally:
                spare.unlink(missing_ok=True)
        except OSError as fault:
            raise ResultsError(f"{target}: cannot be written ({reason_of(fault)})") from fault
        return True


def claimed(points: Path) -> Iterator[tuple[str, str]]:
    """Keys of points that somebody is at, each with the token of his run."""
    for path in sorted(points.glob(f"{PREFIX}*.*")):
        with suppress(OSError, UnicodeDecodeError):
            yield path.name.removeprefix(PREFIX).rpartition(".")[0], path.read_text()


def drop_claims(points: Path) -> None:
    """Remove all claims, where nobody else is at work."""
    for path in points.glob(f"{PREFIX}*.*"):
        path.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file that is not there; False if it is."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
    return True
