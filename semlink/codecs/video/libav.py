"""Bare encoders and decoders of libavcodec: pictures to access units and back.

No container and one thread, so the same pictures give the same bytes in every
run and process. A decoder here meets streams that lost packets or were
damaged; what it cannot make sense of is no picture, never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from semlink.codecs.video.eight_bit import plane_sizes
from semlink.codecs.video.luma import planes_in, to_frame
from semlink.payload import FrameShape

__all__ = ["coded_units", "decoded_pictures"]

os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 takes its verbosity from here alone: fatal messages only

_SLACK = 128  # no decoder gets to allocate pictures much larger than agreed


def coded_units(
    planes: Sequence[np.ndarray], encoder: str, *, pix_fmt: str, fps: float, options: Mapping[str, str]
) -> list[tuple[int, bytes]]:
    """Access units of a clip's planes (uint8, t h w each) in coding order, each with its display time."""
    context = cast(VideoCodecContext, av.CodecContext.create(encoder, "w"))
    context.height, context.width = planes[0].shape[1:]
    context.pix_fmt = pix_fmt
    context.framerate = Fraction(fps).limit_denominator(1001)
    context.time_base = 1 / context.framerate
    context.thread_count = 1
    context.options = dict(options)
    units = []
    with _priority_kept():
        for picture in (
            *(to_frame(frame, pix_fmt, time) for time, frame in enumerate(zip(*planes, strict=True))),
            None,
        ):
            units += [(packet.pts or 0, bytes(packet)) for packet in context.encode(picture)]
    return units


@contextmanager
def _priority_kept() -> Iterator[None]:
    """This thread is scheduled afterwards as it was before.

    SVT-AV1 gives the thread that opens it real-time priority where it may (as root), and leaves it so; processes that
    are started later inherit it, and one that computes starves all others on its core, also its own other threads.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, param)


def decoded_pictures(
    units: Sequence[tuple[int, bytes]], decoder: str, shape: FrameShape, *, options: Mapping[str, str]
) -> dict[int, tuple[np.ndarray, ...]]:
    """The planes (uint8, h w) of the pictures that `decoder` makes of access units, by display time.

    `shape` is of what was coded, as `semlink.codecs.video.eight_bit.coded_shape` says.
    """
    context = cast(VideoCodecContext, av.CodecContext.create(decoder, "r"))
    context.thread_count = 1
    limit = (shape.h + _SLACK) * (shape.w + _SLACK)
    context.options = {**options, "max_pixels": str(limit)}
    pictures, sizes = {}, plane_sizes(shape)
    for packet in (*map(_packet, units), None):
        for frame in _decoded(context, packet):
            picture = planes_in(frame, sizes)
            if picture is not None and frame.pts is not None and 0 <= frame.pts < shape.t:
                pictures[frame.pts] = picture
    return pictures


def _packet(unit: tuple[int, bytes]) -> av.Packet:
    time, stream = unit
    packet = av.Packet(stream)
    packet.pts = time
    return packet


def _decoded(context: VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame]:
    """What comes out for one packet (None: the end); nothing if the decoder rejects it."""
    try:
        return context.decode(packet)
    except av.FFmpegError:
        return []
