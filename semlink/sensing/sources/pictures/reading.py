"""One picture of a file, strictly: 8 bits, gray or colour, opaque and still; all else is refused and said."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from semlink.errors import SourceError
from semlink.files import as_file

__all__ = ["LEAST_SIDE", "MOST_SIDE", "looked_at", "picture"]

LEAST_SIDE, MOST_SIDE = 8, 16_384
_FORMATS = ("PNG", "JPEG", "WEBP")
"""Readers of others start programs (of EPS, Ghostscript), or were tried by nobody here."""
_SIDEWAYS = (5, 6, 7, 8)
_ORIENTATION = 0x0112
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, struct.error, zlib.error),
    *(ArithmeticError, LookupError, TypeError, MemoryError),
)
_ASK = "save it as an RGB or gray picture of 8 bits without transparency"


def looked_at(path: Path) -> tuple[int, int]:
    """Height and width of a picture as it is shown, without decoding it.

    Raises:
        SourceError: no picture, or one that `picture` refuses for what its head says.
    """
    with _opened(path) as image:
        width, height = image.size
        return (width, height) if _orientation(image) in _SIDEWAYS else (height, width)


def picture(path: Path) -> np.ndarray:
    """uint8 (h, w) of a gray picture, or (h, w, 3) in RGB, turned as its EXIF orientation says.

    Palettes are looked up; an alpha channel that is opaque everywhere is dropped.

    Raises:
        SourceError: names the file, what is wrong with it, and what is allowed.
    """
    with _opened(path) as image:
        upright = image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
        if "A" in upright.getbands() or "transparency" in upright.info:
            alpha = np.asarray(upright.convert("RGBA"))[..., 3]
            if alpha.min() < 255:
                raise SourceError(f"{path}: is transparent in places, and nothing says over what; {_ASK}")
        return np.asarray(upright.convert("L" if upright.mode in ("L", "LA", "1") else "RGB"))


def _orientation(image: Image.Image) -> int:
    """As EXIF numbers it, 1 for upright; a PNG that tells it only behind its pixels is taken for upright."""
    return int(image.getexif().get(_ORIENTATION, 1)) if image.format != "PNG" or "exif" in image.info else 1


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sizes are looked at below
            with Image.open(as_file(path), formats=_FORMATS) as image:
                _check(image, path)
                yield image
    except SourceError:
        raise
    except _BROKEN as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise SourceError(f"{path}: cannot be read as a picture: {' '.join(why.split())}") from None


def _check(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise SourceError(f"{path}: holds {frames} frames; kind images takes stills, kind video takes it")
    if min(width, height) < LEAST_SIDE or max(width, height) > MOST_SIDE:
        raise SourceError(
            f"{path}: is of {height}x{width} (height x width) pixels; allowed: {LEAST_SIDE} to {MOST_SIDE:,} on a side"
        )
    tiles = getattr(image, "tile", ())  # how the file holds its samples
    raw = tiles[0][3] if tiles else None
    raw = raw[0] if isinstance(raw, tuple) and raw else raw
    if image.mode in ("I", "F") or image.mode.startswith("I;") or (isinstance(raw, str) and "16" in raw):
        raise SourceError(f"{path}: has more than 8 bits a sample; {_ASK}")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"):
        raise SourceError(f"{path}: is in {image.mode}, which needs a profile to become RGB; {_ASK}")
