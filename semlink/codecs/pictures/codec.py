"""A format of pictures as a source codec: every frame is a file of its own, and a packet.

A packet is four bytes of checksum and the file: the libraries trust what they read more than a receiver may. All frames
of a clip have one quality, which the budget turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.packetization import framed_size
from semlink.codecs.pictures.formats import FORMATS, Format, FormatName
from semlink.codecs.rate_search import best_under
from semlink.codecs.video.luma import from_luma8, placed, to_luma8
from semlink.codecs.video.options import Chroma
from semlink.colour.layout import Colour, apart, together
from semlink.errors import ScenarioError, SourceError
from semlink.payload import FrameShape, Packet

__all__ = ["PictureCodec"]

MAX_FRAMES = 256  # a packet's time is one byte
_CHECK_BYTES = 4


@dataclass(frozen=True, slots=True)
class PictureCodec(CodecBase):
    """JPEG, JPEG 2000, WebP, AVIF or JPEG XL.

    Attributes:
        format: its name.
        chroma: of rgb frames; None: the format's own choice.
        colour: of the frames.
        version: of the library; default: the one at hand.
    Raises:
        ScenarioError: chroma that the format or the frames do not have, or imagecodecs is missing.
    """

    format: FormatName
    chroma: Chroma | None = None
    colour: Colour = "gray"
    version: str = ""
    colours = ("gray", "rgb")

    def __post_init__(self) -> None:
        allowed = self._format.chroma if self.colour == "rgb" else ()
        if self.chroma is not None and self.chroma not in allowed:
            told = f"{self.format} of {self.colour} frames has {' or '.join(allowed) or 'none to choose'}"
            raise ScenarioError(f"codec.chroma: got {self.chroma}; {told}")
        object.__setattr__(self, "version", self.version or self._format.version())

    def unquantised(self, clip: np.ndarray) -> np.ndarray:
        """Pixels of 8 bits, which every format begins with."""
        return from_luma8(to_luma8(clip))

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip` (t, rows, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the coarsest quality fits.
            SourceError: no clip of 1 to 256 frames.
        """
        quality = self._format.quality
        knob = quality.knob
        return best_under(
            lambda turned: self._packets(clip, quality.told(turned)),
            framed_size,
            max_bytes,
            knob=knob,
            start=(knob.finest + knob.coarsest) / 2,
            name=f"{self.format}: even quality",
            shown=quality.told,
        ).stream

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at quality `rate`, as the format counts it.

        Raises:
            ScenarioError: no such quality.
            SourceError: no clip of 1 to 256 frames.
        """
        self.check_rate(rate)
        return self._packets(clip, rate)

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        quality = self._format.quality
        low, high = sorted((quality.finest, quality.coarsest))
        if rate is None:
            return
        whole = quality.step == 1
        if not low <= rate <= high or (whole and rate != round(rate)):
            kind = "whole numbers from " if whole else ""
            raise ScenarioError(f"rates: got quality {rate:g} for {self.format}; allowed: {kind}{low:g} to {high:g}")

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """float32 (t, rows, w) in [0, 1] from the packets that arrived; never raises on damage.

        Frames that are missing repeat the last one before; without any, mid-gray.
        """
        size = (shape.h, shape.w) if shape.colour == "gray" else (shape.h, shape.w, 3)
        pictures: dict[int, np.ndarray] = {}
        for packet in packets:
            data = packet.data[_CHECK_BYTES:]
            if packet.time >= shape.t or packet.data[:_CHECK_BYTES] != _check(data):
                continue
            picture = self._format.picture(data, size)
            if picture is not None:
                pictures[packet.time] = picture if picture.ndim == 2 else together(np.moveaxis(picture, -1, 0))
        return placed(pictures, FrameShape(shape.t, shape.rows, shape.w))

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.format

    @property
    def _format(self) -> Format:
        return FORMATS[self.format]

    def _packets(self, clip: np.ndarray, quality: float) -> tuple[Packet, ...]:
        if clip.ndim != 3 or 0 in clip.shape or len(clip) > MAX_FRAMES:
            raise SourceError(
                f"codec: got a clip of shape {tuple(clip.shape)}; need 1 to {MAX_FRAMES} frames (t, rows, w)"
            )
        chroma = self.chroma or self._format.chroma[0]
        pictures = to_luma8(clip) if self.colour == "gray" else np.moveaxis(apart(to_luma8(clip)), -3, -1)
        files = [self._format.written(picture, quality, chroma) for picture in pictures]
        return tuple(Packet(time, _check(data) + data) for time, data in enumerate(files))


def _check(data: bytes) -> bytes:
    return crc32(data).to_bytes(_CHECK_BYTES, "big")
