"""Readings of inner products as packets: one quantiser for all, a scale for every row and band.

A coefficient x becomes sign(x) floor(|x| / step + 1/3), which widens the zone
of zero. Levels of one pattern (row) in one band of frequencies are coded under
one Laplacian; its scale is told in half octaves by an adaptive map, and the
receiver puts each level where that Laplacian has its mean. Packets hold whole
rows: a lost one leaves what its patterns read at that of an even gray scene.

Source: entropy coding as in [witten1987] and constriction; the quantiser of [sullivan1996].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.analogue.chunk_map import read_map, write_map
from semlink.codecs.entropy.binary_arithmetic import BitReader, BitWriter
from semlink.codecs.entropy.leb128 import read_leb128, to_leb128
from semlink.codecs.entropy.range_coder import FARTHEST, ModelTable, Reader, Writer
from semlink.codecs.packetization import framed_size
from semlink.codecs.projections.fields import (
    Field,
    Layout,
    bands_of,
    coefficients_of,
    num_values,
    readings_of,
)
from semlink.codecs.rate_search import Knob, best_under
from semlink.errors import InterfaceError, ScenarioError
from semlink.payload import FrameShape, Packet

__all__ = ["FINEST", "COARSEST", "ProjectionCodec", "laplace_scale", "laplace_tables", "quantised", "restored"]

FINEST, COARSEST = 4.0, 1024.0
"""Steps of the quantiser, in 1/255, that a scenario may ask for."""
STEPS_PER_OCTAVE = 16
OFFSET = 1 / 3
NUM_SCALES = 22
"""Scales of the Laplacian, from 0.1 steps in half octaves up to 145."""
PACKET_BITS = 8 * 500

_KNOB = Knob(0, 8 * STEPS_PER_OCTAVE, 1, 20)
_START = 40


@dataclass(frozen=True, slots=True)
class ProjectionCodec(CodecBase):
    """A source codec of readings; `layout` says what they are."""

    layout: Layout = ()

    @property
    def fitted_to(self) -> Layout:
        return self.layout

    def laid_out(self, layout: Layout) -> ProjectionCodec:
        """The same for readings of this layout."""
        return replace(self, layout=layout)

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The finest packets for readings (1, 1, n) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the coarsest step fits.
        """
        rows = self._rows(clip)
        found = best_under(
            lambda setting: self._packets(rows, int(setting)),
            framed_size,
            max_bytes,
            knob=_KNOB,
            start=_START,
            name="quantiser setting",
            most_encodes=9,
        )
        return found.stream

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at the step nearest to `rate` / 255 for a pattern of unit length.

        Raises:
            ScenarioError: a step out of range.
        """
        self.check_rate(rate)
        return self._packets(self._rows(clip), round(STEPS_PER_OCTAVE * np.log2(rate / FINEST)))

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        if rate is not None and not FINEST <= rate <= COARSEST:
            raise ScenarioError(
                f"rates: got a quantiser step of {rate:g}, in 1/255 of a reading; allowed: {FINEST:g} to {COARSEST:g}"
            )

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Readings (1, 1, n), float32, zero where nothing arrived; never raises on damage."""
        rows = [np.zeros((field.rows, field.places)) for field in self.layout]
        for packet in packets:
            read = _header(packet.data, self.layout)
            if read is not None:
                number, knob, place, rest = read
                rows[number][place.start : place.stop] = _read(rest, self.layout[number], len(place), step_of(knob))
        return readings_of(rows, self.layout)

    def _rows(self, clip: np.ndarray) -> list[np.ndarray]:
        if clip.size != num_values(self.layout):
            raise InterfaceError(f"codec of readings: got {clip.size} of them; laid out for {num_values(self.layout)}")
        return coefficients_of(clip, self.layout)

    def _packets(self, rows: Sequence[np.ndarray], knob: int) -> tuple[Packet, ...]:
        packets: list[Packet] = []
        for number, (field, values) in enumerate(zip(self.layout, rows)):
            levels = quantised(values, step_of(knob))
            scales = _scales(levels, bands_of(field))
            for place in _cut(levels, scales, bands_of(field)):
                head = bytes((number, knob)) + to_leb128(place.start) + to_leb128(len(place))
                part = slice(place.start, place.stop)
                packets.append(Packet(0, head + _written(levels[part], scales[part], field)))
        return tuple(packets) or (Packet(0, bytes((0, knob)) + to_leb128(0) + to_leb128(1)),)


def step_of(knob: int) -> float:
    """The quantiser's step at a setting."""
    return FINEST / 255 * 2 ** (knob / STEPS_PER_OCTAVE)


def quantised(values: np.ndarray, step: float) -> np.ndarray:
    """Levels of values, int64, with a widened zone of zero."""
    levels = np.sign(values) * np.floor(np.abs(values) / step + OFFSET)
    return np.clip(levels, -FARTHEST, FARTHEST).astype(np.int64)


