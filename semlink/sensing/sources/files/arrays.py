"""Arrays from .npz and .npy files that anybody may have made.

A header may claim more than a file holds, or than any memory does. What it claims is compared with what is there
before room is made for it; objects, which could bring code along, are never read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from semlink.files import as_file

__all__ = ["read_array", "read_arrays"]

MOST_BYTES = 1 << 34
"""Of the arrays of a file."""
MOST_DENSE = 1100
"""Bytes that a byte of a compressed file can stand for, a little above deflate's 1032."""
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(path: Path, *names: str) -> Mapping[str, np.ndarray]:
    """The arrays of an .npz by name, those of `names` where any is given; a name that is not there is left out.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is no .npz, is cut off or damaged, holds objects, or claims what it does not hold.
    """
    try:
        with zipfile.ZipFile(as_file(path)) as file:
            room = path.stat().st_size
            found = {i.filename.removesuffix(".npy"): i for i in file.infolist() if i.filename.endswith(".npy")}
            wanted = {name: info for name, info in found.items() if not names or name in names}
            if sum(info.file_size for info in wanted.values()) > min(MOST_BYTES, MOST_DENSE * room):
                raise ValueError(f"claims more than {min(MOST_BYTES, MOST_DENSE * room)} bytes")
            for name, info in wanted.items():
                with file.open(info) as held:
                    _check_header(held, info.file_size, name)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in wanted}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as why:
        raise ValueError(str(why) or "cut off") from why
    except MemoryError as why:
        raise ValueError("more than the memory holds") from why


def read_array(path: Path) -> np.ndarray:
    """The array of an .npy.

    Raises:
        OSError, ValueError: as of `read_arrays`.
    """
    try:
        with as_file(path).open("rb") as held:
            _check_header(held, path.stat().st_size, "the array")
        return np.load(path, allow_pickle=False)
    except (EOFError, MemoryError) as why:
        raise ValueError(str(why) or "cut off") from why


def _check_header(held: IO[bytes], size: int, name: str) -> None:
    """See that an array in the .npy format, `size` bytes with its header, is as large as it claims."""
    version = npy.read_magic(held)
    if version not in HEADERS:
        raise ValueError(f"{name}: format {version}; allowed: (1, 0) and (2, 0)")
    shape, _, dtype = HEADERS[version](held)
    if dtype.hasobject:
        raise ValueError(f"{name}: holds Python objects, which are never read")
    claimed, there = prod(shape) * dtype.itemsize, size - held.tell()
    if any(length < 0 for length in shape) or claimed != there:
        raise ValueError(f"{name}: claims {claimed} bytes and holds {there}")
