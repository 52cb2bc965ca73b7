"""A digital scheme that listens: HARQ, and an MCS that follows the channel.

The clip is cut into groups of frames (one group where nothing adapts). Each
group is coded to its share of the budget and sent in one burst; blocks that
failed follow in further bursts, before the next group, as often as HARQ allows
and the group's share has room for. What a burst holds follows from what both
ends know, so none of it is signalled: `Rules.turns` tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from semlink.blocks import Calibration, CodecBase, FrameBlock, InteractiveBase, OneWayBase, PacketStore, SymbolPart
from semlink.caching import Memo, digest_of
from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, join
from semlink.colour.layout import COLOURS
from semlink.errors import Infeasible, InterfaceError
from semlink.feedback import Burst, BurstContext, Feedback, Repeats, SentBurst
from semlink.flow import Flow
from semlink.link.schemes.digital.burst_schedule import BurstPlan, BurstTerms, Rules
from semlink.link.schemes.digital.mcs_ladder import threshold_doubts, threshold_ladder
from semlink.link.schemes.digital.packets import coded, split_header
from semlink.link.schemes.digital.scheme import DigitalScheme
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Packet, Point, Symbols, as_frames, only_clip
from semlink.phy.coding.harq import SoftBlocks, combined, nothing_heard, repeat, symbols_of
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.effective_snr import whole_db
from semlink.seeds import Seeds

KEPT = 64


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """What the receiver made of the bursts so far: the story as it knows it, and every group's blocks."""

    past: tuple[SentBurst, ...] = ()
    groups: tuple[SoftBlocks, ...] = ()


