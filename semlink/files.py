"""Files that are there whole or not at all, and what is in them."""

from __future__ import annotations

import errno
import glob
import json
import os
import platform
import re
import stat
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from semlink.errors import ResultsError

Json = Mapping[str, Any]
"""A JSON object, as it is read."""
JsonDict = dict[str, Any]
"""A JSON object, as it is made."""
SPARE = ".tmp"
"""How names of files end that are not whole yet."""
PACKED_SUFFIX = ".packed"
PLAIN_SUFFIX = ".safetensors"
"""How names of files of weights end."""
LONGEST = 100
"""What a temporary name takes of its file's: names have 255 bytes."""
_UNFINISHED: set[Path] = set()
"""What this process is writing."""
SURELY_DEAD_S = 3600.0
"""Age of an unfinished file that nobody on any machine is still writing."""


_PART = re.compile(r"(\.np[yz])\[[^\]]*\]$")


def as_file(path: str | os.PathLike[str]) -> Path:
    """A path that leads to a file, for what reads it: a pipe would be waited for, and a device need not end.

    Raises:
        OSError: nothing is there, or something else.
    """
    try:
        mode = Path(path).stat().st_mode
    except ValueError as fault:  # NUL
        raise OSError(errno.EINVAL, f"no name of a file: {fault}") from fault
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"is a {'folder' if stat.S_ISDIR(mode) else 'device or pipe'}; need a file")
    return Path(path)


def found_from(folder: Path | None, path: str) -> str:
    """Where a relative path, or a pattern with `*` and braces, leads: from `folder` if something is there.

    Otherwise it stays as it is, and counts from the working directory. `{word}` stands for anything, and a range at
    the end of the name of an array, `digits.npz[0:500]`, is none of the name.
    """
    text = _PART.sub(r"\1", path)
    if folder is None or not text.strip() or "\0" in text or Path(text).expanduser().is_absolute():
        return path
    with suppress(OSError, ValueError):
        if folder.resolve() == Path.cwd():
            return path  # errors show it as it is written
        patterns = (re.sub(r"\{[^{},]*\}", "*", full) for full in braces(text))
        if (folder / text).exists() or any(glob.glob(full, root_dir=folder, recursive=True) for full in patterns):
            return str(folder / path)
    return path


def braces(pattern: str) -> tuple[str, ...]:
    """A pattern with each {a,b} written out, inner braces last."""
    group = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if group is None:
        return (pattern,)
    before, after = pattern[: group.start()], pattern[group.end() :]
    return tuple(dict.fromkeys(full for word in group[1].split(",") for full in braces(before + word + after)))


def json_in(data: bytes) -> Any:
    """What a file of JSON holds.

    Raises:
        ValueError: no UTF-8, no JSON, nested too deep, a number of thousands of digits, or half a character.
    """
    try:
        found = json.loads(data.decode())
        if b"\\ud" in data.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return found


def write_atomic(path: str | os.PathLike[str], data: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all: a temporary neighbour, then a rename.

    A `durable` file is on the disk when this returns; caches need not be.

    Raises:
        ResultsError: the folder or the disk does not take it.
    """
    path = Path(path)
    spare = path.parent / f"{_spare_prefix(path.name)}{token_hex(8)}{SPARE}"
    _UNFINISHED.add(spare)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(spare, "xb") as out:
            out.write(data)
            out.flush()
            if durable:
                os.fsync(out.fileno())
        os.replace(spare, path)
    except BaseException as error:  # Ctrl-C and being told to end among them
        with suppress(OSError):
            spare.unlink()
        if not isinstance(error, OSError):
            raise
        raise ResultsError(f"{path}: cannot be written ({reason_of(error)})") from error
    finally:
        _UNFINISHED.discard(spare)


def drop_unfinished() -> None:
    """Remove what this process is writing, for one that ends in the middle of it: a slow disk may hold a thread up."""
    for spare in tuple(_UNFINISHED):
        with suppress(OSError):
            spare.unlink()


def drop_spares(folder: Path, *, is_ours: bool) -> None:
    """Remove what killed writers left unfinished in a folder.

    Args:
        is_ours: nobody else writes here at present. Otherwise what processes that are alive, or on other machines,
            began within the last hour is left.
    """
    for spare in folder.glob(f".*{SPARE}"):
        with suppress(OSError):
            if is_ours or _is_forsaken(spare):
                spare.unlink()


def _spare_prefix(name: str) -> str:
    """A temporary name says whose it is: machine and process."""
    return f".{name[:LONGEST]}.{machine()}-{os.getpid()}."


def _is_forsaken(spare: Path) -> bool:
    of, _, process = spare.name.removesuffix(SPARE).split(".")[-2].partition("-")
    if of == machine() and process.isdecimal():
        return not _is_alive(int(process))
    return time.time() - spare.stat().st_mtime > SURELY_DEAD_S


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


@cache
def machine() -> str:
    """This machine's name in names of files."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def told_of_file(fault: OSError) -> str:
    """A file, and what the system says went wrong with it; of a long name the beginning."""
    name = os.fsdecode(fault.filename) if isinstance(fault.filename, str | bytes) else str(fault.filename)
    return f"{name if len(name) <= LONGEST else f'{name[:LONGEST]}...'}: {reason_of(fault)}"


def reason_of(error: Exception) -> str:
    """What the system says went wrong, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()
