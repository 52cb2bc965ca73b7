"""Videos stored as numbered pictures, and pictures as gray arrays."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.files import as_file
from semlink.sensing.sources.luma_range import Coded

# What Pillow raises on files that are damaged or no pictures at all.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning),
    *(struct.error, zlib.error, ArithmeticError, LookupError, TypeError, MemoryError),
)
FORMATS = ("PNG", "JPEG")
"""Pillow reads many more, some of them with programs that it starts."""
_ORIENTATION = 0x0112  # the EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange rows and columns
_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*)", re.DOTALL)
_PEAKS = {"1": 1, "L": 255, "LA": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Pictures of one size, one a frame, in the order given."""

    where: Path
    paths: tuple[Path, ...]
    size: tuple[int, int]
    colour: Colour = "gray"
    coded: Coded = Coded()

    @property
    def num_frames(self) -> int:
        return len(self.paths)

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames `wanted`: float32 (h, w) in [0, 1], or (3, h, w) in RGB for all other colours.

        Raises:
            SourceError: a picture cannot be read or has another size than the first.
        """
        look = gray_picture if self.colour == "gray" else colour_picture
        for number in wanted:
            frame = look(self.paths[number])
            if frame.shape[-2:] != self.size:
                raise SourceError(
                    f"{self.paths[number]}: {frame.shape[-2]}x{frame.shape[-1]} (height x width), but "
                    f"{self.paths[0].name} of the same video is {self.size[0]}x{self.size[1]}"
                )
            yield frame


def open_images(where: Path, paths: Sequence[Path], *, colour: Colour = "gray") -> ImageSequence:
    """The reel of a folder of pictures.

    Raises:
        SourceError: the first picture cannot be read.
    """
    try:
        with Image.open(as_file(paths[0]), formats=FORMATS) as picture:
            width, height = picture.size
            if picture.getexif().get(_ORIENTATION, 1) in _SIDEWAYS:
                width, height = height, width
    except _BROKEN as error:
        raise _unreadable(paths[0], error) from None
    return ImageSequence(where, tuple(paths), (height, width), colour, Coded("full", 8, tuple(gaps(paths))))


def gaps(paths: Sequence[Path]) -> Iterator[str]:
    """A line if pictures that are numbered leave a number out; numbers may run in equal steps."""
    found = [_NUMBERED.fullmatch(path.stem) for path in paths]
    if len(paths) < 3 or None in found or len({(match[1], match[3]) for match in found if match}) != 1:
        return
    numbers = [int(match[2]) for match in found if match]
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    jumps = [place for place, step in enumerate(steps) if step != min(steps)]
    if jumps:
        first, more = jumps[0], f", and {len(jumps) - 1} more gaps" if len(jumps) > 1 else ""
        yield (
            f"{paths[0].parent}: pictures are missing between {paths[first].name} and {paths[first + 1].name}{more}; "
            "the others follow one another without them"
        )


def gray_picture(path: Path) -> np.ndarray:
    """A PNG or JPEG file as gray float32 (h, w) in [0, 1]; transparency is ignored.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with Image.open(as_file(path), formats=FORMATS) as picture:
            upright = _upright(picture)
            if upright.mode not in _PEAKS:
                return gray_of_rgb(np.asarray(upright.convert("RGB")), peak=255)
            peak = _PEAKS[upright.mode]
            values = np.asarray(upright.getchannel("L") if upright.mode == "LA" else upright)
    except _BROKEN as error:
        raise _unreadable(path, error) from None
    return values.astype(np.float32) / np.float32(peak)


def colour_picture(path: Path) -> np.ndarray:
    """A PNG or JPEG file as its planes R, G, B, float32 (3, h, w) in [0, 1]; gray ones have three equal planes.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with Image.open(as_file(path), formats=FORMATS) as picture:
            if picture.mode in _PEAKS:
                return np.repeat(gray_picture(path)[None], 3, axis=0)
            return planes_of_rgb(np.asarray(_upright(picture).convert("RGB")))
    except _BROKEN as error:
        raise _unreadable(path, error) from None


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned and mirrored as its EXIF orientation says."""
    return ImageOps.exif_transpose(picture) if picture.getexif().get(_ORIENTATION, 1) != 1 else picture


def planes_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """8-bit RGB (h, w, 3) as float32 (3, h, w) in [0, 1]."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def gray_of_rgb(rgb: np.ndarray, *, peak: int) -> np.ndarray:
    """Gray float32 (h, w) in [0, 1] of integer RGB (h, w, 3) up to `peak`: .2126 R + .7152 G + .0722 B.

    The weights are those of BT.709, applied to the values as stored; they are
    exact integers here, so that R = G = B = v gives v / peak and no more.
    Source: [bt709, section 3].
    """
    weighted = rgb[..., 0] * np.int64(2126) + rgb[..., 1] * np.int64(7152) + rgb[..., 2] * np.int64(722)
    return (weighted / (10_000 * peak)).astype(np.float32)


def _unreadable(path: Path, error: BaseException) -> SourceError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return SourceError(f"{path}: cannot be read as a picture: {' '.join(why.split())}")