@dataclass(frozen=True, slots=True)
class InteractiveScheme(InteractiveBase):
    """A codec with 5G LDPC, by the rules of HARQ and adaptation.

    With several `codings` and no adaptation the one that did best in calibration is agreed on.
    """

    codec: CodecBase
    codings: Mapping[str, LdpcCoding]
    rules: Rules
    streams: PacketStore | None = None
    sent: Memo[tuple[bytes, ...]] = field(default_factory=lambda: Memo(KEPT), repr=False)
    heard: Memo[ReceiverState] = field(default_factory=lambda: Memo(KEPT), repr=False)
    shown: Memo[np.ndarray] = field(default_factory=lambda: Memo(KEPT), repr=False)
    colours = COLOURS

    def check(self, frames: FrameShape, rate: float | None) -> None:
        self.codec.check_rate(rate, frames)

    def frame_blocks(self) -> Sequence[FrameBlock]:
        return (self.codec,)

    def group_frames(self, frames: FrameShape) -> int:
        return self.codec.gop or frames.t

    def num_groups(self, frames: FrameShape) -> int:
        return self.rules.num_groups(frames)

    def loses_blocks(self) -> bool:
        return True

    def unquantised(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames | None:
        made = self.codec.unquantised(only_clip(frames))
        return None if made is None else as_frames(made, frames.colour)

    def doubts(self) -> Sequence[str]:
        adaptive = self.rules.adaptive
        return () if adaptive is None else threshold_doubts(adaptive.target_bler)

    def agree(self, frames: FrameShape, point: Point, calibration: Calibration) -> Agreement:
        """Settle the coding, or the thresholds by which it will follow the channel."""
        first, codings = self.rules.first_uses(frames, point), self.rules.fitted(self.codings, frames, point)
        if self.rules.adaptive is not None:
            adaptive = self.rules.adaptive
            ladder = threshold_ladder(codings, first, adaptive.target_bler)
            return Agreement(frames, point, BurstTerms(ladder, calibration.starting_snr_db(first)))
        agreements = {name: Agreement(frames, point, BurstTerms(coding=name)) for name in self.codings}
        if len(agreements) == 1:
            return next(iter(agreements.values()))
        return agreements[calibration.best_coding(agreements, codings, first)]

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        turn = self._turn(agreement, past, opening)
        if turn is None:
            return None
        first, last = self.rules.frames_of(turn.group, agreement.frames)
        clip = only_clip(frames)[first:last]
        if turn.blocks:
            blocks = self._blocks(clip, agreement.point, turn)
            return repeat(turn.coding, turn.first, {n: blocks[n] for n in turn.blocks}, self.rules.version(turn))
        return self._first_burst(clip, agreement.point, turn)

    def symbols_ahead(self, agreement: Agreement, past: Sequence[SentBurst], opening: BurstContext) -> int:
        """How long the next burst may get, where its SNR has to be known beforehand."""
        adaptive = self.rules.adaptive
        if adaptive is None or adaptive.csi_delay > 0:
            return 0
        turn = self._turn(agreement, past, opening)
        return 0 if turn is None or turn.blocks else turn.room or 4096

    def first_alone(self, frames: FrameShape, point: Point) -> OneWayBase | None:
        if self.rules.adaptive is not None:
            return None
        return DigitalScheme(self.codec, self.rules.fitted(self.codings, frames, point), self.streams)

    def repeats(self, point: Point) -> Repeats | None:
        harq = self.rules.harq
        if harq is None or self.rules.adaptive is not None:
            return None
        return Repeats(harq.transmissions, point.budget_uses, adds_bits=harq.kind == "ir")

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        return self._listened(bursts, agreement).past[-1].feedback

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Delivered:
        groups = self._listened(bursts, agreement).groups
        pieces: list[np.ndarray] = []
        for number, soft in enumerate(groups):
            pieces.append(self._shown(join(soft.data), self.rules.shape_of(number, agreement.frames), pieces))
        failed: list[int] = []
        total = 0
        for soft in groups:
            gone = soft.missing if join(soft.data) else range(len(soft.data))
            failed += [total + number for number in gone]
            total += len(soft.data)
        return Delivered(as_frames(np.concatenate(pieces), agreement.frames.colour), total, len(failed), tuple(failed))

    def burst_parts(self, past: Sequence[SentBurst], agreement: Agreement) -> Sequence[Sequence[SymbolPart]]:
        """Blocks of each burst; those that are sent again keep their numbers."""
        parts: list[Sequence[SymbolPart]] = []
        first = after = 0
        for number, burst in enumerate(past):
            turn = self._turn(agreement, past[:number], burst.opening)
            if turn is None:
                break
            if not turn.blocks:
                first, after = after, after + len(turn.coding.block_sizes(burst.symbols))
                parts.append([SymbolPart.coded("transport blocks", turn.coding, burst.symbols, first)])
                continue
            sizes = symbols_of(turn.coding, turn.first)
            repeated = SymbolPart(
                "transport blocks sent again",
                burst.symbols,
                turn.coding.soft_bits,
                turn.coding.constellation(),
                tuple(sizes[n] for n in turn.blocks),
                tuple(first + n for n in turn.blocks),
            )
            parts.append([repeated])
        return parts

    def burst_packets(
        self, frames: Frames, past: Sequence[SentBurst], agreement: Agreement, seeds: Seeds
    ) -> Sequence[Sequence[Packet]]:
        """The packets of the groups that each burst begins with, at their frames of the clip; none of a repetition."""
        found: list[tuple[Packet, ...]] = []
        for number, burst in enumerate(past):
            turn = self._turn(agreement, past[:number], burst.opening)
            if turn is None:
                break
            first, last = self.rules.frames_of(turn.group, agreement.frames)
            packets: tuple[Packet, ...] = ()
            if not turn.blocks:
                with suppress(Infeasible):  # it went out empty
                    packets = self._packets(only_clip(frames)[first:last], agreement.point, turn)
            found.append(tuple(replace(packet, time=packet.time + first) for packet in packets))
        return found

    def _turn(self, agreement: Agreement, past: Sequence[SentBurst], opening: BurstContext) -> BurstPlan | None:
        return self.rules.turn(agreement, past, opening, self.codings)

    def _first_burst(self, clip: np.ndarray, point: Point, turn: BurstPlan) -> Flow[Symbols]:
        """A group's packets as symbols.

        Groups of an adaptive scheme have time slots of equal length, which
        they fill. One that does not fit at its MCS is left out, and its burst
        goes out empty: the receiver can measure the channel all the same.
        """
        coding = turn.coding
        try:
            packets = self._packets(clip, point, turn)
        except Infeasible:
            if self.rules.adaptive is None or turn.room is None:
                raise
            packets = ()
        uses = coding.uses_for(framed_size(packets), per_block=POINTER_BYTES)
        if turn.room is not None:
            uses = min(uses, turn.room) if self.rules.adaptive is None else turn.room
        flow = coding.send(cut(packets, coding.block_sizes(uses)), uses)
        return Flow(flow.payload, split_header(flow.ledger, packets, coding.bits_per_symbol))

    def _packets(self, clip: np.ndarray, point: Point, turn: BurstPlan) -> tuple[Packet, ...]:
        if turn.room is None:
            return coded(self.codec, clip, self.streams, rate=point.rate)
        sizes = turn.coding.block_sizes(turn.room)
        return coded(self.codec, clip, self.streams, max_bytes=sum(sizes) - POINTER_BYTES * len(sizes))

    def _blocks(self, clip: np.ndarray, point: Point, turn: BurstPlan) -> tuple[bytes, ...]:
        """The blocks of a group's first burst, which took `turn.first` symbols."""

        def make() -> tuple[bytes, ...]:
            try:
                packets = self._packets(clip, point, turn)
            except Infeasible:
                packets = ()
            return cut(packets, turn.coding.block_sizes(turn.first))

        return self.sent.get(digest_of(clip, point, turn.coding, turn.room, turn.first), make)

    def _listened(self, bursts: Sequence[Burst], agreement: Agreement) -> ReceiverState:
        """The receiver's state after `bursts`, built on that after one burst less."""
        if not bursts:
            return ReceiverState()
        tensors = [tensor for b in bursts for tensor in (b.received.iq, b.received.noise_var)]
        arrays = [tensor.detach().cpu().numpy() for tensor in tensors]
        key = digest_of(*arrays, [b.opening for b in bursts], agreement)
        return self.heard.get(key, lambda: self._heard_one_more(bursts, agreement))

    def _heard_one_more(self, bursts: Sequence[Burst], agreement: Agreement) -> ReceiverState:
        before, burst = self._listened(bursts[:-1], agreement), bursts[-1]
        turn = self._turn(agreement, before.past, burst.opening)
        if turn is None:
            raise InterfaceError(f"burst {len(bursts)} arrived after all groups of frames were sent")
        soft = self._combined(turn, burst, before.groups)
        acks: tuple[bool, ...] = ()
        if self.rules.harq is not None:
            acks = tuple(soft.data[n] is not None for n in turn.blocks or range(len(soft.data)))
        report = whole_db(burst.received.noise_var) if self.rules.reports and not turn.blocks else None
        past = SentBurst(burst.symbols, burst.opening, Feedback(acks, report))
        return ReceiverState((*before.past, past), (*before.groups[: turn.group], soft))

    def _combined(self, turn: BurstPlan, burst: Burst, groups: Sequence[SoftBlocks]) -> SoftBlocks:
        if turn.blocks:
            soft, blocks = groups[turn.group], turn.blocks
        else:
            soft = nothing_heard(turn.coding, burst.symbols)
            blocks = tuple(range(len(soft.data)))
        return combined(soft, burst.received, blocks, self.rules.version(turn))

    def _shown(self, packets: Sequence[Packet], shape: FrameShape, before: Sequence[np.ndarray]) -> np.ndarray:
        """A group's frames (t, h, w); until something of it can be seen, the last picture of the group before."""
        pixels = self._decode(packets, shape)
        if not before:
            return pixels
        unseen = (pixels == self._decode((), shape)).all(axis=(1, 2))
        seen = np.flatnonzero(~unseen)
        frozen = int(seen[0]) if seen.size else len(pixels)
        return np.concatenate([np.repeat(before[-1][-1:], frozen, axis=0), pixels[frozen:]])

    def _decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        key = digest_of(*[p.data for p in packets], [p.time for p in packets], shape)
        return self.shown.get(key, lambda: self.codec.decode(packets, shape))
