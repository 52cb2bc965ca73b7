"""Semantic transmission: readings of a sensor as channel symbols, a rate for every block.

    [ header | rate map | symbols of the blocks ]

The header tells the clip's power and the length of the rate map; both are
coded digitally and charged as side information. Symbols stand in planes: the
first pair of every block, then the second of all that have two, and so on, and
are interleaved, so without its map a receiver still knows what every block
sent at the lowest level.

Source: [zhang2024crl, Sec. III-B], after [bourtsoulatze2019]; header, planes and interleaver are this project's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from semlink.blocks import (
    BoundBase,
    Calibration,
    ChannelBase,
    OneWayBase,
    ReconstructionBase,
    Scheme,
    SchemeBase,
    SensorBase,
    SymbolPart,
)
from semlink.codecs.semantic.interface import Arrival, Levels, SemanticCodecLike, View
from semlink.codecs.semantic.level_map import pack_levels, packed_bytes, unpack_levels
from semlink.errors import Infeasible, InterfaceError
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.link.schemes.camera import Camera
from semlink.link.schemes.coded_header import CodedHeader, calibrated
from semlink.link.schemes.semantic.symbol_planes import from_planes, pair_counts, to_planes
from semlink.payload import (
    Agreement,
    Delivered,
    Frames,
    FrameShape,
    Measurement,
    Point,
    Received,
    Symbols,
    Terms,
    part_of,
)
from semlink.phy.channels.output import check_channel_output
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

HEADER_BYTES = 4
MAP_BITS = 12
SCALE_STEPS = 64
"""Steps of the clip's scale in an octave."""
MOST_SCALE = 16 * SCALE_STEPS
"""The last code of the clip's scale, for 256; the first is for 1 / 256."""
MAP_SHARE = 0.15
"""A rate map that would take more of the budget is not sent: all blocks get the same rate."""
MAP_SLACK = 8
"""Bytes by which the map of a few more symbols may be longer."""
FEWEST_PAIRS = 3
"""Of a block of the published architecture, at any rate."""
IDEAL_USES_A_BIT = Fraction(3, 8)
"""16-QAM at rate 2/3, in which [zhang2024crl, Sec. III-B.3] charges two bits a block."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the receiver learns from header and map: the clip's scale, and the pairs of each block (rows, columns)."""

    scale: float
    pairs: np.ndarray


@dataclass(frozen=True, slots=True)
class SemanticTerms(Terms):
    """Symbols that a level adds, 0 where the table of levels is the codec's own; and the header's margin in dB."""

    per_level: int
    margin_db: float = 0.0


