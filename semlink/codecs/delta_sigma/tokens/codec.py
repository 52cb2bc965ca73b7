"""The delta-sigma codec on tokens in its coded form: a packet a group, with the classes and the bits of its blocks.

A packet is the water level, the number of the group, and a stream that `group_coding` describes. A group is coded in
the context of the bits of the last one, so what follows a lost or damaged group is lost too, and shown as expected. A
rate of k channels means k channels of a block in the mean over blocks and groups, those of lively blocks being more.

Source: [sun2020framediff, abstract]; classes and contexts are this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.delta_sigma.binary_maps import load_delta_sigma
from semlink.codecs.delta_sigma.codec import check_channels, check_clip, largest, too_small
from semlink.codecs.delta_sigma.packets import CODED
from semlink.codecs.delta_sigma.tokens.allotment import LEVELS
from semlink.codecs.delta_sigma.tokens.loaded import CodedGroup, LoadedTokenBits
from semlink.codecs.packetization import framed_size
from semlink.colour.layout import COLOURS, Colour
from semlink.colour.tall import as_tall, of_tall
from semlink.errors import ModelError, ScenarioError
from semlink.payload import FrameShape, Packet

__all__ = ["TokenBitCodec"]

HEADER_BYTES = 2


@dataclass(frozen=True, slots=True)
class TokenBitCodec(CodecBase):
    """A trained codec by the name of its weights.

    Attributes:
        weights: a shipped name or a file.
        channels: how many channels a block sends in the mean; None: as the rate or the budget says.
        colour: of the frames, whose planes are coded as one tall gray picture.
        digest: SHA-256 of the weights, found when they are read.
    Raises:
        ModelError: missing, damaged, of another kind or architecture, or never trained to be coded.
        ScenarioError: more or fewer channels than the model was trained for.
    """

    weights: str
    channels: int | None = None
    colour: Colour = "gray"
    colours = COLOURS
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        model = self._model()
        if self.channels is not None:
            check_channels("codec.channels", self.channels, model)
        object.__setattr__(self, "digest", model.digest)

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The packets of the highest water level whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the lowest fits.
            InterfaceError: not gray frames, or too many of them.
        """
        scene = _Scene(self._model(), as_tall(clip, self.colour))
        low, high = scene.model.levels
        if self.channels is not None:
            low = high = scene.level(self.channels)
        level = largest(lambda level: framed_size(scene.packets(level)) <= max_bytes, low, high)
        if level is None:
            raise too_small(self.channels or scene.model.fewest, framed_size(scene.packets(low)), max_bytes)
        return scene.packets(level)

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets with `rate` channels of a block in the mean.

        Raises:
            ScenarioError: a rate that is no number of channels of the model, or another than `channels`.
            InterfaceError: not gray frames, or too many of them.
        """
        self.check_rate(rate)
        scene = _Scene(self._model(), as_tall(clip, self.colour))
        return scene.packets(scene.level(rate))

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        if rate is None:
            return
        check_channels("rates", rate, self._model())
        if self.channels not in (None, rate):
            raise ScenarioError(f"rates: got {rate:g} channels beside codec.channels {self.channels}; give one of them")

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, rows, w) in [0, 1] from the packets that arrived; never raises on damage."""
        model, tall = self._model(), FrameShape(*shape.array)
        maps = model.shape(tall)
        grid = maps.rows, maps.columns
        arrived = {packet.data[1] & ~CODED: packet.data for packet in reversed(packets) if _is_ours(packet.data)}
        groups: list[CodedGroup | None] = []
        for number in range(maps.groups):
            last = groups[-1] if number else None
            groups.append(_read(model, arrived.get(number, b""), grid, last) if last or not number else None)
        return of_tall(model.coded_frames(groups, tall, grid), self.colour)

    def _model(self) -> LoadedTokenBits:
        model = load_delta_sigma(self.weights)
        if not isinstance(model, LoadedTokenBits) or model.levels is None:
            raise ModelError(f"weights {self.weights!r}: never trained to be coded; allowed: entropy: false")
        return model


class _Scene:
    """What is worked out for one clip, and kept while its rate is looked for."""

    def __init__(self, model: LoadedTokenBits, clip: np.ndarray) -> None:
        check_clip(clip, model)
        self.model, self.clip = model, clip
        self._groups: dict[int, list[CodedGroup]] = {}
        self._packets: dict[int, tuple[Packet, ...]] = {}

    def level(self, channels: float) -> int:
        """The highest water level at which blocks send at most so many channels in the mean; else the lowest."""
        low, high = self.model.levels
        found = largest(lambda level: np.mean([g.counts for g in self.groups(level)]) <= channels, low, high)
        return low if found is None else found

    def groups(self, level: int) -> list[CodedGroup]:
        if level not in self._groups:
            self._groups[level] = self.model.coded(self.clip, level)
        return self._groups[level]

    def packets(self, level: int) -> tuple[Packet, ...]:
        if level not in self._packets:
            streams = self.model.write(self.groups(level), level)
            self._packets[level] = tuple(
                Packet(number * self.model.size.group % 256, bytes((level, number | CODED)) + stream)
                for number, stream in enumerate(streams)
            )
        return self._packets[level]


def _is_ours(data: bytes) -> bool:
    return len(data) >= HEADER_BYTES and data[0] < LEVELS and bool(data[1] & CODED)


def _read(model: LoadedTokenBits, data: bytes, grid: tuple[int, int], last: CodedGroup | None) -> CodedGroup | None:
    return model.read(data[HEADER_BYTES:], data[0], grid, last) if data else None
