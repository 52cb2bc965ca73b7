"""Frames of anything PyAV reads, exact and lazy.

Frame n is the n-th frame of a decode from the beginning. Later frames are
reached by a seek to the key frame before them and told by their time stamps;
where stamps are missing, or a frame does not turn up after the seek, the file
is decoded from its beginning. Luma is the coded plane itself: no range is ever
stretched, so that limited-range video keeps its 16..235 of 255.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from semlink.errors import SourceError
from semlink.sensing.sources.files.images import gray_of_rgb, planes_of_rgb

# Formats whose first plane is the luma, in the low bits of one or two bytes; after each sample of ya* comes opacity.
_LUMA_FIRST = re.compile(r"(yuvj?4\d\dp|yuva4\d\dp|gray|ya|nv(12|16|21|24|42))(\d+)?(le|be)?")
# Codecs with packets that are never shown: their packets do not count frames.
_HIDDEN_FRAMES = frozenset({"vp8"})
Look = Callable[[av.VideoFrame], np.ndarray]
# Below this many frames a decode from the beginning costs less than a seek is worth.
_NEAR = 32


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video file with its number of frames and its (h, w)."""

    where: Path
    num_frames: int
    size: tuple[int, int]
    colour: bool = False

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames `wanted` (ascending): float32 (h, w) in [0, 1], or (3, h, w) in colour.

        Raises:
            SourceError: the file is gone or a frame cannot be decoded.
        """
        index = _index(str(self.where), *_stamp(self.where))
        if wanted[-1] >= index.num_frames:
            raise SourceError(f"{self.where}: frame {wanted[-1]} cannot be decoded: {index.num_frames} frames found")
        stamps, done = index.stamps, 0
        look = colours_of if self.colour else luma_of
        if stamps is not None and wanted[0] >= _NEAR:
            for frame in _after_seek(self.where, [stamps[number] for number in wanted], look):
                done += 1
                yield frame
        if done < len(wanted):
            yield from _from_beginning(self.where, wanted[done:], stamps, look)


def open_video(path: Path, *, colour: bool = False) -> VideoFile:
    """The reel of a video file.

    Raises:
        SourceError: not a video, or nothing in it can be decoded.
    """
    index = _index(str(path), *_stamp(path))
    return VideoFile(path, index.num_frames, index.size, colour)


def colours_of(frame: av.VideoFrame) -> np.ndarray:
    """The planes R, G, B of a decoded frame as FFmpeg converts it to 8 bits: float32 (3, h, w) in [0, 1]."""
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
    return rows[: frame.height]


@dataclass(frozen=True, slots=True)
class _Index:
    """Number and size of frames; their time stamps in order of show, None if they do not tell frames apart."""

    num_frames: int
    size: tuple[int, int]
    stamps: tuple[int, ...] | None


@lru_cache(maxsize=64)
def _index(path: str, num_bytes: int, mtime_ns: int) -> _Index:
    where = Path(path)
    with _opened(where) as container:
        stream = container.streams.video[0]
        hides = stream.codec_context.name in _HIDDEN_FRAMES
        stamps = None if hides else _packet_stamps(container.demux(stream))
    size = _tail_size(where, stamps) if stamps else None
    return _Index(len(stamps), size, tuple(stamps)) if stamps and size else _counted(where)


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


def _tail_size(where: Path, stamps: Sequence[int]) -> tuple[int, int] | None:
    """(h, w) if all frames from the last key frame on can be decoded: a cut-off file fails here."""
    try:
        with _opened(where) as container:
            _seek(container, stamps[-1])
            tail = [(f.pts, (f.height, f.width)) for f in _decoded(container) if not f.is_corrupt]
    except av.FFmpegError:
        return None
    if not tail or tail[0][0] not in stamps:
        return None
    first = stamps.index(tail[0][0])
    return tail[-1][1] if [pts for pts, _ in tail] == list(stamps[first:]) else None


def _counted(where: Path) -> _Index:
    """The index by decoding it all, up to the first frame that cannot be decoded."""
    stamps: list[int | None] = []
    size, why = None, "no frame in it can be decoded"
    with _opened(where) as container:
        try:
            for frame in _decoded(container):
                if frame.is_corrupt:
                    break
                stamps.append(frame.pts)
                size = size or (frame.height, frame.width)
        except av.FFmpegError as error:
            why = error.strerror or why
    if size is None:
        raise SourceError(f"{where}: cannot be read as video: {why}")
    known = [stamp for stamp in stamps if stamp is not None]
    return _Index(len(stamps), size, tuple(known) if stamps == sorted(set(known)) else None)


def _after_seek(where: Path, stamps: Sequence[int], look: Look) -> Iterator[np.ndarray]:
    """Frames with these stamps; ends early if one of them does not come."""
    with _opened(where) as container:
        try:
            _seek(container, stamps[0])
            done = 0
            for frame in _decoded(container):
                if frame.pts == stamps[done] and not frame.is_corrupt:
                    yield look(frame)
                    done += 1
                if done == len(stamps) or frame.pts is None or frame.pts > stamps[done]:
                    return
        except av.FFmpegError:
            return


def _from_beginning(
    where: Path, wanted: Sequence[int], stamps: Sequence[int] | None, look: Look
) -> Iterator[np.ndarray]:
    """Frames by number; by stamp where there are stamps, so that a damaged frame shifts no other."""
    due = [number if stamps is None else stamps[number] for number in wanted]
    done, why = 0, "it is missing from the stream"
    with _opened(where) as container:
        try:
            for number, frame in enumerate(_decoded(container)):
                if (number if stamps is None else frame.pts) == due[done] and not frame.is_corrupt:
                    yield look(frame)
                    done += 1
                if done == len(due):
                    return
        except av.FFmpegError as error:
            why = error.strerror or why
    raise SourceError(f"{where}: frame {wanted[done]} cannot be decoded: {why}")


def _decoded(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """All frames in order of show, decoded in this thread, up to a packet that is known to be cut off."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    for packet in container.demux(stream):
        if packet.is_corrupt:
            yield from stream.codec_context.decode(None)
            return
        yield from packet.decode()


def _seek(container: av.container.InputContainer, pts: int) -> None:
    container.seek(pts, stream=container.streams.video[0], backward=True, any_frame=False)


def _opened(where: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(where))
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{where}: cannot be read as video: {error.strerror or error}") from None
    if not container.streams.video:
        container.close()
        raise SourceError(f"{where}: holds no video stream")
    return container


def _stamp(where: Path) -> tuple[int, int]:
    """Bytes and time of last change: a file that is overwritten is looked at anew."""
    try:
        status = where.stat()
    except OSError as error:
        raise SourceError(f"{where}: cannot be read: {error.strerror}") from None
    return status.st_size, status.st_mtime_ns
