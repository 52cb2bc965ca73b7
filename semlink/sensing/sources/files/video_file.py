"""Frames of anything PyAV reads, exact and lazy.

Frame n is the n-th frame of a decode from the beginning. Later frames are
reached by a seek to the key frame before them and told by their time stamps;
where stamps are missing, or a frame does not turn up after the seek, the file
is decoded from its beginning. Luma is the coded plane itself, turned as the
file's display matrix says; its range is told in `coded`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import av
import numpy as np

from semlink.colour.conversion import Matrix
from semlink.colour.layout import Colour
from semlink.errors import SourceError
from semlink.sensing.sources.files.container import open_container
from semlink.sensing.sources.files.images import gray_of_rgb, planes_of_rgb
from semlink.sensing.sources.files.orientation import orientation_of, turned
from semlink.sensing.sources.luma_range import Coded, CodedMatrix, CodedRange

# Formats whose first plane is the luma, in the low bits of one or two bytes; after each sample of ya* comes opacity.
_LUMA_FIRST = re.compile(r"(yuvj?4\d\dp|yuva4\d\dp|gray|ya|nv(12|16|21|24|42))(\d+)?(le|be)?")
# Codecs with packets that are never shown: their packets do not count frames.
_HIDDEN_FRAMES = frozenset({"vp8"})
Frame = np.ndarray | tuple[np.ndarray, ...]
Look = Callable[[av.VideoFrame], Frame]
# Below this many frames a decode from the beginning costs less than a seek is worth.
_NEAR = 32


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video file with its number of frames and its (h, w)."""

    where: Path
    num_frames: int
    size: tuple[int, int]
    colour: Colour = "gray"
    stream: int = 0
    coded: Coded = Coded()
    matrix: Matrix | None = None

    def read(self, wanted: Sequence[int]) -> Iterator[Frame]:
        """Frames `wanted` (ascending): float32 (h, w) in [0, 1], (3, h, w) in RGB, or the planes of 4:2:0.

        Raises:
            SourceError: the file is gone or a frame cannot be decoded.
        """
        index = _index(str(self.where), self.stream, *_stamp(self.where))
        if wanted[-1] >= index.num_frames:
            raise SourceError(f"{self.where}: frame {wanted[-1]} cannot be decoded: {index.num_frames} frames found")
        stamps, done = index.stamps, 0
        at, look = _Stream(self.where, self.stream), partial(_LOOKS[self.colour], matrix=self.matrix)
        if stamps is not None and wanted[0] >= _NEAR:
            for frame in _after_seek(at, [stamps[number] for number in wanted], look):
                done += 1
                yield frame
        if done < len(wanted):
            yield from _from_beginning(at, wanted[done:], stamps, look)


def open_video(
    path: Path, *, colour: Colour = "gray", stream: int | None = None, matrix: Matrix | None = None
) -> VideoFile:
    """The reel of a video file.

    Args:
        stream: which of its video streams, 0 for the first; None for the first, with a caution if there are more.
        matrix: of its YCbCr, whatever it says; None for what it says.
    Raises:
        SourceError: not a video, no such stream, or nothing in it can be decoded.
    """
    index = _index(str(path), stream or 0, *_stamp(path))
    cautions = [f"{path}: {said}" for said in index.seen.cautions()]
    if stream is None and index.num_streams > 1:
        cautions.append(f"{path}: holds {index.num_streams} video streams, the first is read; say stream: 0, 1, ...")
    seen = index.seen
    is_rgb = colour == "rgb" or (colour == "yuv420" and not seen.is_420)
    said = tuple(cautions)
    coded = Coded("full", 8, said, seen.matrix) if is_rgb else Coded(seen.range, seen.bits, said, seen.matrix)
    return VideoFile(path, index.num_frames, seen.size, colour, stream or 0, coded, matrix)


