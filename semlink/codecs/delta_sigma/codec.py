"""The delta-sigma video codec: groups of frames as binary maps, so many channels of them as the rate allows.

Every bit stands for itself, so a wrong one only blurs; with `entropy` the maps are arithmetic coded,
which is shorter, and a wrong bit spoils the rest of its packet. One model serves all rates: a
budget takes as many channels for every block as fit, and one more for as many packets as still fit.

Source: [sun2020framediff, abstract and supplement]; packets and contexts are this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.delta_sigma.binary_maps import Loaded, MapShape, load_delta_sigma
from semlink.codecs.delta_sigma.packets import (
    MOST_GROUPS,
    Part,
    even_counts,
    fold_for,
    parts_of,
    plain_size,
    read_packets,
    write_packets,
)
from semlink.codecs.packetization import framed_size
from semlink.colour.layout import COLOURS, Colour
from semlink.colour.tall import as_tall, of_tall
from semlink.errors import Infeasible, InterfaceError, ModelError, ScenarioError
from semlink.payload import FrameShape, Packet

__all__ = ["DeltaSigmaCodec", "check_channels", "check_clip", "largest", "too_small"]


@dataclass(frozen=True, slots=True)
class DeltaSigmaCodec(CodecBase):
    """A trained codec by the name of its weights.

    Attributes:
        weights: a shipped name or a file.
        channels: how many of the model's channels are sent; None: as the rate or the budget says.
        entropy: arithmetic code the maps.
        colour: of the frames, whose planes are coded as one tall gray picture.
        digest: SHA-256 of the weights, found when they are read.
    Raises:
        ModelError: missing, damaged, or of another kind or architecture.
        ScenarioError: more or fewer channels than the model was trained for.
    """

    weights: str
    channels: int | None = None
    entropy: bool = False
    colour: Colour = "gray"
    colours = COLOURS
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        model = load_delta_sigma(self.weights)
        if self.entropy and model.chances is None:
            raise ModelError(
                f"weights {self.weights!r}: on tokens, coded by TokenBitCodec; allowed here: entropy false"
            )
        if self.channels is not None:
            check_channels("codec.channels", self.channels, model)
        object.__setattr__(self, "digest", model.digest)

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The packets with the most channels whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the fewest channels fit.
            InterfaceError: not gray frames, or too many of them.
        """
        clip = as_tall(clip, self.colour)
        model, shape = self._measured(clip)
        fewest, most = (self.channels,) * 2 if self.channels is not None else (model.fewest, model.most)
        if self.entropy:
            return self._coded_under(clip, max_bytes, fewest, most)
        k = largest(lambda k: self._size(shape, k) <= max_bytes, fewest, most)
        if k is None:
            raise too_small(fewest, self._size(shape, fewest), max_bytes)
        parts, channels = self._even(shape, k)
        if k < most:
            channels = _topped_up(parts, channels, max_bytes, self._size_of(shape))
        return self._packets(clip, shape, parts, channels)

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets with `rate` channels.

        Raises:
            ScenarioError: a rate that is no number of channels of the model, or another than `channels`.
            InterfaceError: not gray frames, or too many of them.
        """
        self.check_rate(rate)
        clip = as_tall(clip, self.colour)
        _, shape = self._measured(clip)
        return self._packets(clip, shape, *self._even(shape, int(rate)))

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        model = load_delta_sigma(self.weights)
        if rate is None:
            return
        check_channels("rates", rate, model)
        if self.channels not in (None, rate):
            raise ScenarioError(f"rates: got {rate:g} channels beside codec.channels {self.channels}; give one of them")

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, rows, w) in [0, 1] from the packets that arrived; never raises on damage."""
        model, tall = load_delta_sigma(self.weights), FrameShape(*shape.array)
        maps, size = model.shape(tall), model.size
        whole = (maps.groups, size.channels, size.group, maps.rows, maps.columns)
        bits, counts = read_packets(packets, whole, chances=model.chances)
        return of_tall(model.frames(bits, counts, tall), self.colour)

    def _measured(self, clip: np.ndarray) -> tuple[Loaded, MapShape]:
        model = load_delta_sigma(self.weights)
        return model, check_clip(clip, model)

    def _even(self, shape: MapShape, k: int) -> tuple[tuple[Part, ...], list[int]]:
        """All parts of a clip and their channels, `k` each; coded maps are not dealt out, so that counts gather."""
        group = load_delta_sigma(self.weights).size.group
        fold = 0 if self.entropy else fold_for(k, group, shape.rows, shape.columns)
        parts = parts_of(shape.groups, fold)
        return parts, [k] * len(parts)

    def _size(self, shape: MapShape, k: int) -> int:
        return self._size_of(shape)(*self._even(shape, k))

    def _size_of(self, shape: MapShape) -> Callable[[Sequence[Part], Sequence[int]], int]:
        group = load_delta_sigma(self.weights).size.group
        return lambda parts, channels: plain_size(parts, channels, group, shape.rows, shape.columns)

    def _packets(
        self, clip: np.ndarray, shape: MapShape, parts: Sequence[Part], channels: Sequence[int]
    ) -> tuple[Packet, ...]:
        model = load_delta_sigma(self.weights)
        counts = even_counts(parts, channels, shape.groups, shape.rows, shape.columns)
        bits = model.bits(clip, counts)
        return write_packets(bits, parts, channels, chances=model.chances if self.entropy else None)

    def _coded_under(self, clip: np.ndarray, max_bytes: int, fewest: int, most: int) -> tuple[Packet, ...]:
        """The same with arithmetic coding, whose sizes only show when it is done."""
        shape = self._measured(clip)[1]
        tried: dict[int, tuple[Packet, ...]] = {}

        def fits(k: int) -> bool:
            tried[k] = self._packets(clip, shape, *self._even(shape, k))
            return framed_size(tried[k]) <= max_bytes

        k = largest(fits, fewest, most)
        if k is None:
            raise too_small(fewest, framed_size(tried[fewest]), max_bytes)
        return tried[k]


