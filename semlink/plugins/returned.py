"""What a user's methods gave back, against what their interface says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from semlink import blocks
from semlink.errors import PluginFault
from semlink.feedback import Feedback
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Measurement,
    Packet,
    Projections,
    Received,
    Restored,
    Symbols,
)

Given = tuple[Any, ...]
ROUNDING = 1e-3
Check = Callable[[Any, Given], Any]


class Wrong(Exception):
    """What was needed, and what was wrong with what came."""


def checked(where: str, base: type, method: str, result: Any, given: Given) -> Any:
    """`result` of a call with the positional arguments `given`, if it is what the interface says; lists as tuples.

    Raises:
        PluginFault: it is not.
    """
    check = CHECKS.get((base, method))
    if check is None:
        return result
    try:
        return check(result, given)
    except Wrong as wrong:
        raise PluginFault(f"{where}: {method} returned {wrong}") from None


def _of_type(result: Any, *allowed: type) -> Any:
    if not isinstance(result, allowed):
        raise Wrong(f"{_name(result)}; need {' or '.join(kind.__name__ for kind in allowed)}")
    return result


def _name(result: Any) -> str:
    shape = getattr(result, "shape", None)
    return f"{type(result).__name__}{f' of shape {tuple(shape)}' if isinstance(shape, tuple) else ''}"


def _tensor(value: Any, what: str, ndim: int) -> Any:
    import torch

    if not isinstance(value, torch.Tensor):
        raise Wrong(f"{what} as {_name(value)}; need a tensor")
    if value.ndim != ndim:
        raise Wrong(f"{what} of shape {tuple(value.shape)}; need {ndim} axes")
    return value


def _readings(result: Any, given: Given) -> Any:
    _of_type(result, Measurement, Projections)
    clips = given[0].pixels.shape[0]
    if isinstance(result, Projections):
        parts = [_tensor(part, "part", 3) for part in result.parts]
        if any(part.shape[0] != clips for part in parts):
            raise Wrong(f"parts of shapes {[tuple(part.shape) for part in parts]}; need {clips} clips in each")
    else:
        slots, counts = _tensor(result.slots, "slots", 4), _tensor(result.counts, "counts", 2)
        if slots.shape[0] != clips or slots.shape[2:] != counts.shape:
            raise Wrong(f"slots {tuple(slots.shape)} and counts {tuple(counts.shape)}; need (clip, s, h, w) and (h, w)")
    if result.frames != given[0].shape:
        raise Wrong(f"frames={result.frames}; need the shape of the scene, {given[0].shape}")
    return result


def _frames(result: Any, shape: FrameShape) -> Frames:
    """Frames of this shape, in [0, 1]."""
    pixels = _tensor(_of_type(result, Frames).pixels, "pixels", 4)
    if FrameShape(*pixels.shape[1:]) != shape:
        raise Wrong(f"frames of shape {tuple(pixels.shape)}; need (clip, {shape.t}, {shape.h}, {shape.w})")
    _check_range(float(pixels.min()), float(pixels.max()))
    return result


def _check_range(low: float, high: float) -> None:
    """Refuse pixels that are not numbers in [0, 1]; what is rounded may miss it by a thousandth."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Wrong("NaN or infinite pixels; need frames in [0, 1]")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise Wrong(f"pixels from {low:.4g} to {high:.4g}; need frames in [0, 1]")


def _restored(result: Any, shapes: Sequence[FrameShape]) -> list[Restored]:
    made = [Restored(one) if isinstance(one, Frames) else one for one in _of_type(result, list, tuple)]
    if len(made) != len(shapes):
        raise Wrong(f"{len(made)} clips; need {len(shapes)}")
    for one, shape in zip(made, shapes):
        _frames(_of_type(one, Restored).frames, shape)
    return made


def _packets(result: Any, given: Given) -> tuple[Packet, ...]:
    return tuple(_of_type(packet, Packet) for packet in _of_type(result, tuple, list))


def _pixels(result: Any, given: Given) -> np.ndarray:
    shape = given[1]
    if np.shape(result) != (shape.t, shape.h, shape.w):
        raise Wrong(f"{_name(result)}; need an array of shape ({shape.t}, {shape.h}, {shape.w})")
    pixels = np.asarray(result, np.float32)
    _check_range(float(pixels.min()), float(pixels.max()))
    return pixels


