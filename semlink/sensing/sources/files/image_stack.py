"""Stacks of small pictures in one .npz, such as MNIST's digits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from semlink.errors import SourceError
from semlink.sensing.sources.files.arrays import read_arrays

KEY = "images"
_RANGE = re.compile(r"^(?P<path>.*\.npz)\[(?P<first>\d*):(?P<last>\d*)\]$")


def read_stack(path: str | Path) -> np.ndarray:
    """The pictures of a file: uint8 (n, h, w), under the key `images`; other keys, such as `labels`, are not read.

    `file.npz[0:7500]` takes only these, counted as in Python.

    Raises:
        SourceError: no such file, no such key, another shape or type, or an empty range.
    """
    place, part = _parted(str(path))
    try:
        held = read_arrays(place, KEY)
        if KEY not in held:
            raise ValueError(f"holds no {KEY!r}")
        images = held[KEY]
    except (OSError, ValueError) as why:
        raise SourceError(
            f"{place}: cannot be read as a stack of pictures ({why}); allowed: an .npz with {KEY!r}, uint8 (n, h, w)"
        ) from why
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise SourceError(f"{place}: {KEY!r} is {images.dtype} of shape {images.shape}, need uint8 (n, h, w)")
    if not len(images[part]):
        raise SourceError(f"{path}: an empty range; the file holds {len(images)} pictures")
    return images[part]


def is_stack(path: str | Path) -> bool:
    """Whether `path`, a range apart, is an .npz file that is there."""
    place, _ = _parted(str(path))
    return place.suffix == ".npz" and place.is_file()


def _parted(path: str) -> tuple[Path, slice]:
    found = _RANGE.match(path)
    if found is None:
        return Path(path), slice(None)
    first, last = (int(text) if text else None for text in (found["first"], found["last"]))
    return Path(found["path"]), slice(first, last)
