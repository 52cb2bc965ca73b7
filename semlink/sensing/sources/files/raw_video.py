"""Headerless video: planes of samples, frame after frame, luma first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.files import as_file
from semlink.sensing.sources.luma_range import Coded

# Chroma samples of a frame, as parts of (height, width) that each of two planes covers; None for none.
_CHROMA = {"gray": None, "yuv420p": (2, 2), "nv12": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}
_DEPTHS = {"": 8, "10le": 10, "12le": 12, "16le": 16}
PIXEL_FORMATS = tuple(layout + depth for layout in _CHROMA for depth in _DEPTHS if layout != "nv12" or not depth)
_NAMED = re.compile(r"_(\d+)x(\d+)(?:_\d+(?:fps|hz)?)?(?:_(8|10|12)bit)?(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawVideo:
    """A headerless file of frames (h, w) in one of `PIXEL_FORMATS`."""

    where: Path
    num_frames: int
    size: tuple[int, int]
    pixel_format: str
    colour: Colour = "gray"

    @property
    def coded(self) -> Coded:
        """Gray files are taken for full range; of others nothing is known."""
        bits = _DEPTHS[self.pixel_format.removeprefix(_layout(self.pixel_format))]
        is_gray = _layout(self.pixel_format) == "gray"
        return Coded("full" if is_gray else "unspecified", bits, matrix=None if is_gray else "bt601")

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray | tuple[np.ndarray, ...]]:
        """Frames `wanted` as coded, float32 in [0, 1]: luma (h, w), or of yuv420 Y, Cb and Cr.

        Raises:
            SourceError: the file is gone or was cut meanwhile.
        """
        kind, peak = _samples(self.pixel_format)
        rows, columns = self.size
        step = bytes_per_frame(self.pixel_format, self.size)
        try:
            with as_file(self.where).open("rb") as file:
                for number in wanted:
                    file.seek(number * step)
                    luma = np.frombuffer(file.read(rows * columns * kind.itemsize), dtype=kind)
                    if luma.size != rows * columns:
                        raise SourceError(f"{self.where}: ends before frame {number}")
                    y = luma.reshape(rows, columns).astype(np.float32) / np.float32(peak)
                    if self.colour == "gray":
                        yield y
                        continue
                    half = (-(-rows // 2), -(-columns // 2))
                    chroma = np.frombuffer(file.read(2 * half[0] * half[1] * kind.itemsize), dtype=kind)
                    if chroma.size != 2 * half[0] * half[1]:
                        raise SourceError(f"{self.where}: ends before frame {number + 1}")
                    chroma = chroma.astype(np.float32) / np.float32(peak)
                    pairs = chroma.reshape(*half, 2).transpose(2, 0, 1) if self._is_woven else chroma.reshape(2, *half)
                    yield y, pairs[0], pairs[1]
        except OSError as error:
            raise SourceError(f"{self.where}: cannot be read: {error.strerror}") from None

    @property
    def _is_woven(self) -> bool:
        """Whether Cb and Cr take turns."""
        return self.pixel_format == "nv12"


def open_raw(
    path: Path, pixel_format: str | None, size: tuple[int, int] | None, *, colour: Colour = "gray"
) -> RawVideo:
    """The reel of a headerless file; a name such as BQMall_832x480_60.yuv says size and depth where nothing else does.

    Raises:
        SourceError: format or size missing or unknown, or the bytes do not make whole frames.
    """
    if pixel_format is None and size is None:
        pixel_format, size = format_in_name(path) or (None, None)
    if pixel_format is None or size is None:
        raise SourceError(
            f"{path}: headerless video needs pixel_format (such as yuv420p) and raw_size ([height, width]), "
            "or a name such as BQMall_832x480_60.yuv"
        )
    if pixel_format not in PIXEL_FORMATS:
        raise SourceError(f"source pixel_format: got {pixel_format!r}, allowed: {', '.join(PIXEL_FORMATS)}")
    try:
        num_bytes = as_file(path).stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    step = bytes_per_frame(pixel_format, size)
    if num_bytes == 0 or num_bytes % step:
        raise SourceError(
            f"{path}: {num_bytes} bytes are not a whole number of {pixel_format} frames of "
            f"{size[0]}x{size[1]} (height x width), {step} bytes each"
        )
    if colour == "rgb" or (colour == "yuv420" and _CHROMA[_layout(pixel_format)] != (2, 2)):
        raise SourceError(
            f"{path}: headerless {pixel_format} read as {colour}; allowed: gray, and yuv420 of yuv420p and nv12"
        )
    return RawVideo(path, num_bytes // step, size, pixel_format, colour)


def format_in_name(path: Path) -> tuple[str, tuple[int, int]] | None:
    """Pixel format and (h, w) from a name such as Name_WIDTHxHEIGHT[_RATE][_10bit]; None from others.

    Source: [bossen2013, table of sequences]; such files are 4:2:0.
    """
    found = _NAMED.search(path.stem)
    if found is None:
        return None
    width, height, depth = found.groups()
    return "yuv420p" + ("" if depth in (None, "8") else f"{depth}le"), (int(height), int(width))


def bytes_per_frame(pixel_format: str, size: tuple[int, int]) -> int:
    """Bytes of one frame (h, w); chroma of odd sizes is rounded up."""
    rows, columns = size
    parts = _CHROMA[_layout(pixel_format)]
    chroma = 0 if parts is None else 2 * math.ceil(rows / parts[0]) * math.ceil(columns / parts[1])
    return (rows * columns + chroma) * _samples(pixel_format)[0].itemsize


def _samples(pixel_format: str) -> tuple[np.dtype, int]:
    """Type of a sample, and its greatest value."""
    bits = _DEPTHS[pixel_format.removeprefix(_layout(pixel_format))]
    return np.dtype("u1" if bits == 8 else "<u2"), 2**bits - 1


def _layout(pixel_format: str) -> str:
    return next(layout for layout in _CHROMA if pixel_format.startswith(layout))