def restored(levels: np.ndarray, scale: np.ndarray, step: float) -> np.ndarray:
    """Where a Laplacian of `scale`, in steps, has the mean of each level's interval."""
    inside = scale - 1 / np.expm1(1 / scale)
    return np.sign(levels) * (np.abs(levels) - OFFSET + inside) * step


def laplace_scale(number: int | np.ndarray) -> Any:
    """The scale, in steps, of table `number` >= 1."""
    return 0.1 * 2 ** ((number - 1) / 2)


@cache
def laplace_tables() -> tuple[ModelTable, ...]:
    """Levels of Laplacians of `NUM_SCALES` scales."""
    return tuple(_laplace(laplace_scale(number)) for number in range(1, NUM_SCALES + 1))


def _laplace(scale: float) -> ModelTable:
    reach = int(np.ceil(8 * scale)) + 1
    tail = 0.5 * np.exp(-(np.arange(1, reach + 1) - OFFSET) / scale) * -np.expm1(-1 / scale)
    middle = -np.expm1(-(1 - OFFSET) / scale)
    return ModelTable.of(-reach, np.concatenate((tail[::-1], [middle], tail)))


def _scales(levels: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """The best scale (rows, bands) for each row and band, 0 where all its levels are."""
    count = np.bincount(bands)
    one_hot = np.eye(len(count))[bands]
    size, active = np.abs(levels) @ one_hot, (levels != 0) @ one_hot
    scale = laplace_scale(np.arange(1, NUM_SCALES + 1))
    zero = np.log(-np.expm1(-(1 - OFFSET) / scale))
    some = np.log(0.5 * -np.expm1(-1 / scale))
    idle = (count - active)[..., None]
    gain = idle * zero + active[..., None] * some - (size - OFFSET * active)[..., None] / scale
    return np.where(active > 0, gain.argmax(-1) + 1, 0)


def _cut(levels: np.ndarray, scales: np.ndarray, bands: np.ndarray) -> Iterator[range]:
    """Rows of each packet, of about PACKET_BITS; rows behind the last that holds anything are not sent."""
    active = np.flatnonzero(scales.any(1))
    if not active.size:
        return
    last = int(active[-1]) + 1
    cost = np.cumsum(_bits(levels[:last], scales[:last], bands))
    packets = max(1, round(float(cost[-1]) / PACKET_BITS))
    edges = [0, *np.searchsorted(cost, cost[-1] * np.arange(1, packets) / packets), last]
    for first, behind in zip(edges, edges[1:]):
        if behind > first:
            yield range(int(first), int(behind))


def _bits(levels: np.ndarray, scales: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """About what each row takes: entropy of the Laplacian, and two bits a scale."""
    scale = laplace_scale(np.maximum(scales, 1))[:, bands]
    size = np.abs(levels)
    silent = -np.log2(-np.expm1(-(1 - OFFSET) / scale))
    spoken = (size - OFFSET) / scale / np.log(2) + 1 - np.log2(-np.expm1(-1 / scale))
    return np.where(scales[:, bands] > 0, np.where(size > 0, spoken, silent), 0).sum(1) + 2 * scales.shape[1]


def _written(levels: np.ndarray, scales: np.ndarray, field: Field) -> bytes:
    """Map of scales, its length in front, and levels of some rows."""
    told = BitWriter()
    write_map(scales[None], told)
    described = told.finish()
    tables = scales[:, bands_of(field)]
    writer = Writer()
    writer.put(levels[tables > 0], tables[tables > 0] - 1, laplace_tables())
    return to_leb128(len(described)) + described + writer.bytes()


def _read(data: bytes, field: Field, count: int, step: float) -> np.ndarray:
    """Coefficients (count, places) of rows; of damaged bytes some others."""
    length, start = read_leb128(data)
    length = min(length or 0, len(data) - start)
    bands = bands_of(field)
    scales = read_map((1, count, int(bands.max()) + 1), BitReader(data[start : start + length]))[0]
    tables = np.minimum(scales, NUM_SCALES)[:, bands]
    values = np.zeros(tables.shape)
    sent = tables > 0
    levels = Reader(data[start + length :]).take(tables[sent] - 1, laplace_tables())
    values[sent] = restored(levels, laplace_scale(tables[sent]), step)
    return values


def _header(data: bytes, layout: Layout) -> tuple[int, int, range, bytes] | None:
    """Field, setting, rows, and what follows; None where no encoder wrote this."""
    if len(data) < 4 or data[0] >= len(layout) or data[1] > _KNOB.coarsest:
        return None
    first, at = read_leb128(data, 2)
    count, at = read_leb128(data, at)
    if first is None or not count or first + count > layout[data[0]].rows:
        return None
    return data[0], data[1], range(first, first + count), data[at:]
