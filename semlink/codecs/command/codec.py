"""Any encoder and decoder that are run from the command line, as a source codec.

The encoder gets frames of 8 bits as a file and a number that turns its quality; the budget is met from below by turning
it. What it writes is cut into packets, and the decoder gets those that arrived. A decoder that fails on what is left
shows what it can: frames that are missing repeat the last one before, and without any there is mid-gray.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.command.pictures import Unreadable, read_pictures, write_pictures
from semlink.codecs.command.programs import Cut, Program
from semlink.codecs.command.running import ProgramFailed, run_program
from semlink.codecs.packetization import framed_size
from semlink.codecs.rate_search import Quality, best_under
from semlink.codecs.video.luma import padded, placed, to_luma8
from semlink.errors import InterfaceError, ScenarioError, SourceError
from semlink.payload import FrameShape, Packet

__all__ = ["CommandCodec"]

MAX_FRAMES = 256
START_CODE = b"\0\0\0\1"
SHORT_CODE = b"\0\0\1"
MOST_BYTES_A_PIXEL = 16
DROPPED = {"hevc": {35, 38, 39, 40}, "vvc": {20, 23, 24, 25}}
"""Types of units that tell a decoder nothing."""


@dataclass(frozen=True, slots=True)
class CommandCodec(CodecBase):
    """A program.

    Attributes:
        program: its commands and formats, the first word of each an executable that was found.
        versions: SHA-256 of the executables and of the files that the commands name.
        timeout_s: for each time it is run.
        fps: frames a second that it is told.
    """

    program: Program
    versions: tuple[str, ...]
    timeout_s: float = 60.0
    fps: float = 25.0
    tried: set[FrameShape] = field(default_factory=set, repr=False, compare=False, hash=False)

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip` (t, h, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the coarsest quality fits.
            InterfaceError: the program fails.
        """
        knob = self._quality.knob
        return best_under(
            lambda quality: self._packets(clip, quality),
            framed_size,
            max_bytes,
            knob=knob,
            start=(knob.finest + knob.coarsest) / 2,
            name=f"{self._name}: even quality",
            shown=self._quality.told,
        ).stream

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at quality `rate`."""
        self.check_rate(rate)
        return self._packets(clip, rate)

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        low, high = sorted((self.program.finest, self.program.coarsest))
        if rate is not None and not low <= rate <= high:
            raise ScenarioError(f"rates: got quality {rate:g} for {self._name}; allowed: {low:g} to {high:g}")
        if shape is not None and shape not in self.tried:
            self._try(shape)
            self.tried.add(shape)

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """float32 (t, h, w) in [0, 1] from the packets that arrived; never raises on damage."""
        if self._frame_by_frame:
            pictures: dict[int, np.ndarray] = {}
            for packet in packets:
                if packet.time < shape.t and packet.data:
                    pictures.update((packet.time, frame) for frame in self._decoded(packet.data, shape, frames=1))
        else:
            data = _joined(packets, self.program.cut)
            pictures = dict(enumerate(self._decoded(data, shape, frames=shape.t))) if data else {}
        return placed({time: np.rint(255 * p).astype(np.uint8) for time, p in pictures.items()}, shape)

    @property
    def _name(self) -> str:
        return Path(self.program.encode[0]).name

    @property
    def _frame_by_frame(self) -> bool:
        return self.program.pictures == "png"

    @property
    def _quality(self) -> Quality:
        p = self.program
        return Quality(p.finest, p.coarsest, p.step, p.octave)

    def _try(self, shape: FrameShape) -> None:
        """Send a first clip through encoder and decoder, so that what cannot work is said before the work."""
        ramp = np.linspace(0.2, 0.8, shape.w, dtype=np.float32)
        frames = 1 if self._frame_by_frame else shape.t
        clip = np.broadcast_to(ramp, (frames, shape.h, shape.w)).copy()
        packets = self._packets(clip, self._quality.knob.nearest((self.program.finest + self.program.coarsest) / 2))
        data = packets[0].data if self._frame_by_frame else _joined(packets, self.program.cut)
        name = Path(self.program.decode[0]).name
        try:
            found = self._read(data, FrameShape(frames, shape.h, shape.w), frames)
        except (ProgramFailed, Unreadable) as fault:
            raise InterfaceError(f"codec command: decoder {name} {fault}") from fault
        if len(found) != frames:
            raise InterfaceError(f"codec command: decoder {name} wrote {len(found)} of {frames} frames")

    def _packets(self, clip: np.ndarray, quality: float) -> tuple[Packet, ...]:
        if clip.ndim != 3 or 0 in clip.shape or len(clip) > MAX_FRAMES:
            raise SourceError(
                f"codec: got a clip of shape {tuple(clip.shape)}; need 1 to {MAX_FRAMES} frames (t, h, w)"
            )
        luma = padded(to_luma8(clip), multiple=self.program.multiple, least=self.program.multiple)
        try:
            if self._frame_by_frame:
                streams = ((time, self._encoded(frame[None], quality)) for time, frame in enumerate(luma))
                return tuple(Packet(time, data) for time, data in streams)
            return _cut(self._encoded(luma, quality), self.program.cut)
        except (ProgramFailed, Unreadable) as fault:
            raise InterfaceError(f"codec command: encoder {self._name} {fault}") from fault

    def _encoded(self, luma: np.ndarray, quality: float) -> bytes:
        """The coded file of uint8 (t, h, w)."""
        with tempfile.TemporaryDirectory(prefix="semlink-") as place:
            folder = Path(place)
            frames, coded = folder / f"frames.{_suffix(self.program.pictures)}", folder / f"coded{self.program.suffix}"
            write_pictures(luma, frames, self.program.pictures, self.fps)
            told = self._told(frames, coded, luma.shape) | {"quality": f"{self._quality.told(quality):.9g}"}
            run_program(_filled(self.program.encode, told), folder, self.timeout_s)
            size = coded.stat().st_size if coded.is_file() else 0
            if size == 0:
                raise Unreadable("wrote no stream")
            if size > MOST_BYTES_A_PIXEL * luma.size + 65536:
                raise Unreadable(f"wrote {size:,} bytes for {luma.size:,} pixels")
            return coded.read_bytes()

    def _decoded(self, data: bytes, shape: FrameShape, frames: int) -> Iterable[np.ndarray]:
        """The frames that a decoder makes of damaged or whole bytes; none where it fails."""
        try:
            return self._read(data, shape, frames)
        except (ProgramFailed, Unreadable):
            return ()

    def _read(self, data: bytes, shape: FrameShape, frames: int) -> np.ndarray:
        """float32 (n, h, w), n up to `frames`.

        Raises:
            ProgramFailed, Unreadable: the decoder fails.
        """
        multiple = self.program.multiple
        rows, columns = (-(-side // multiple) * multiple for side in (shape.h, shape.w))
        size = frames, rows, columns
        with tempfile.TemporaryDirectory(prefix="semlink-") as place:
            folder = Path(place)
            coded, shown = folder / f"coded{self.program.suffix}", folder / f"shown.{_suffix(self.program.pictures)}"
            coded.write_bytes(data)
            run_program(_filled(self.program.decode, self._told(coded, shown, size)), folder, self.timeout_s)
            return read_pictures(shown, self.program.pictures, size)[:, : shape.h, : shape.w]

    def _told(self, given: Path, wanted: Path, shape: tuple[int, ...]) -> dict[str, str]:
        t, h, w = shape
        sizes = {"frames": str(t), "height": str(h), "width": str(w), "fps": f"{self.fps:g}"}
        return {"input": str(given), "output": str(wanted), **sizes}


def _filled(words: Sequence[str], told: dict[str, str]) -> list[str]:
    """A command's words with what stands in braces; other braces stay as they are."""
    filled = []
    for word in words:
        for name, value in told.items():
            word = word.replace("{" + name + "}", value)
        filled.append(word)
    return filled


def _suffix(pictures: str) -> str:
    return {"yuv420": "yuv", "gray": "gray"}.get(pictures, pictures)


def _cut(stream: bytes, cut: Cut) -> tuple[Packet, ...]:
    """A stream as packets: whole, or one for each unit behind a start code, without it.

    Source: types of units [h265, table 7-1], [vvc, table 5].
    """
    if cut == "whole":
        return (Packet(0, stream),)
    units = [unit.rstrip(b"\0") for unit in stream.split(SHORT_CODE)]
    return tuple(Packet(0, unit) for unit in units if unit and _kind(unit, cut) not in DROPPED.get(cut, ()))


def _kind(unit: bytes, cut: Cut) -> int:
    """The type field in the first two bytes of a unit of H.265 or VVC."""
    return unit[0] >> 1 & 63 if cut == "hevc" else unit[1] >> 3 if len(unit) > 1 else -1


def _joined(packets: Sequence[Packet], cut: Cut) -> bytes:
    data = [packet.data for packet in packets if packet.data]
    return b"".join(data) if cut == "whole" else b"".join(START_CODE + unit for unit in data)
