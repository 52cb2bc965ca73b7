"""What a user's methods gave back, against what their interface says."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
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
from semlink.yaml12.scalars import shortened

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
    check = CHECKS.get((base, method)) or _plain_check(base, method)
    if check is None:
        return result
    try:
        return check(result, given)
    except Wrong as wrong:
        raise PluginFault(f"{where}: {method} returned {wrong}") from None


def stated(where: str, base: type, attribute: str, value: Any) -> Any:
    """`value` of an attribute, if it is what the base's annotation says.

    Raises:
        PluginFault: it is not.
    """
    check = _plain_check(base, attribute)
    try:
        return value if check is None else check(value, ())
    except Wrong as wrong:
        raise PluginFault(f"{where}: {attribute} is {wrong}") from None


@cache
def _plain_check(base: type, name: str) -> Check | None:
    """What an annotation of plain values asks of an attribute or of what a method returns; None where it is no such."""
    for owner in base.__mro__:
        if name in vars(owner).get("__annotations__", {}):
            return PLAIN.get(owner.__annotations__[name])
        found = vars(owner).get(name)
        if found is not None:
            method = found.fget if isinstance(found, property) else found
            return PLAIN.get(str(getattr(method, "__annotations__", {}).get("return")))
    return None


def _of_type(result: Any, *allowed: type) -> Any:
    if not isinstance(result, allowed):
        raise Wrong(f"{_name(result)}; need {' or '.join(kind.__name__ for kind in allowed)}")
    return result


def _name(result: Any) -> str:
    shape = getattr(result, "shape", None)
    return f"{type(result).__name__}{f' of shape {tuple(shape)}' if isinstance(shape, tuple) else ''}"


def _array(result: Any) -> np.ndarray:
    """What a method gave as an array of real numbers."""
    try:
        found = np.asarray(result)
    except Exception:  # noqa: BLE001 - of the user's own type
        raise Wrong(f"{_name(result)}, which is no array; need float32") from None
    if found.dtype.kind == "c":
        raise Wrong("complex numbers; need float32 in [0, 1]")
    if found.dtype.kind not in "buif":
        raise Wrong(f"{_name(result)}, which holds no numbers; need float32")
    return found


def _clip(result: Any, given: Given) -> np.ndarray:
    pixels = _array(result)
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise Wrong(f"a clip of shape {pixels.shape}; need (t, h, w)")
    return pixels


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
    if tuple(pixels.shape[1:]) != shape.array:
        raise Wrong(f"frames of shape {tuple(pixels.shape)}; need (clip, {', '.join(map(str, shape.array))})")
    if result.colour != shape.colour:
        raise Wrong(f"frames in {shortened(str(result.colour))}; need Frames(pixels, {shape.colour!r})")
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
    pixels = _array(result)
    if pixels.shape != shape.array:
        raise Wrong(f"{_name(result)}; need an array of shape {shape.array}")
    pixels = pixels.astype(np.float32, copy=False)
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
    is_huge = isinstance(_of_type(result, Real), Integral) and abs(int(result)) > sys.float_info.max
    if isinstance(result, bool) or is_huge or not math.isfinite(result):
        raise Wrong(f"{_what(result)}; need a finite number")
    return result


def _part_of_uses(result: Any, given: Given) -> Any:
    """A scheme would fill whatever room it is told of, in memory before it is on the air."""
    if _number(result, given) > given[0]:
        raise Wrong(f"{_what(result)}; need at most the {given[0]} uses that it was given")
    return result


def _whole(result: Any, given: Given) -> Any:
    if isinstance(result, bool) or not isinstance(result, Integral) or abs(int(result)) > sys.maxsize:
        raise Wrong(f"{_what(result)}; need a whole number")
    return result


def _count(result: Any, given: Given) -> int:
    if _whole(result, given) < 0:
        raise Wrong(f"{result}; need 0 or more")
    return int(result)


def _what(result: Any) -> str:
    """A number or a text as it is, of anything else its type."""
    plain = isinstance(result, float | str) or (isinstance(result, int) and abs(result) <= sys.maxsize)
    return shortened(repr(result)) if plain else _name(result)


def _unsaid_or(check: Check) -> Check:
    return lambda result, given: None if result is None else check(result, given)


def _each(check: Check, *kinds: type) -> Check:
    """A list, all of which the check takes."""

    def both(result: Any, given: Given) -> Any:
        for part in _of_type(result, *kinds):
            check(part, given)
        return result

    return both


def _texts_by_name(result: Any, given: Given) -> Any:
    for name, text in _of_type(result, Mapping).items():
        _text(name, given), _text(text, given)
    return result


def _text(result: Any, given: Given) -> Any:
    return _of_type(result, str)


def _yes_or_no(result: Any, given: Given) -> Any:
    return _of_type(result, bool, np.bool_)


def _law(*words: str, others: bool = False, **tuples: int) -> Check:
    """A word, or a word with so many numbers; with `others` any word, of a law that nothing here knows."""

    def check(result: Any, given: Given) -> Any:
        if isinstance(result, str) and (result in words or others):
            return result
        word = result[0] if isinstance(result, tuple) and result else None
        if isinstance(word, str) and tuples.get(word) == len(result) - 1:
            for part in result[1:]:
                _number(part, given)
            return result
        forms = (f"({word!r}{', a number' * count})" for word, count in tuples.items())
        raise Wrong(f"{_what(result)}; need {', '.join([*map(repr, words), *forms])}")

    return check


def _coherence(result: Any, given: Given) -> Any:
    if isinstance(result, str) and result in ("symbol", "block"):
        return result
    if isinstance(result, bool) or not isinstance(result, Integral) or not 0 < int(result) <= sys.maxsize:
        raise Wrong(f"{_what(result)}; need 'symbol', 'block' or a whole number of symbols")
    return result


PLAIN: dict[str, Check] = {
    "bool": _yes_or_no,
    "bool | None": _unsaid_or(_yes_or_no),
    "int": _whole,
    "int | None": _unsaid_or(_whole),
    "float": _number,
    "float | None": _unsaid_or(_number),
    "str": _text,
    "Sequence[str]": _each(_text, list, tuple),
    "Sequence[float]": _each(_number, list, tuple, np.ndarray),
    "Mapping[str, str]": _texts_by_name,
    "GainLaw | None": _unsaid_or(_law("constant", "rayleigh", others=True, rician=1)),
    "NoiseLaw": _law("gaussian", "other", impulsive=2),
    "Coherence | None": _unsaid_or(_coherence),
}
"""What may stand behind the annotations of bases, as they are written there."""
CHECKS: dict[tuple[type, str], Check] = {
    (blocks.SourceBase, "__len__"): _count,
    (blocks.SourceBase, "name"): _text,
    (blocks.SourceBase, "clip"): _clip,
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
    (blocks.WaveformBase, "data_uses"): _part_of_uses,
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
