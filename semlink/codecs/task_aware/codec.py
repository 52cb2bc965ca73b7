"""Task-aware compression as a codec of readings: real bytes, cut into slices that decode alone.

A slice is a band of rows with its own hyperprior, so a lost packet costs its
band only. It begins with two bytes, the knob q and which slice of how many it
is; z and y follow in one range-coded stream. Latents of bands that are
missing are interpolated between their neighbours; nothing that arrives can
make the decoder fail.

Source: [zhang2024crl, Sec. III-C]; slices and the choice of levels are this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semlink.blocks import CodecBase, SensorBase
from semlink.codecs.entropy.range_coder import FARTHEST, Reader, Writer, gaussian_tables
from semlink.codecs.packetization import framed_size
from semlink.codecs.rate_search import Knob, best_under
from semlink.codecs.readings_domain import check_trained_sensor, denormalise_readings, normalise_readings
from semlink.codecs.task_aware.integer_hyperprior import ExactHyper, Expected, channel_tables
from semlink.codecs.task_aware.latent_context import Stage
from semlink.codecs.task_aware.networks import KNOB_STEPS, CodecSizes, TaskAwareNet, probe
from semlink.errors import InterfaceError, ScenarioError
from semlink.nn.cpu import one_thread
from semlink.payload import FrameShape, Packet
from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

__all__ = ["TaskAwareCodec", "load_codec"]

MOST_SLICES = 16
_KNOB = Knob(0, KNOB_STEPS, 1, 75)  # turned towards coarse, as the search has it
_RUN_LENGTHS = 24  # levels up to this magnitude are weighed against one less


@dataclass(frozen=True, slots=True)
class TaskAwareCodec(CodecBase):
    """A trained codec by the name of its weights.

    Attributes:
        weights: a shipped name or a file.
        slices: bands that decode alone; None: one to four, more at finer q.
        thrift: squared error, in steps, that a bit is worth when a level is rounded
            towards the mean to save it; 0 rounds to the nearest.
        digest: SHA-256 of the weights, found when they are read.
    Raises:
        ModelError: missing, damaged, or of another kind or architecture.
    """

    weights: str
    slices: int | None = None
    thrift: float = 0.0
    digest: str = field(default="", init=False)
    takes_readings = True

    def __post_init__(self) -> None:
        if self.slices is not None and not 1 <= self.slices <= MOST_SLICES:
            raise ScenarioError(f"codec.slices: got {self.slices}; allowed: 1 to {MOST_SLICES}")
        object.__setattr__(self, "digest", load_codec(self.weights).digest)

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of the sensor and the ranges that the weights were trained for."""
        return load_codec(self.weights).facts

    def counts(self, shape: FrameShape) -> torch.Tensor:
        """The ratio map (h, w) whose readings this codec takes."""
        return load_codec(self.weights).counts(shape.h, shape.w)

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
        latents = load_codec(self.weights).analyse(slots)
        return best_under(
            lambda setting: self._packets(latents, KNOB_STEPS - round(setting)),
            framed_size,
            max_bytes,
            knob=_KNOB,
            start=KNOB_STEPS / 2,
            name="task-aware: even at q = 0, setting",
            most_encodes=9,
        ).stream

    def encode_at(self, slots: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at knob q = `rate`, in [0, 1].

        Raises:
            ScenarioError: a rate outside.
            InterfaceError: readings of another number of slots.
        """
        self.check_rate(rate)
        return self._packets(load_codec(self.weights).analyse(slots), round(rate * KNOB_STEPS))

    def check_rate(self, rate: float | None, shape: FrameShape | None = None) -> None:
        if rate is not None and not 0 <= rate <= 1:
            raise ScenarioError(f"rates: got q = {rate:g} for task-aware; allowed: 0 to 1")

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Readings (T/2, h, w), float32, from the packets that arrived; never raises on damage."""
        codec = load_codec(self.weights)
        rows, columns = codec.hyper_rows(shape.h), codec.hyper_rows(shape.w)
        bands: dict[int, tuple[int, torch.Tensor]] = {}
        for packet in packets:
            found = _header(packet.data, rows)
            if found is not None:
                knob, place = found
                bands[place.start] = (knob, codec.read(packet.data[2:], knob, (len(place), columns)))
        return codec.synthesise(bands, shape)

    def _packets(self, latents: torch.Tensor, knob: int) -> tuple[Packet, ...]:
        codec = load_codec(self.weights)
        rows = latents.shape[1] // 4
        count = min(self.slices or 1 + 4 * knob // (KNOB_STEPS + 1), rows)
        packets = []
        for number, place in enumerate(_bands(rows, count)):
            body = codec.write(latents[:, 4 * place.start : 4 * place.stop], knob, self.thrift)
            packets.append(Packet(0, bytes((knob, number << 4 | count - 1)) + body))
        return tuple(packets)


class LoadedCodec:
    """Networks and tables of one weights file; they never change."""

    def __init__(self, net: TaskAwareNet, facts: dict[str, Any], digest: str = "") -> None:
        self.net, self.facts, self.digest, self.sizes = net, facts, digest, net.sizes
        self.exact = ExactHyper(net)

    def counts(self, h: int, w: int) -> torch.Tensor:
        """The ratio map."""
        tile = torch.tensor(self.sizes.tile)
        return tile.repeat(-(-h // len(tile)), -(-w // tile.shape[1]))[:h, :w]

    def hyper_rows(self, side: int) -> int:
        """Rows (columns) of z for so many pixels."""
        return -(-side // self.sizes.slice_rows)

    @torch.no_grad()
    def analyse(self, slots: np.ndarray) -> torch.Tensor:
        """Latents (c, h, w) of readings, before the gain; the frame is padded with its last tiles."""
        if slots.ndim != 3 or len(slots) != self.sizes.num_frames // 2 or 0 in slots.shape:
            raise InterfaceError(
                f"task-aware codec: got readings {tuple(slots.shape)}; allowed: ({self.sizes.num_frames // 2}, h, w)"
            )
        h, w = slots.shape[1:]
        x = normalise_readings(torch.from_numpy(np.ascontiguousarray(slots, np.float32))[None], self.counts(h, w))
        wide = x[:, :, self._extended(h)][..., self._extended(w, across=True)]
        return self.net.analysis(wide.contiguous(memory_format=torch.channels_last))[0].float().contiguous()

    @torch.no_grad()
    def write(self, latents: torch.Tensor, knob: int, thrift: float) -> bytes:
        """The stream of one band of latents (c, h, w)."""
        q = torch.tensor([knob / KNOB_STEPS])
        z = self.net.hyper_analysis(latents[None], q) * self.net.hyper_gain(q).exp2()
        z = z[0].round().clamp(-(2.0**15), 2.0**15).numpy()
        writer = Writer()
        writer.put(z, channel_tables(z.shape), self.exact.prior)
        scaled = latents * self.net.gain(q)[0].exp2()

        def put(stage: Stage, mask: np.ndarray, expected: Expected) -> np.ndarray:
            residual = (scaled[stage.first : stage.last] - expected.mean).numpy()
            levels = np.where(mask, choose_levels(residual, expected.table, thrift), 0).clip(-FARTHEST, FARTHEST)
            writer.put(levels[:, mask], expected.table[:, mask], gaussian_tables())
            return levels

        self.exact.walk(z, knob, put)
        return writer.bytes()

    @torch.no_grad()
    def read(self, data: bytes, knob: int, size: tuple[int, int]) -> torch.Tensor:
        """Latents (c, 4 rows, 4 columns) of the stream of a band of `size` rows and columns of z."""
        reader = Reader(data)
        tables = channel_tables((self.sizes.hyper, *size))

        def take(stage: Stage, mask: np.ndarray, expected: Expected) -> np.ndarray:
            levels = np.zeros(expected.table.shape)
            levels[:, mask] = reader.take(expected.table[:, mask], gaussian_tables()).reshape(len(levels), -1)
            return levels

        z = reader.take(tables, self.exact.prior).reshape(tables.shape)
        scaled = self.exact.walk(z, knob, take).float()
        return scaled / self.net.gain(torch.tensor([knob / KNOB_STEPS]))[0].exp2()

    @torch.no_grad()
    def synthesise(self, bands: dict[int, tuple[int, torch.Tensor]], shape: FrameShape) -> np.ndarray:
        """Readings of the whole frame from what bands there are, by their first row of z."""
        rows, columns = 4 * self.hyper_rows(shape.h), 4 * self.hyper_rows(shape.w)
        latents = torch.zeros(1, self.sizes.latents, rows, columns)
        known = torch.zeros(rows, dtype=torch.bool)
        for start, (_, band) in bands.items():
            latents[0, :, 4 * start : 4 * start + band.shape[1]] = band
            known[4 * start : 4 * start + band.shape[1]] = True
        knob = min((knob for knob, _ in bands.values()), default=0)
        with one_thread():
            x = self.net.synthesis(conceal(latents, known), torch.tensor([knob / KNOB_STEPS]))
        x = torch.nan_to_num(x[..., : shape.h, : shape.w])
        return denormalise_readings(x, self.counts(shape.h, shape.w))[0].numpy()

    def _extended(self, side: int, *, across: bool = False) -> torch.Tensor:
        """Which row (column) stands at each row of the padded frame: the last tile again and again."""
        period = len(self.sizes.tile[0] if across else self.sizes.tile)
        at = torch.arange(self.hyper_rows(side) * self.sizes.slice_rows)
        beyond = (at - side).div(period, rounding_mode="floor") + 1
        inside = torch.where(at < side, at, at - beyond * period)
        return inside.clamp(0, side - 1)


@remembered
def load_codec(name: str | Path) -> LoadedCodec:
    """The codec of weights `name`, verified and ready for use.

    Raises:
        ModelError: missing, damaged, of another kind or architecture, or with a wrong answer to the probe.
    """
    path, card = card_of(name, "compression")
    tile, sizes = card["facts"]["tile"], card["model"]["codec"]
    net = load_verified(lambda: TaskAwareNet(CodecSizes(tile=tile, **sizes)), path, card, probe, prefix="codec.")
    digest = str(card["weights_sha256"])
    return LoadedCodec(net.to(memory_format=torch.channels_last), card["facts"], digest)  # type: ignore[call-overload]


def choose_levels(residual: np.ndarray, tables: np.ndarray, thrift: float) -> np.ndarray:
    """Whole numbers for `residual`, in steps: the nearest, or one nearer to 0 where the bits it saves are worth it.

    Minimises squared error + thrift * bits over the two.
    """
    nearest = np.rint(residual)
    if thrift == 0:
        return nearest
    size = np.abs(nearest)
    small = np.where((size > 0) & (size <= _RUN_LENGTHS), size, 1).astype(np.int64)
    saved = (_bits()[tables, small] - _bits()[tables, small - 1]) * thrift
    off = np.abs(residual)
    dearer = (off - (size - 1)) ** 2 - (off - size) ** 2
    lower = (size > 0) & (size <= _RUN_LENGTHS) & (saved > dearer)
    return np.where(lower, np.sign(nearest) * (size - 1), nearest)


def conceal(latents: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Rows (b, c, h, w) that are not `known` (h,) as a straight line between the nearest that are."""
    if bool(known.all()) or not bool(known.any()):
        return latents
    have = torch.nonzero(known)[:, 0]
    at = torch.arange(len(known))
    after = torch.searchsorted(have, at).clamp_max(len(have) - 1)
    before = (torch.searchsorted(have, at, right=True) - 1).clamp_min(0)
    above, below = have[before], have[after]
    share = ((at - above) / (below - above).clamp_min(1)).clamp(0, 1).view(-1, 1)
    mixed = latents[:, :, above] * (1 - share) + latents[:, :, below] * share
    return torch.where(known.view(-1, 1), latents, mixed)


def _bands(rows: int, count: int) -> list[range]:
    return [range(n * rows // count, (n + 1) * rows // count) for n in range(count)]


def _header(data: bytes, rows: int) -> tuple[int, range] | None:
    """Knob and rows of z of a slice; None where the packet is none of this frame."""
    if len(data) < 2:
        return None
    number, count = data[1] >> 4, (data[1] & 15) + 1
    return (data[0], _bands(rows, count)[number]) if number < count <= rows else None


@cache
def _bits() -> np.ndarray:
    """Bits of levels 0, 1, 2, ... under each scale's table."""
    bits = np.full((len(gaussian_tables()), _RUN_LENGTHS + 1), 30.0)
    for row, model in zip(bits, gaussian_tables()):
        known = -np.log2(model.probabilities[-model.low : -1][: len(row)])
        row[: len(known)] = known
    return bits
