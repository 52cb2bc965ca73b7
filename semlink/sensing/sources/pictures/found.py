"""From what a user calls a path to pictures: files, folders, globs, lists; and CIFAR-10 in its binary version."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from semlink.errors import SourceError
from semlink.files import as_file, braces
from semlink.sensing.sources.files.file_search import natural
from semlink.sensing.sources.pictures.built_in import place_of
from semlink.sensing.sources.pictures.reading import looked_at, picture

__all__ = ["BUILT_IN", "Found", "find", "labelled"]

BUILT_IN = ("astronaut", "chelsea", "coffee", "motorcycle_left")
"""Names of photographs in colour that need no file."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
BATCH = ".bin"
SIDE, RECORD = 32, 1 + 3 * 32 * 32
"""Of CIFAR-10: pixels on a side, and bytes of a picture with its label."""
_PYTHON_BATCH = re.compile(r"(data_batch_[1-5]|test_batch|batches\.meta)")


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that was found and not yet read.

    Attributes:
        record: its number in a batch of CIFAR-10; None for a file of its own.
    """

    where: Path
    record: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width.

        Raises:
            SourceError: it cannot be read.
        """
        return looked_at(self.where) if self.record is None else (SIDE, SIDE)

    def read(self) -> np.ndarray:
        """uint8 (h, w), or (h, w, 3) in RGB.

        Raises:
            SourceError: it cannot be read.
        """
        if self.record is None:
            return picture(self.where)
        pixels = _batch(self.where)[self.record, 1:]
        return np.ascontiguousarray(pixels.reshape(3, SIDE, SIDE).transpose(1, 2, 0))


def find(patterns: Iterable[str]) -> tuple[Found, ...]:
    """All pictures that `patterns` name, each once; built-in ones by their names, all of those for none.

    Raises:
        SourceError: an entry names no picture.
    """
    found: dict[tuple[Path, int | None], Found] = {}
    for pattern in list(patterns) or BUILT_IN:
        for one in _named_by(pattern):
            found.setdefault((one.where.resolve(), one.record), one)
    return tuple(found.values())


def labelled(found: Sequence[Found]) -> tuple[str, ...]:
    """Short names, unique: the stem, with as many folders in front as it takes; `test_batch@17` of CIFAR-10."""
    parts = [(*one.where.parts[:-1], one.where.stem) for one in found]
    tails = ["" if one.record is None else f"@{one.record}" for one in found]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["_".join(part[-length:]) + tail for part, tail in zip(parts, tails)]
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"{part[-1]}#{number}{tail}" for number, (part, tail) in enumerate(zip(parts, tails), start=1))


def _named_by(pattern: str) -> list[Found]:
    if pattern in BUILT_IN:
        return [Found(place_of(pattern))]
    path = Path(pattern).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return _of_file(path)
    if not re.search(r"[*?\[{]", pattern):
        raise SourceError(f"{pattern}: no such file or folder; built in are {', '.join(BUILT_IN)}")
    hits = natural({Path(hit) for full in braces(str(path)) for hit in glob.glob(full, recursive=True)})
    if not hits:
        raise SourceError(f"{pattern}: names no file")
    return [one for hit in hits for one in (_in_folder(hit) if hit.is_dir() else _of_file(hit))]


def _in_folder(folder: Path) -> list[Found]:
    """The pictures of a folder, or where it has none, of all folders below it, as CLIC's and DIV2K's archives have."""
    try:
        own = _pictures(folder.iterdir()) or _pictures(folder.rglob("*"))
    except OSError as error:
        raise SourceError(f"{folder}: cannot be listed: {error.strerror}") from None
    if own:
        return [one for path in own for one in _of_file(path)]
    if any(_PYTHON_BATCH.fullmatch(path.name) for path in folder.iterdir()):
        raise _pickled(folder)
    raise SourceError(f"{folder}: holds no picture ({', '.join(sorted(SUFFIXES))}), nor a batch of CIFAR-10 ({BATCH})")


def _pictures(paths: Iterator[Path]) -> list[Path]:
    wanted = SUFFIXES | {BATCH}
    return natural(p for p in paths if p.suffix.lower() in wanted and not p.name.startswith(".") and p.is_file())


def _of_file(path: Path) -> list[Found]:
    if path.suffix.lower() == BATCH:
        return [Found(path, number) for number in range(len(_batch(path)))]
    if path.suffix.lower() not in SUFFIXES:
        if _PYTHON_BATCH.fullmatch(path.name):
            raise _pickled(path)
        raise SourceError(
            f"{path}: is named as no picture; allowed: {', '.join(sorted(SUFFIXES))}, {BATCH} of CIFAR-10"
        )
    return [Found(path)]


def _pickled(path: Path) -> SourceError:
    return SourceError(
        f"{path}: is CIFAR-10 for Python, whose batches are pickles, which can run code, and are not read; take its "
        "binary version (data_batch_1.bin, ...) or a folder of PNG"
    )


def _batch(path: Path) -> np.ndarray:
    """The records of a batch, uint8 (n, 3073): a label, and R, G and B.

    Raises:
        SourceError: no whole number of them.
    """
    try:
        status = path.stat()
        return _records(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=8)
def _records(path: Path, size: int, changed: int) -> np.ndarray:
    data = np.fromfile(as_file(path), np.uint8)
    if data.size == 0 or data.size % RECORD or data.reshape(-1, RECORD)[:, 0].max() > 9:
        raise SourceError(
            f"{path}: is no batch of CIFAR-10, which holds {RECORD:,} bytes a picture, a label 0 to 9 first"
        )
    return data.reshape(-1, RECORD)
