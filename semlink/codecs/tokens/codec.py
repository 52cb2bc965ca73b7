"""The digital code of tokens as a codec of readings: real bytes, cut into bands of rows that decode alone.

A packet is a band: one byte of the knob, one that says which band of how many,
and the range-coded latents. The receiver writes frames at once, without the
sensor's own reconstruction. Latents of bands that are missing are interpolated
between their neighbours; nothing that arrives can make the decoder fail. A band that does not end with its bytes is
missing too: damage made it so, or another network wrote it.

Source: compare [zhang2024crl, Sec. III-C], of which the purpose is kept and the network replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from semlink.blocks import CodecBase, SensorBase
from semlink.codecs.packetization import framed_size
from semlink.codecs.readings_domain import check_trained_sensor
from semlink.codecs.tokens.loaded import Band, load_tokens
from semlink.codecs.tokens.networks import KNOB_STEPS, MOST_KNOB
from semlink.codecs.tokens.refinement import RefinableTokens
from semlink.codecs.tokens.scene import Scene
from semlink.errors import Infeasible, ScenarioError
from semlink.payload import FrameShape, Packet

__all__ = ["TokenCodec"]

MOST_SLICES = 16
HEADER_BYTES = 2


@dataclass(frozen=True, slots=True)
class TokenCodec(CodecBase):
    """A trained code by the name of its weights.

    Attributes:
        weights: a shipped name or a file.
        slices: bands that decode alone; None: one.
        search: steps of descent in which the transmitter looks for better latents; 0 rounds those of the network.
        digest: SHA-256 of the weights, found when they are read.

    Raises:
        ModelError: missing, damaged, or of another kind or architecture.
    """

    weights: str
    slices: int | None = None
    search: int = 0
    digest: str = field(default="", init=False)
    takes_readings = True
    gives_frames = True
    refines = True

    def __post_init__(self) -> None:
        if self.slices is not None and not 1 <= self.slices <= MOST_SLICES:
            raise ScenarioError(f"codec.slices: got {self.slices}; allowed: 1 to {MOST_SLICES}")
        object.__setattr__(self, "digest", load_tokens(self.weights).digest)

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of the sensor and the ranges that the weights were trained for."""
        return load_tokens(self.weights).facts

    def counts(self, shape: FrameShape) -> torch.Tensor:
        """The ratio map (h, w) whose readings this codec takes."""
        return load_tokens(self.weights).counts(shape.h, shape.w)

    def check_sensor(self, sensor: SensorBase, shape: FrameShape) -> None:
        """Refuse readings that it was not trained for.

        Raises:
            InterfaceError: another ratio map, another number of frames, or an aperture.
        """
        check_trained_sensor(self.weights, self.facts, self.counts(shape), sensor, shape)

    def encode(self, slots: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for readings (T/2, h, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even q = 0 fits.
            InterfaceError: readings of another number of slots.
        """
        scene = Scene(load_tokens(self.weights), slots, self.search)
        bands = self._bands(scene.rows)
        knob = scene.finest(max_bytes - _overhead(len(bands)), bands)
        while True:  # the estimate lacks the coder's last words
            packets = self._packets(scene, knob)
            size = framed_size(packets)
            if size <= max_bytes:
                return packets
            if knob == 0:
                raise Infeasible(
                    f"task-aware: even at q = 0 a clip takes {size} bytes with packet headers, the budget is "
                    f"{max_bytes}; raise it to {size} bytes or send fewer pixels"
                )
            knob -= 1

    def encode_at(self, slots: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at knob q = `rate`, in [0, 1].

        Raises:
            ScenarioError: a rate outside.
            InterfaceError: readings of another number of slots.
        """
        self.check_rate(rate)
        return self._packets(
            Scene(load_tokens(self.weights), slots, self.search), min(round(rate * KNOB_STEPS), MOST_KNOB)
        )

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        if rate is not None and not 0 <= rate <= 1:
            raise ScenarioError(f"rates: got q = {rate:g} for task-aware; allowed: 0 to 1")

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (T, h, w) in [0, 1], float32, from the packets that arrived; never raises on damage."""
        return load_tokens(self.weights).frames(self._read(packets, shape), shape)

    def refinable(self, packets: Sequence[Packet], shape: FrameShape, count: int) -> RefinableTokens:
        """What rounding took away of up to `count` latents as numbers beside the packets."""
        return RefinableTokens(load_tokens(self.weights), self._read(packets, shape), shape, count)

    def _read(self, packets: Sequence[Packet], shape: FrameShape) -> dict[int, Band]:
        """Bands by their first row of tokens; those that this network cannot have written are left out."""
        code = load_tokens(self.weights)
        rows, columns = code.tokens(shape.h), code.tokens(shape.w)
        bands: dict[int, Band] = {}
        for packet in packets:
            found = _header(packet.data, rows)
            if found is not None:
                knob, place = found
                latents = code.read(packet.data[HEADER_BYTES:], knob, (len(place), columns))
                if latents is not None:
                    bands[place.start] = (knob, latents)
        return bands

    def _packets(self, scene: Scene, knob: int) -> tuple[Packet, ...]:
        latents, bands = scene.latents(knob), self._bands(scene.rows)
        heads = (bytes((knob, number << 4 | len(bands) - 1)) for number in range(len(bands)))
        bodies = (scene.code.write(latents[band.start : band.stop], knob) for band in bands)
        return tuple(Packet(0, head + body) for head, body in zip(heads, bodies))

    def _bands(self, rows: int) -> list[range]:
        return _bands(rows, min(self.slices or 1, rows))


def _overhead(bands: int) -> int:
    """Bytes of packets beside their latents: length, time and header of each."""
    return bands * (3 + HEADER_BYTES)


def _bands(rows: int, count: int) -> list[range]:
    return [range(n * rows // count, (n + 1) * rows // count) for n in range(count)]


def _header(data: bytes, rows: int) -> tuple[int, range] | None:
    """Knob and rows of tokens of a band; None where the packet is none of this frame."""
    if len(data) < HEADER_BYTES:
        return None
    number, count = data[1] >> 4, (data[1] & 15) + 1
    return (data[0], _bands(rows, count)[number]) if number < count <= rows else None
