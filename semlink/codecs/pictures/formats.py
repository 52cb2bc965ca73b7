"""Formats of pictures, each with the library that writes it, through imagecodecs.

One thread, so the same bytes every time.

| format | library | its quality, coarse to fine | chroma of rgb |
|---|---|---|---|
| jpeg | libjpeg-turbo, optimised Huffman tables | 1 to 100 | 4:2:0, 4:4:4 |
| jpeg2000 | OpenJPEG, 9/7 wavelet, bare code stream | 10 to 60 dB of PSNR | 4:4:4 |
| webp | libwebp, method 6 | 0 to 100 | 4:2:0 |
| avif | libavif with libaom, speed 6 | 0 to 99 | 4:2:0, 4:4:4 |
| jpegxl | libjxl, effort 7, bare code stream | distance 25 to 0.05 | 4:4:4 |

WebP and AVIF take a gray picture as three equal planes: neutral chroma costs them next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from semlink.codecs.rate_search import Quality
from semlink.codecs.video.options import Chroma
from semlink.errors import ScenarioError

FormatName = Literal["jpeg", "jpeg2000", "webp", "avif", "jpegxl"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a library is called.

    Attributes:
        write: picture, quality and chroma to bytes; read: bytes to a picture.
        quality: how it counts it.
        chroma: what it can do with rgb, its own choice first.
        gray: it has pictures of one plane.
        version: which build of the library writes and reads.
    """

    write: Callable[[np.ndarray, float, Chroma], bytes]
    read: Callable[[bytes], np.ndarray]
    quality: Quality
    chroma: tuple[Chroma, ...]
    gray: bool
    version: Callable[[], str]

    def written(self, picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
        """uint8 (h, w) or (h, w, 3) as a file."""
        wide = picture if self.gray or picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)
        return self.write(np.ascontiguousarray(wide), quality, chroma)

    def picture(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray | None:
        """uint8 of `shape`, (h, w) or (h, w, 3), from a file; None where it is none, or of another size."""
        try:
            found = self.read(data)
        except (RuntimeError, ValueError, TypeError, OSError):  # the libraries' own errors are the first
            return None
        if len(shape) == 2 and found.shape == (*shape, 3):
            found = found[..., 1]
        return found if found.shape == shape and found.dtype == np.uint8 else None


def imagecodecs() -> Any:
    """The library.

    Raises:
        ScenarioError: it is not installed.
    """
    try:
        import imagecodecs as library
    except ModuleNotFoundError as missing:
        raise ScenarioError("codecs of pictures need imagecodecs: pip install 'semlink[pictures]'") from missing
    return library


def _write_jpeg(picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
    sampling = {} if picture.ndim == 2 else {"subsampling": _SAMPLING[chroma]}
    return imagecodecs().jpeg8_encode(picture, round(quality), optimize=True, **sampling)


def _write_jpeg2000(picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
    return imagecodecs().jpeg2k_encode(picture, quality, codecformat="j2k", reversible=False, numthreads=1)


def _write_webp(picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
    return imagecodecs().webp_encode(picture, quality, lossless=False, method=6, numthreads=1)


def _write_avif(picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
    options = {"pixelformat": _SAMPLING[chroma], "codec": "aom", "speed": 6, "numthreads": 1}
    return imagecodecs().avif_encode(picture, round(quality), **options)


def _write_jpegxl(picture: np.ndarray, quality: float, chroma: Chroma) -> bytes:
    options = {"effort": 7, "lossless": False, "usecontainer": False, "numthreads": 1}
    return imagecodecs().jpegxl_encode(picture, distance=quality, **options)


def _read(name: str, options: dict[str, Any], data: bytes) -> np.ndarray:
    return getattr(imagecodecs(), f"{name}_decode")(data, **options)


def _version(name: str) -> str:
    return str(getattr(imagecodecs(), f"{name}_version")())


_SAMPLING = {"4:2:0": "420", "4:4:4": "444"}
_ONE = {"numthreads": 1}
FORMATS: dict[FormatName, Format] = {
    "jpeg": Format(
        _write_jpeg,
        partial(_read, "jpeg8", {}),
        Quality(100, 1, 1, 30),
        ("4:2:0", "4:4:4"),
        True,
        partial(_version, "jpeg8"),
    ),
    "jpeg2000": Format(
        _write_jpeg2000,
        partial(_read, "jpeg2k", _ONE),
        Quality(60, 10, 0.02, 5),
        ("4:4:4",),
        True,
        partial(_version, "jpeg2k"),
    ),
    "webp": Format(
        _write_webp, partial(_read, "webp", {}), Quality(100, 0, 0.5, 40), ("4:2:0",), False, partial(_version, "webp")
    ),
    "avif": Format(
        _write_avif,
        partial(_read, "avif", _ONE),
        Quality(99, 0, 1, 20),
        ("4:2:0", "4:4:4"),
        False,
        partial(_version, "avif"),
    ),
    "jpegxl": Format(
        _write_jpegxl,
        partial(_read, "jpegxl", _ONE),
        Quality(0.05, 25, 0.01, 3),
        ("4:4:4",),
        True,
        partial(_version, "jpegxl"),
    ),
}
