"""Pixels in [0, 1] as 8-bit planes, and those as the frames of libavcodec.

A pixel is rounded to the nearest of 256 levels, full range, and read back from
its plane itself. No colour conversion is asked for anywhere, because a decoder
that does not know the range would stretch it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import av
import numpy as np

from semlink.payload import FrameShape

__all__ = ["from_luma8", "padded", "placed", "planes_in", "to_frame", "to_luma8"]

_MID_GRAY = 0.5
_NEUTRAL_CHROMA = 128


def to_luma8(clip: np.ndarray) -> np.ndarray:
    """uint8 (t, h, w) from pixels in [0, 1], rounded to nearest; what lies outside is clipped."""
    return np.rint(np.clip(clip, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)


def from_luma8(luma: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] from 8-bit luma."""
    return luma.astype(np.float32) / np.float32(255.0)


def padded(pictures: np.ndarray, *, multiple: int, least: int) -> np.ndarray:
    """(..., h, w) grown at the bottom and right by repeating the edge, to a size the codec takes."""
    wanted = [max(-(-size // multiple) * multiple, least) for size in pictures.shape[-2:]]
    grow = [(0, want - size) for want, size in zip(wanted, pictures.shape[-2:], strict=True)]
    if not any(more for _, more in grow):
        return pictures
    return np.pad(pictures, ((0, 0),) * (pictures.ndim - 2) + tuple(grow), mode="edge")


def to_frame(planes: Sequence[np.ndarray], pix_fmt: str, time: int) -> av.VideoFrame:
    """A frame for the encoder of planes (h, w); chroma that is not given is neutral."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for place, given in zip(frame.planes, planes, strict=False):
        lines = np.zeros((given.shape[0], place.line_size), np.uint8)
        lines[:, : given.shape[1]] = given
        place.update(lines.tobytes())
    for place in frame.planes[len(planes) :]:
        place.update(bytes((_NEUTRAL_CHROMA,)) * place.buffer_size)
    frame.pts = time
    return frame


def planes_in(frame: av.VideoFrame, sizes: Sequence[tuple[int, int]]) -> tuple[np.ndarray, ...] | None:
    """The top left (rows, columns) of each plane of a decoded frame; None if it is no 8-bit picture that has them."""
    if frame.format.is_rgb or frame.format.components[0].bits != 8 or len(frame.planes) < len(sizes):
        return None
    components = frame.format.components
    have = [(component.height, component.width) for component in components[: len(sizes)]]
    if any(h < rows or w < columns for (h, w), (rows, columns) in zip(have, sizes, strict=True)):
        return None
    if len(sizes) > 1 and have[1] != _with_chroma(have[0], sizes):
        return None
    return tuple(
        _lines(plane, h)[:rows, :columns].copy()
        for plane, (h, _), (rows, columns) in zip(frame.planes, have, sizes, strict=False)
    )


def _with_chroma(luma: tuple[int, int], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The size that chroma of a frame has where it is sampled as `sizes` are."""
    if sizes[0] == sizes[1]:
        return luma
    return (luma[0] + 1) // 2, (luma[1] + 1) // 2


def _lines(plane: av.video.plane.VideoPlane, rows: int) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8)[: rows * plane.line_size].reshape(rows, plane.line_size)


def placed(pictures: Mapping[int, np.ndarray], shape: FrameShape) -> np.ndarray:
    """float32 (t, h, w): each picture (uint8) at its time, gaps filled with the last one before.

    Before the first picture there is the first; where there is none at all, mid-gray.
    """
    times = sorted(pictures)
    if not times:
        return np.full((shape.t, shape.h, shape.w), _MID_GRAY, np.float32)
    shown = np.searchsorted(times, np.arange(shape.t), side="right") - 1
    return from_luma8(np.stack([pictures[time] for time in times])[np.maximum(shown, 0)])