def _sizes(result: Any, given: Given) -> tuple[int, ...]:
    sizes = tuple(_of_type(result, tuple, list))
    if not all(isinstance(size, int | np.integer) and size >= 0 for size in sizes):
        raise Wrong(f"{sizes[:4]}; need whole numbers of bytes")
    return sizes


def _flow(result: Any) -> Flow[Symbols]:
    _of_type(_of_type(result, Flow).payload, Symbols)
    iq = _tensor(result.payload.iq, "symbols", 2)
    if not iq.is_complex():
        raise Wrong(f"symbols of {iq.dtype}; need complex (clip, n)")
    return result


def _sent(result: Any, given: Given) -> Flow[Symbols]:
    flow = _flow(result)
    if flow.payload.iq.shape[1] != given[1]:
        raise Wrong(f"{flow.payload.iq.shape[1]} symbols; need {given[1]}")
    return flow


def _blocks(result: Any, given: Given) -> tuple[bytes | None, ...]:
    return tuple(block if block is None else _of_type(block, bytes) for block in _of_type(result, tuple, list))


def _received(result: Any, given: Given) -> Received:
    iq = _tensor(_of_type(result, Received).iq, "symbols", 2)
    noise_var = _tensor(result.noise_var, "noise_var", 2)
    if noise_var.shape[1] != iq.shape[1]:
        raise Wrong(f"noise_var of shape {tuple(noise_var.shape)} for symbols {tuple(iq.shape)}; need one for each")
    return result


def _delivered(result: Any, given: Given) -> Any:
    frames = _of_type(result, Frames, Delivered)
    _frames(frames.frames if isinstance(frames, Delivered) else frames, given[1].frames)
    return result


def _ideal(result: Any, given: Given) -> Any:
    if len(_of_type(result, tuple, list)) != 2:
        raise Wrong(f"{len(result)} values; need (Frames, Ledger)")
    _of_type(result[1], Ledger)
    return _frames(result[0], given[0].shape), result[1]


def _number(result: Any, given: Given) -> Any:
    return _of_type(result, Real)


CHECKS: dict[tuple[type, str], Check] = {
    (blocks.SourceBase, "name"): lambda result, given: _of_type(result, str),
    (blocks.SensorBase, "measure"): _readings,
    (blocks.SensorBase, "measurements_per_pixel"): _number,
    (blocks.ReconstructionBase, "reconstruct"): lambda result, given: _frames(result, given[0].frames),
    (blocks.ReconstructionBase, "restore_many"): lambda result, given: _restored(result, [m.frames for m in given[0]]),
    (blocks.CodecBase, "encode"): _packets,
    (blocks.CodecBase, "encode_at"): _packets,
    (blocks.CodecBase, "decode"): _pixels,
    (blocks.CodingBase, "block_sizes"): _sizes,
    (blocks.CodingBase, "uses_for"): _number,
    (blocks.CodingBase, "send"): _sent,
    (blocks.CodingBase, "receive"): _blocks,
    (blocks.RateBoundBase, "bits"): _number,
    (blocks.RateBoundBase, "uses"): _number,
    (blocks.WaveformBase, "data_uses"): _number,
    (blocks.WaveformBase, "modulate"): lambda result, given: _flow(result),
    (blocks.WaveformBase, "demodulate"): _received,
    (blocks.OneWayBase, "transmit"): lambda result, given: _flow(result),
    (blocks.OneWayBase, "receive"): _delivered,
    (blocks.InteractiveBase, "next_burst"): lambda result, given: result if result is None else _flow(result),
    (blocks.InteractiveBase, "listen"): lambda result, given: _of_type(result, Feedback),
    (blocks.InteractiveBase, "receive"): _delivered,
    (blocks.BoundBase, "ideal"): _ideal,
    (blocks.SensingBase, "sense"): lambda result, given: _restored(result, [clip.shape for clip in given[0]]),
} | {
    (base, "agree"): lambda result, given: _of_type(result, Agreement)
    for base in (blocks.OneWayBase, blocks.InteractiveBase, blocks.BoundBase, blocks.SensingBase)
}