def check_clip(clip: np.ndarray, model: Loaded) -> MapShape:
    """The shape of the maps of `clip`.

    Raises:
        InterfaceError: not gray frames, or more of them than packets can number.
    """
    if clip.ndim != 3:
        raise InterfaceError(f"delta-sigma codec: got a clip of shape {clip.shape}; allowed: gray frames (t, h, w)")
    shape = model.shape(FrameShape(*clip.shape))
    if shape.groups > MOST_GROUPS:
        most = MOST_GROUPS * model.size.group
        raise InterfaceError(f"delta-sigma codec: got a clip of {len(clip)} frames; allowed: 1 to {most}")
    return shape


def check_channels(where: str, channels: float, model: Loaded) -> None:
    """Refuse numbers of channels that the model does not know.

    Raises:
        ScenarioError: with what is allowed.
    """
    if channels != int(channels) or not model.fewest <= channels <= model.most:
        raise ScenarioError(
            f"{where}: got {channels:g} channels; allowed: whole numbers from {model.fewest} to {model.most}"
        )


def largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest number in low .. high that fits, where all smaller ones fit too; None where none does."""
    if not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _topped_up(
    parts: Sequence[Part],
    channels: Sequence[int],
    max_bytes: int,
    size: Callable[[Sequence[Part], Sequence[int]], int],
) -> list[int]:
    """One more channel for the first packets, as many as fit."""

    def richer(count: int) -> list[int]:
        return [k + (place < count) for place, k in enumerate(channels)]

    return richer(largest(lambda count: size(parts, richer(count)) <= max_bytes, 0, len(parts)) or 0)


def too_small(fewest: int, needed: int, max_bytes: int) -> Infeasible:
    return Infeasible(
        f"delta-sigma: even {fewest} channels take {needed} bytes with packet headers, the budget is {max_bytes}; "
        f"raise it to {needed} bytes or send fewer pixels"
    )