@dataclass(frozen=True, slots=True)
class SemanticBase(SchemeBase):
    """A sensor, a semantic codec, a reconstruction: what the scheme and its bound have in common.

    Attributes:
        allocation: "uniform", the same rate for all blocks, or one of the codec's ways to choose levels.
        per_level: symbols that a level adds; None takes what is usual at the budget.
        side: how the header is coded, and the map unless `map_side` says otherwise.
        ideal_side: whether the map is assumed error-free and charged as published.
    """

    sensor: SensorBase
    reconstructor: ReconstructionBase
    codec: SemanticCodecLike
    allocation: str = "learned"
    per_level: int | None = None
    side: CodedHeader = CodedHeader()
    map_side: CodedHeader | None = None
    ideal_side = False

    def camera_at(self, rate: float | None) -> Camera:
        return Camera(self.sensor, self.reconstructor)

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self._counts(frames)
        camera = self.camera_at(rate)
        if self.codec.gives_frames:
            camera.cost(frames)
        else:
            camera.check_shape(frames)

    def measurements_per_pixel(self, agreement: Agreement[SemanticTerms]) -> float:
        return self.sensor.measurements_per_pixel(agreement.frames)

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement[SemanticTerms]:
        """Settle the robustness of the side information and the symbols of a level.

        Raises:
            Infeasible: less than the lowest rate of every block.
        """
        rows, columns = self.codec.blocks(frames.h, frames.w)
        blocks = rows * columns
        side = self.side
        if not self.ideal_side:
            most = max((point.budget_uses or 8 * blocks) // 5, 64)
            side = calibrated(side, HEADER_BYTES, point.snr_db, calibration, most_uses=most)
        if point.budget_uses is not None:
            left = point.budget_uses - side.uses(HEADER_BYTES, point.snr_db)
            fewest = self._fewest()
            if left < fewest * blocks:
                raise Infeasible(
                    f"{point.budget_uses} channel uses; {rows} x {columns} blocks need at least {fewest} each "
                    f"and {point.budget_uses - left} for the header"
                )
        per_level = self.per_level or self.codec.usual_per_level(point.budget_uses, blocks)
        note = "; ".join(self._notes(frames, point.snr_db))
        return Agreement(frames, point, SemanticTerms(per_level, side.margin_db, note=note))

    def _notes(self, frames: FrameShape, snr_db: float) -> list[str]:
        """What a reader of the row should know."""
        low, high = self.codec.facts["snr_db"]
        rows, columns = self.codec.blocks(frames.h, frames.w)
        notes = [] if low <= snr_db <= high else [f"extrapolation: trained at {low:g} .. {high:g} dB"]
        stride = self.codec.stride
        if (stride * rows, stride * columns) != (frames.h, frames.w):
            notes.append(f"padded to {stride * columns} x {stride * rows} pixels")
        return notes

    def _fewest(self) -> int:
        """Pairs that a block sends at least."""
        return min(FEWEST_PAIRS, self.codec.table(self.per_level or 2 * FEWEST_PAIRS)[0])

    def uses_of_blocks(self, frames: Frames, agreement: Agreement[SemanticTerms], seeds: Seeds) -> np.ndarray:
        """Channel uses of every block of a clip (rows, columns): the picture of where the symbols go."""
        return self._allocate(self._look(frames, agreement, seeds), agreement, seeds)[0]

    def _side(self, agreement: Agreement[SemanticTerms]) -> CodedHeader:
        return replace(self.side, margin_db=agreement.terms.margin_db)

    def _map_side(self, agreement: Agreement[SemanticTerms]) -> CodedHeader:
        return self.map_side or self._side(agreement)

    def _counts(self, frames: FrameShape) -> torch.Tensor:
        counts = self.sensor.counts(frames)
        if counts is None:
            raise InterfaceError(
                f"scheme semantic: sensor {self.sensor.name} has no counts(shape), the agreed ratio map"
            )
        return counts

    def _look(self, frames: Frames, agreement: Agreement[SemanticTerms], seeds: Seeds) -> View:
        readings = self.sensor.measure(frames, seeds)
        if not isinstance(readings, Measurement):
            raise InterfaceError(
                f"scheme semantic: sensor {self.sensor.name} gives {type(readings).__name__}; need a Measurement"
            )
        return self.codec.look(readings.slots, readings.counts, agreement.point.snr_db)

    def _allocate(self, view: View, agreement: Agreement[SemanticTerms], seeds: Seeds) -> tuple[np.ndarray, bytes]:
        """Pairs of each block, and the map that says so; empty where all blocks are alike."""
        point, shape, most = agreement.point, self._shape(agreement), self.codec.most_pairs
        if self.allocation == "uniform":
            if point.budget_uses is None:
                kept = max(self._fewest(), min(round(point.rate / 2), most))  # type: ignore[operator]
                return np.full(shape, kept), b""
            return pair_counts(self._room(agreement, 0), shape, most), b""
        chooser = self.codec.levels(view, self.allocation, agreement.terms.per_level, seeds)
        if point.budget_uses is None:
            levels = chooser.at_price(point.rate)  # type: ignore[arg-type]
        else:
            found = self._levels_within(chooser, agreement, shape[0] * shape[1])
            if found is None:
                return pair_counts(self._room(agreement, 0), shape, most), b""
            levels = found
        table = self._table(agreement)
        return np.array(table)[levels], pack_levels(levels, len(table))

    def _table(self, agreement: Agreement[SemanticTerms]) -> tuple[int, ...]:
        """Pairs of a block at each level."""
        return self.codec.table(agreement.terms.per_level)

    def _levels_within(self, chooser: Levels, agreement: Agreement[SemanticTerms], blocks: int) -> np.ndarray | None:
        """The levels that fill the budget beside their own map; None where the map would take too much of it."""
        table = self._table(agreement)
        best, map_bytes = None, packed_bytes(blocks, len(table))
        for _ in range(3):
            most = self._room(agreement, map_bytes)
            if most < blocks * table[0]:
                break
            levels = chooser.within(most)
            needed = len(pack_levels(levels, len(table)))
            if needed > map_bytes:
                break
            best, map_bytes = levels, min(map_bytes, needed + MAP_SLACK)
        if best is None or self.ideal_side:
            return best
        spent = self._map_side(agreement).uses(len(pack_levels(best, len(table))), agreement.point.snr_db)
        return best if spent <= MAP_SHARE * agreement.point.budget_uses else None  # type: ignore[operator]

    def _room(self, agreement: Agreement[SemanticTerms], map_bytes: int) -> int:
        """Pairs that the budget carries beside header and map."""
        budget, snr_db = agreement.point.budget_uses, agreement.point.snr_db
        assert budget is not None
        if self.ideal_side:
            rows, columns = self.codec.blocks(agreement.frames.h, agreement.frames.w)
            return budget - _map_uses(rows * columns, len(self._table(agreement)))
        header = self._side(agreement).uses(HEADER_BYTES, snr_db)
        return budget - header - (self._map_side(agreement).uses(map_bytes, snr_db) if map_bytes else 0)

    def _decode(self, received: Received, layout: Layout, agreement: Agreement[SemanticTerms]) -> Frames:
        counts, power = self._counts(agreement.frames), layout.scale**2
        symbols, noise_var = from_planes(received, layout.pairs, self.codec.most_pairs)
        arrived = Arrival(
            symbols * layout.scale, noise_var * power, layout.pairs, power, agreement.point.snr_db, counts
        )
        restored = torch.nan_to_num(self.codec.restore(arrived))
        if self.codec.gives_frames:
            return Frames(restored)
        return self.reconstructor.reconstruct(Measurement(restored, counts, agreement.frames))

    def _shape(self, agreement: Agreement[SemanticTerms]) -> tuple[int, int]:
        return self.codec.blocks(agreement.frames.h, agreement.frames.w)


@dataclass(frozen=True, slots=True)
class SemanticScheme(SemanticBase, OneWayBase):
    """The scheme on the air."""

    def with_even_blocks(self) -> Scheme:
        return replace(self, allocation="uniform")

    def loses_blocks(self) -> bool:
        return True

    def transmit(self, frames: Frames, agreement: Agreement[SemanticTerms], seeds: Seeds) -> Flow[Symbols]:
        snr_db, side, map_side = agreement.point.snr_db, self._side(agreement), self._map_side(agreement)
        view = self._look(frames, agreement, seeds)
        pairs, packed = self._allocate(view, agreement, seeds)
        symbols = self.codec.symbols(view, pairs)
        scale_code, scale = quantised_scale(symbols, _mask(pairs, symbols.shape[1]))
        head = ((scale_code << MAP_BITS) | len(packed)).to_bytes(HEADER_BYTES, "big")
        flows = [path.send(part, snr_db) for path, part in ((side, head), (map_side, packed)) if part]
        iq = to_planes(symbols / scale, pairs)
        charges = [charge for flow in flows for charge in flow.ledger.charges]
        charges.append(Charge("link/semantic", "payload", iq.shape[1]))
        whole = Symbols(torch.cat([*(flow.payload.iq for flow in flows), iq], 1))
        return Flow(whole, Ledger()).then(whole, *charges)

    def receive(self, received: Received, agreement: Agreement[SemanticTerms]) -> Delivered:
        """Frames from what arrived; a lost header or map leaves the lowest level, or nothing, to decode."""
        layout, start, blocks, lost = self._read_side(received, agreement)
        frames = self._decode(part_of(received, start, received.iq.shape[1]), layout, agreement)
        return Delivered(frames, blocks, lost, tuple(range(blocks - lost, blocks)))

    def symbol_parts(self, sent: Received, agreement: Agreement[SemanticTerms]) -> Sequence[SymbolPart]:
        side, map_side, snr_db = self._side(agreement), self._map_side(agreement), agreement.point.snr_db
        parts = [side.symbol_part("header", HEADER_BYTES, snr_db)]
        head = side.receive(sent, HEADER_BYTES, snr_db) or bytes(HEADER_BYTES)
        if map_bytes := int.from_bytes(head, "big") & ((1 << MAP_BITS) - 1):
            parts.append(map_side.symbol_part("rate map", map_bytes, snr_db, len(parts[0].blocks)))
        left = sent.iq.shape[1] - sum(part.symbols for part in parts)
        return *parts, SymbolPart("analogue", left)

    def _read_side(self, received: Received, agreement: Agreement[SemanticTerms]) -> tuple[Layout, int, int, int]:
        """The layout, where the symbols begin, blocks of side information, and how many were lost."""
        side, snr_db, shape = self._side(agreement), agreement.point.snr_db, self._shape(agreement)
        start, blocks = side.uses(HEADER_BYTES, snr_db), side.blocks(HEADER_BYTES, snr_db)
        head = side.receive(received, HEADER_BYTES, snr_db)
        nothing = Layout(1.0, np.zeros(shape, np.int64))
        if head is None:
            return nothing, start, blocks, blocks
        value = int.from_bytes(head, "big")
        code, map_bytes = min(value >> MAP_BITS, MOST_SCALE), value & ((1 << MAP_BITS) - 1)  # damage may say anything
        scale = 2.0 ** (code / SCALE_STEPS - 8)
        if not map_bytes:
            return (
                Layout(scale, pair_counts(received.iq.shape[1] - start, shape, self.codec.most_pairs)),
                start,
                blocks,
                0,
            )
        return self._read_map(received, Layout(scale, nothing.pairs), (start, map_bytes, blocks), agreement)

    def _read_map(
        self, received: Received, layout: Layout, before_it: tuple[int, int, int], agreement: Agreement
    ) -> tuple[Layout, int, int, int]:
        """The same from the rate map; without it every block sent at least the lowest level."""
        side, snr_db, shape = self._map_side(agreement), agreement.point.snr_db, self._shape(agreement)
        start, map_bytes, before = before_it
        ends, blocks = start + side.uses(map_bytes, snr_db), side.blocks(map_bytes, snr_db)
        if ends > received.iq.shape[1]:  # a header whose damage its checksum did not see
            return layout, start, before + blocks, before + blocks
        packed = side.receive(part_of(received, start, received.iq.shape[1]), map_bytes, snr_db)
        table = np.array(self._table(agreement))
        try:
            levels = None if packed is None else unpack_levels(packed, shape, len(table))
        except ValueError:  # damage that its checksum did not see
            levels = None
        if levels is None:
            return replace(layout, pairs=np.full(shape, table[0])), ends, before + blocks, blocks
        return replace(layout, pairs=table[levels]), ends, before + blocks, 0


@dataclass(frozen=True, slots=True)
class IdealSideScheme(SemanticBase, BoundBase):
    """The bound whose rate map is assumed error-free."""

    ideal_side = True

    def with_even_blocks(self) -> Scheme:
        return replace(self, allocation="uniform")

    def ideal(
        self, frames: Frames, agreement: Agreement[SemanticTerms], channel: ChannelBase, seeds: Seeds
    ) -> tuple[Frames, Ledger]:
        """The frames with a rate map that is assumed error-free, and the uses that are charged for both."""
        view = self._look(frames, agreement, seeds)
        pairs, _ = self._allocate(view, agreement, seeds)
        symbols = self.codec.symbols(view, pairs)
        power = (symbols.square() * _mask(pairs, symbols.shape[1])).sum() / (2 * pairs.sum())
        scale = float(power.sqrt())
        sent = to_planes(symbols / scale, pairs)
        heard = check_channel_output(channel(sent, agreement.point.snr_db, seeds), sent)
        received = Plain().demodulate(heard, agreement.point.snr_db)
        spent = [
            Charge("link/semantic", "payload", int(pairs.sum())),
            Charge("link/semantic", "side_info", _map_uses(pairs.size, len(self._table(agreement)))),
        ]
        return self._decode(received, Layout(scale, pairs), agreement), Flow(None).then(None, *spent).ledger


def quantised_scale(symbols: torch.Tensor, sent: torch.Tensor) -> tuple[int, float]:
    """The code of the clip's root mean square, rounded up to the next 64th of an octave, and its value."""
    power = float((symbols.square() * sent).sum() / sent.sum())
    code = math.ceil(SCALE_STEPS * (math.log2(max(power, 1e-12)) / 2 + 8))
    code = min(max(code, 0), MOST_SCALE)
    return code, 2.0 ** (code / SCALE_STEPS - 8)


def _mask(pairs: np.ndarray, symbols: int) -> torch.Tensor:
    """Which of the symbols of a block are sent, 1 or 0: (1, symbols, rows, columns)."""
    return (torch.arange(symbols).view(-1, 1, 1) < 2 * torch.from_numpy(pairs)[None, None]).float()


def _map_uses(blocks: int, choices: int) -> int:
    return math.ceil(IDEAL_USES_A_BIT * blocks * math.ceil(math.log2(choices)))
