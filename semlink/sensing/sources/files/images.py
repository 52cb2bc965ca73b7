"""Videos stored as numbered pictures, and pictures as gray arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from semlink.errors import SourceError

# What Pillow raises on files that are damaged or no pictures at all.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
_PEAKS = {"1": 1, "L": 255, "LA": 255, "I;16": 65535, "I;16B": 65535, "I": 65535}


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Pictures of one size, one a frame, in the order given."""

    where: Path
    paths: tuple[Path, ...]
    size: tuple[int, int]
    colour: bool = False

    @property
    def num_frames(self) -> int:
        return len(self.paths)

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames `wanted`: float32 (h, w) in [0, 1], or (3, h, w) in colour.

        Raises:
            SourceError: a picture cannot be read or has another size than the first.
        """
        look = colour_picture if self.colour else gray_picture
        for number in wanted:
            frame = look(self.paths[number])
            if frame.shape[-2:] != self.size:
                raise SourceError(
                    f"{self.paths[number]}: {frame.shape[-2]}x{frame.shape[-1]} (height x width), but "
                    f"{self.paths[0].name} of the same video is {self.size[0]}x{self.size[1]}"
                )
            yield frame


def open_images(where: Path, paths: Sequence[Path], *, colour: bool = False) -> ImageSequence:
    """The reel of a folder of pictures.

    Raises:
        SourceError: the first picture cannot be read.
    """
    try:
        with Image.open(paths[0]) as picture:
            width, height = picture.size
    except _BROKEN as error:
        raise _unreadable(paths[0], error) from None
    return ImageSequence(where, tuple(paths), (height, width), colour)


def gray_picture(path: Path) -> np.ndarray:
    """A PNG or JPEG file as gray float32 (h, w) in [0, 1]; transparency is ignored.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in _PEAKS:
                return gray_of_rgb(np.asarray(picture.convert("RGB")), peak=255)
            peak = _PEAKS[picture.mode]
            values = np.asarray(picture.getchannel("L") if picture.mode == "LA" else picture)
    except _BROKEN as error:
        raise _unreadable(path, error) from None
    return values.astype(np.float32) / np.float32(peak)


def colour_picture(path: Path) -> np.ndarray:
    """A PNG or JPEG file as its planes R, G, B, float32 (3, h, w) in [0, 1]; gray ones have three equal planes.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode in _PEAKS:
                return np.repeat(gray_picture(path)[None], 3, axis=0)
            return planes_of_rgb(np.asarray(picture.convert("RGB")))
    except _BROKEN as error:
        raise _unreadable(path, error) from None


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
