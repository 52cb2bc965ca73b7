"""Files and folders that options and source texts name, and digests of what is in them."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from semlink.errors import InterfaceError
from semlink.files import PACKED_SUFFIX
from semlink.weights.packed import MAGIC, file_digest

__all__ = [
    "content_digest",
    "declared",
    "file_digests",
    "files_in",
    "files_of",
    "homes",
    "named_in_options",
    "named_in_text",
]

SETTLED_S = 2.0
"""Age of a file's last change from which its digest may be kept in memory: a clock's tick hides no second change."""
LONGEST_NAME = 255
_KEPT: dict[tuple[int, ...], str] = {}
_LOOKS_LIKE_A_FILE = re.compile(r"[^\n]*\.\w{1,11}|[^\n]*/[^\n]*")


def content_digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, of the names and contents of all that is in it, however deep.

    Packed weights count as what they are unpacked. In a folder hidden files, compiled Python and folders of results
    are passed over.
    """
    if path.is_dir():
        parts = [(str(file.relative_to(path)), content_digest(file)) for file in _inside(path)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # a pipe or a device is not read to its end
        return hashlib.sha256(repr((stat.S_IFMT(state.st_mode), state.st_rdev)).encode()).hexdigest()
    key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if key not in _KEPT:
        found = _digest(path)
        if time.time() - max(state.st_mtime, state.st_ctime) < SETTLED_S:
            return found
        _KEPT[key] = found
    return _KEPT[key]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        if path.suffix != PACKED_SUFFIX or file.read(len(MAGIC)) != MAGIC:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    return file_digest(path)


def file_digests(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """By the text that names them, the digests of files and folders; a text may name one in several places."""
    found: dict[str, list[str]] = {}
    for text, path in named:
        digest = content_digest(path)
        if digest not in found.setdefault(text, []):
            found[text].append(digest)
    return found


def named_in_options(value: object, homes: Sequence[Path], others: Sequence[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Every file or folder that a text in an option's value names, by path, by pattern, or as `file.py:Class`.

    `{...}` in a text stands for anything, as in `model_{quality}.pt`.

    Args:
        homes: the folders of the scenario and of the process, where relative paths begin. A folder that holds
            one of them (such as `.`) is no file of the block.
        others: further folders that relative paths may begin from.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        for part in value:
            yield from named_in_options(part, homes, others)
    elif isinstance(value, str | Path):
        text = str(value)
        yield from ((text, path) for path in _paths(text, (*homes, *others)) if not _holds(path, homes))


def named_in_text(source: Path, places: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Every file that a string in a Python text names and that is no Python text itself."""
    for text in _strings(source.read_bytes()):
        yield from ((text, path) for path in _paths(text, places) if path.is_file() and path.suffix != ".py")


class Text(Protocol):
    """A source text, with the files that it is in."""

    @property
    def files(self) -> Mapping[str, Path]: ...


def homes(folder: Path | None) -> list[Path]:
    """Where relative paths in options begin: in the scenario's folder, then in the working directory."""
    return [*([] if folder is None else [folder.resolve()]), Path.cwd()]


def files_of(text: Text | None, options: object, folder: Path | None) -> Iterator[tuple[str, Path]]:
    """Every file that the options of a user's class name, or strings in the text that it rests on.

    Args:
        folder: the scenario's.
    """
    sources = [] if text is None else list(text.files.values())
    yield from named_in_options(options, homes(folder), [file.parent for file in sources[:1]])
    for file in sources:
        yield from named_in_text(file, [*homes(folder), file.parent])


def declared(files: object, places: Sequence[Path], where: str) -> list[tuple[str, Path]]:
    """The files and folders of a block's attribute `files`, looked up in `places`.

    Raises:
        InterfaceError: it holds something else than paths, or a path that leads nowhere.
    """
    listed = [files] if isinstance(files, str | os.PathLike) else files
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise InterfaceError(f"{where}: files is a {type(files).__name__}; need a list of paths")
    found = []
    for one in listed:
        if not isinstance(one, str | os.PathLike):
            raise InterfaceError(f"{where}: files holds a {type(one).__name__}; need paths")
        paths = _paths(os.fspath(one), places)
        if not paths:
            raise InterfaceError(f"{where}: files names {os.fspath(one)!r}, which is not in {_listed(places)}")
        found += [(os.fspath(one), path) for path in paths]
    return found


def _listed(places: Sequence[Path]) -> str:
    return " or ".join(dict.fromkeys(map(str, places)))


@lru_cache(maxsize=512)
def _strings(text: bytes) -> tuple[str, ...]:
    """Strings of a Python text that look like a file's name."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return tuple(dict.fromkeys(t for t in found if len(t) <= LONGEST_NAME and _LOOKS_LIKE_A_FILE.fullmatch(t)))


def _paths(text: str, places: Sequence[Path]) -> list[Path]:
    """What a text names, seen from each place."""
    if not text.strip() or len(text) > LONGEST_NAME or "\0" in text or "\n" in text:
        return []
    file, colon, _ = text.rpartition(":")
    texts = [text, file] if colon and file.endswith(".py") else [text]
    pattern = re.sub(r"\{[^{}]*\}", "*", text)
    found = []
    for place in places:
        found += [path for path in (place / Path(one).expanduser() for one in texts) if path.exists()]
        if "*" in pattern or "?" in pattern:
            found += _matching(place, pattern)
    return list(dict.fromkeys(path.resolve() for path in found))


def _matching(place: Path, pattern: str) -> list[Path]:
    anchor = Path(pattern).anchor
    try:
        return sorted((Path(anchor) if anchor else place).glob(pattern.removeprefix(anchor)))
    except (ValueError, NotImplementedError, OSError):
        return []


def _holds(path: Path, places: Sequence[Path]) -> bool:
    return path.is_dir() and any(place.resolve().is_relative_to(path) for place in places)


def files_in(path: Path) -> list[Path]:
    """A file itself; of a folder all that counts of it."""
    return list(_inside(path)) if path.is_dir() else [path]


def _inside(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        kept = [n for n in folders if not n.startswith(".") and n != "__pycache__"]
        folders[:] = sorted(n for n in kept if not (Path(place) / n / "points").is_dir())
        yield from (
            Path(place) / name for name in sorted(files) if not name.startswith(".") and _is_readable(place, name)
        )


def _is_readable(place: str, name: str) -> bool:
    return (Path(place) / name).is_file()
