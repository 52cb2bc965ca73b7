"""Folders as they were, for a user's receiver: names, sizes, times and links of files speak without being opened.

Python tells of files that are opened (`file_watch`), not of those that are only looked at. So in the receiver's process
the functions of `os` that do so tell of it too, and folders are listed without what was written before the receiver's
task and after the link was put together. Folders that are asked for by their names are not seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

__all__ = ["LOOKS", "show_folders_as_they_were"]

LOOKS = "semlink.look"
"""Event that tells of a file that is looked at."""
LOOKERS = ("stat", "lstat", "readlink", "access")


def show_folders_as_they_were(hides: Callable[[str], bool]) -> None:
    """Have `os` tell of what is looked at, and leave out of lists of folders what `hides` says; for good."""
    for name in LOOKERS:
        setattr(os, name, _telling(getattr(os, name)))
    listed, scanned = os.listdir, os.scandir

    def listdir(path: Any = ".") -> list[Any]:
        place = _folder(path)
        return [name for name in listed(path) if not hides(os.path.join(place, os.fsdecode(name)))]

    def scandir(path: Any = ".") -> _Entries:
        return _Entries(scanned(path), _folder(path), hides)

    os.listdir, os.scandir = listdir, scandir  # type: ignore[assignment]


def _telling(look: Callable[..., Any]) -> Callable[..., Any]:
    def looked(path: Any, *options: Any, **named: Any) -> Any:
        sys.audit(LOOKS, path)
        return look(path, *options, **named)

    return looked


def _folder(path: Any) -> str:
    return f"/proc/self/fd/{path}" if isinstance(path, int) else os.fsdecode("." if path is None else path)


class _Entries:
    """What `os.scandir` gives, less what is hidden."""

    def __init__(self, entries: Any, folder: str, hides: Callable[[str], bool]) -> None:
        self._entries, self._folder, self._hides = entries, folder, hides

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(one for one in self._entries if not self._hides(os.path.join(self._folder, os.fsdecode(one.name))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()