def _upright_colours(frame: av.VideoFrame, matrix: Matrix | None) -> np.ndarray:
    return turned(colours_of(frame, matrix), orientation_of(frame))


def _upright_luma(frame: av.VideoFrame, matrix: Matrix | None) -> np.ndarray:
    return turned(luma_of(frame), orientation_of(frame))


def _upright_planes(frame: av.VideoFrame, matrix: Matrix | None) -> Frame:
    """Y, Cb and Cr as coded of a file in 4:2:0, of others R, G and B."""
    if not _is_420(frame):
        return _upright_colours(frame, matrix)
    if frame.format.name == "nv12":
        frame = frame.reformat(format="yuv420p")
    bits, width = frame.format.components[0].bits, frame.width
    peak, columns = np.float32(2**bits - 1), (width, -(-width // 2), -(-width // 2))
    halves = (frame.height, -(-frame.height // 2), -(-frame.height // 2))
    planes = (_plane(frame, number, bits)[: halves[number], : columns[number]] for number in range(3))
    return tuple(turned(plane.astype(np.float32) / peak, orientation_of(frame)) for plane in planes)


def _is_420(frame: av.VideoFrame) -> bool:
    return re.fullmatch(r"yuvj?420p(\d+le)?|nv12", frame.format.name) is not None


_FFMPEG_NAMES: dict[str, str] = {"bt601": "ITU601", "bt709": "ITU709"}
_LOOKS: dict[str, Callable[..., Frame]] = {"gray": _upright_luma, "rgb": _upright_colours, "yuv420": _upright_planes}


def colours_of(frame: av.VideoFrame, matrix: Matrix | None = None) -> np.ndarray:
    """The planes R, G, B of a decoded frame as FFmpeg converts it to 8 bits: float32 (3, h, w) in [0, 1]."""
    if matrix is not None and _matrix_of(frame) is not None:
        frame = frame.reformat(format="rgb24", src_colorspace=_FFMPEG_NAMES[matrix])
    return planes_of_rgb(frame.to_ndarray(format="rgb24"))


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """Gray float32 (h, w) in [0, 1] of a decoded frame: the luma as coded, or weighted RGB."""
    layout, name = frame.format, frame.format.name
    bits = layout.components[0].bits
    if layout.is_rgb or layout.has_palette or layout.is_bit_stream:
        return _luma_of_rgb(frame, bits)
    if not _LUMA_FIRST.fullmatch(name):
        frame = frame.reformat(format="yuv444p" if bits <= 8 else f"yuv444p{bits}le")
        name = frame.format.name
    step = 2 if name.startswith("ya") else 1
    return _plane(frame, 0, bits)[:, : frame.width * step : step].astype(np.float32) / np.float32(2**bits - 1)


def _luma_of_rgb(frame: av.VideoFrame, bits: int) -> np.ndarray:
    """Planes of more than 8 bits are read as they are: FFmpeg's own widening does not keep white at its peak."""
    name = frame.format.name
    if re.fullmatch(r"gbra?p\d+(le|be)", name):
        green, blue, red = (_plane(frame, number, bits)[:, : frame.width] for number in range(3))
        return gray_of_rgb(np.stack([red, green, blue], axis=-1), peak=2**bits - 1)
    if bits <= 8:
        return gray_of_rgb(frame.to_ndarray(format="rgb24"), peak=255)
    wide = frame if re.fullmatch(r"rgb48(le|be)|rgba64(le|be)", name) else frame.reformat(format="rgb48le")
    channels = 4 if wide.format.name.startswith("rgba") else 3
    rows = _plane(wide, 0, 16)[:, : frame.width * channels]
    return gray_of_rgb(rows.reshape(frame.height, frame.width, channels), peak=65535)


def _plane(frame: av.VideoFrame, number: int, bits: int) -> np.ndarray:
    """One plane with its padding on the right: integers (h, line), in the file's byte order."""
    kind = np.dtype("u1") if bits <= 8 else np.dtype(">u2" if frame.format.name.endswith("be") else "<u2")
    plane = frame.planes[number]
    rows = np.frombuffer(memoryview(plane), dtype=kind).reshape(-1, plane.line_size // kind.itemsize)
    return rows[: frame.height]  # of chroma there are fewer


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one frame tells of all: (h, w) as shown, range and bits of its luma, how it is turned and scanned."""

    size: tuple[int, int]
    range: CodedRange
    bits: int
    is_turned_oddly: bool
    is_interlaced: bool
    is_420: bool
    matrix: CodedMatrix | None

    def cautions(self) -> Iterator[str]:
        if self.is_interlaced:
            yield "is interlaced; frames are read as coded, the lines of two moments in each"
        if self.is_turned_oddly:
            yield "asks to be turned by an angle that is no multiple of 90 degrees; it is read as coded"


def _seen_in(frame: av.VideoFrame) -> _Seen:
    orientation = orientation_of(frame)
    size = (frame.width, frame.height) if orientation and orientation[0] else (frame.height, frame.width)
    return _Seen(
        size,
        _range_of(frame),
        frame.format.components[0].bits,
        orientation is None,
        frame.interlaced_frame,
        _is_420(frame),
        _matrix_of(frame),
    )


def _range_of(frame: av.VideoFrame) -> CodedRange:
    """RGB and gray formats are of full range, as FFmpeg has it, and so is what says so."""
    name = frame.format.name
    if not name.startswith(("yuv", "nv", "p0", "p2", "p4", "uy", "yvyu", "y2", "xyz", "vuy", "ayuv", "xv")):
        return "full"
    return "full" if name.startswith("yuvj") else _RANGES.get(int(frame.color_range), "unspecified")


def _matrix_of(frame: av.VideoFrame) -> CodedMatrix | None:
    """None of RGB and gray; what does not say is BT.601 to FFmpeg."""
    if frame.format.is_rgb or frame.format.name.startswith(("gray", "ya")):
        return None
    return _MATRICES.get(int(frame.colorspace), "other")


_MATRICES: dict[int, CodedMatrix] = {1: "bt709", 2: "bt601", 5: "bt601", 6: "bt601"}  # 2: it does not say
_RANGES: dict[int, CodedRange] = {1: "limited", 2: "full"}


@dataclass(frozen=True, slots=True)
class _Index:
    """Number and look of frames; their time stamps in order of show, None if they do not tell frames apart."""

    num_frames: int
    seen: _Seen
    stamps: tuple[int, ...] | None
    num_streams: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """A file, and which of its video streams is meant."""

    where: Path
    number: int


@lru_cache(maxsize=64)
def _index(path: str, number: int, num_bytes: int, mtime_ns: int) -> _Index:
    at = _Stream(Path(path), number)
    with _opened(at) as (container, stream):
        num_streams = len(_videos(container))
        hides = stream.codec_context.name in _HIDDEN_FRAMES
        stamps = None if hides else _packet_stamps(container.demux(stream))
    seen = _tail(at, stamps) if stamps else None
    if stamps and seen:
        return _Index(len(stamps), seen, tuple(stamps), num_streams)
    return _counted(at, num_streams)


def _packet_stamps(packets: Iterator[av.Packet]) -> list[int] | None:
    """Stamps of all packets that are shown, in order of show; None if they cannot number the frames."""
    stamps = []
    try:
        for packet in packets:
            if packet.is_corrupt:
                return None
            if packet.size and not packet.is_discard:
                if packet.pts is None:
                    return None
                stamps.append(packet.pts)
    except av.FFmpegError:
        return None
    return sorted(stamps) if len(set(stamps)) == len(stamps) else None


def _tail(at: _Stream, stamps: Sequence[int]) -> _Seen | None:
    """What the last frame tells, if all from the last key frame on can be decoded: a cut-off file fails here."""
    try:
        with _opened(at) as (container, stream):
            _seek(container, stream, stamps[-1])
            tail = [(f.pts, _seen_in(f)) for f in _decoded(container, stream) if not f.is_corrupt]
    except av.FFmpegError:
        return None
    if not tail or tail[0][0] not in stamps:
        return None
    first = stamps.index(tail[0][0])
    return tail[-1][1] if [pts for pts, _ in tail] == list(stamps[first:]) else None


def _counted(at: _Stream, num_streams: int) -> _Index:
    """The index by decoding it all, up to the first frame that cannot be decoded."""
    stamps: list[int | None] = []
    seen, why = None, "no frame in it can be decoded"
    with _opened(at) as (container, stream):
        try:
            for frame in _decoded(container, stream):
                if frame.is_corrupt:
                    break
                stamps.append(frame.pts)
                seen = seen or _seen_in(frame)
        except av.FFmpegError as error:
            why = error.strerror or why
    if seen is None:
        raise SourceError(f"{at.where}: cannot be read as video: {why}")
    known = [stamp for stamp in stamps if stamp is not None]
    return _Index(len(stamps), seen, tuple(known) if stamps == sorted(set(known)) else None, num_streams)


def _after_seek(at: _Stream, stamps: Sequence[int], look: Look) -> Iterator[Frame]:
    """Frames with these stamps; ends early if one of them does not come."""
    with _opened(at) as (container, stream):
        try:
            _seek(container, stream, stamps[0])
            done = 0
            for frame in _decoded(container, stream):
                if frame.pts == stamps[done] and not frame.is_corrupt:
                    yield look(frame)
                    done += 1
                if done == len(stamps) or frame.pts is None or frame.pts > stamps[done]:
                    return
        except av.FFmpegError:
            return


def _from_beginning(at: _Stream, wanted: Sequence[int], stamps: Sequence[int] | None, look: Look) -> Iterator[Frame]:
    """Frames by number; by stamp where there are stamps, so that a damaged frame shifts no other."""
    due = [number if stamps is None else stamps[number] for number in wanted]
    done, why = 0, "it is missing from the stream"
    with _opened(at) as (container, stream):
        try:
            for number, frame in enumerate(_decoded(container, stream)):
                if (number if stamps is None else frame.pts) == due[done] and not frame.is_corrupt:
                    yield look(frame)
                    done += 1
                if done == len(due):
                    return
        except av.FFmpegError as error:
            why = error.strerror or why
    raise SourceError(f"{at.where}: frame {wanted[done]} cannot be decoded: {why}")


def _decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """All frames in order of show, decoded in this thread, up to a packet that is known to be cut off."""
    stream.codec_context.thread_count = 1
    for packet in container.demux(stream):
        if packet.is_corrupt:
            yield from stream.codec_context.decode(None)
            return
        yield from packet.decode()


def _seek(container: av.container.InputContainer, stream: av.VideoStream, pts: int) -> None:
    container.seek(pts, stream=stream, backward=True, any_frame=False)


@contextmanager
def _opened(at: _Stream) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and the stream, for as long as it is read."""
    try:
        container = open_container(at.where)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{at.where}: cannot be read as video: {error.strerror or error}") from None
    with container:
        streams = _videos(container)
        if not streams:
            raise SourceError(f"{at.where}: holds no video stream")
        if at.number >= len(streams):
            raise SourceError(f"{at.where}: source stream: got {at.number}, allowed: 0 to {len(streams) - 1}")
        yield container, streams[at.number]


def _videos(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Its video streams; cover pictures are none."""
    return [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]


def _stamp(where: Path) -> tuple[int, int]:
    """Bytes and time of last change: a file that is overwritten is looked at anew."""
    try:
        status = where.stat()
    except OSError as error:
        raise SourceError(f"{where}: cannot be read: {error.strerror}") from None
    return status.st_size, status.st_mtime_ns
