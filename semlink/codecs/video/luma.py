"""Pixels in [0, 1] to 8-bit luma planes and back.

Codecs here work at 8 bits: a pixel is rounded to the nearest of 256 levels
(at most 1/510 off, 58.9 dB for evenly spread pixels), full range, and read
back from the luma plane itself. No colour conversion is asked for anywhere,
because a decoder that does not know the range would stretch it.
"""

from __future__ import annotations

from collections.abc import Mapping

import av
import numpy as np

from semlink.payload import FrameShape

__all__ = ["from_luma8", "luma_of", "padded", "placed", "to_frame", "to_luma8"]

_MID_GRAY = 0.5
_NEUTRAL_CHROMA = 128


def to_luma8(clip: np.ndarray) -> np.ndarray:
    """uint8 (t, h, w) from pixels in [0, 1], rounded to nearest; what lies outside is clipped."""
    return np.rint(np.clip(clip, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)


def from_luma8(luma: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] from 8-bit luma."""
    return luma.astype(np.float32) / np.float32(255.0)


def padded(luma: np.ndarray, *, multiple: int, least: int) -> np.ndarray:
    """(t, h, w) grown at the bottom and right by repeating the edge, to a size the codec takes."""
    wanted = [max(-(-size // multiple) * multiple, least) for size in luma.shape[1:]]
    grow = [(0, want - size) for want, size in zip(wanted, luma.shape[1:], strict=True)]
    return np.pad(luma, ((0, 0), *grow), mode="edge") if any(more for _, more in grow) else luma


def to_frame(luma: np.ndarray, pix_fmt: str, time: int) -> av.VideoFrame:
    """A frame for the encoder: `luma` (h, w) as its first plane, neutral chroma where it has some."""
    height, width = luma.shape
    frame = av.VideoFrame(width, height, pix_fmt)
    first, *chroma = frame.planes
    lines = np.zeros((height, first.line_size), np.uint8)
    lines[:, :width] = luma
    first.update(lines.tobytes())
    for plane in chroma:
        plane.update(bytes((_NEUTRAL_CHROMA,)) * plane.buffer_size)
    frame.pts = time
    return frame


def luma_of(frame: av.VideoFrame, shape: FrameShape) -> np.ndarray | None:
    """The top left (h, w) of a decoded frame's luma; None if it is no 8-bit picture of that size."""
    fits = frame.height >= shape.h and frame.width >= shape.w and frame.format.components[0].bits == 8
    if not fits or frame.format.is_rgb:
        return None
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8)[: frame.height * plane.line_size].reshape(
        frame.height, plane.line_size
    )
    return lines[: shape.h, : shape.w].copy()


def placed(pictures: Mapping[int, np.ndarray], shape: FrameShape) -> np.ndarray:
    """float32 (t, h, w): each picture (uint8) at its time, gaps filled with the last one before.

    Before the first picture there is the first; where there is none at all, mid-gray.
    """
    times = sorted(pictures)
    if not times:
        return np.full((shape.t, shape.h, shape.w), _MID_GRAY, np.float32)
    shown = np.searchsorted(times, np.arange(shape.t), side="right") - 1
    return from_luma8(np.stack([pictures[time] for time in times])[np.maximum(shown, 0)])
