"""Whose turn it is: what each burst of an interactive scheme holds.

Everything here follows from the agreement, from the length of the bursts so
far and from the feedback, all of which both ends know; so nothing has to be
signalled, and transmitter and receiver ask the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from semlink.feedback import BurstContext, SentBurst
from semlink.link.schemes.digital.mcs_ladder import Ladder, pick
from semlink.payload import Agreement, FrameShape, Point, Terms
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.harq import symbols_of, version
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.link_adaptation import Adaptive, Harq

__all__ = ["Adaptive", "Harq", "Rules", "BurstPlan", "BurstTerms"]


@dataclass(frozen=True, slots=True)
class BurstTerms(Terms):
    """What is agreed on: a coding, or where the MCS adapts, the thresholds by which it follows the channel.

    Attributes:
        ladder: codings with their thresholds.
        start_snr_db: what both ends take the SNR to be before the first report.
    """

    ladder: Ladder = ()
    start_snr_db: int = 0


@dataclass(frozen=True, slots=True)
class BurstPlan:
    """One burst.

    Attributes:
        group: of frames.
        coding: modulation, rate and length of blocks.
        room: symbols that the group's first burst may take, None without a budget.
        sent: how often its blocks were on the air before.
        first: symbols that the group's first burst took, 0 if this is it.
        spent: symbols of the group so far.
        blocks: numbers of the blocks that are sent again, empty if this is the first burst.
    """

    group: int
    coding: LdpcCoding
    room: int | None
    sent: int = 0
    first: int = 0
    spent: int = 0
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How a scheme listens; `gop` is the length of a group of frames, None for the whole clip."""

    harq: Harq | None = None
    adaptive: Adaptive | None = None
    gop: int | None = None

    @property
    def reports(self) -> bool:
        """Whether the receiver has to tell its SNR."""
        return self.adaptive is not None and self.adaptive.csi_delay > 0

    def num_groups(self, frames: FrameShape) -> int:
        """Groups of a clip: those of the codec where the MCS adapts, else one."""
        return 1 if self.adaptive is None or self.gop is None else -(-frames.t // self.gop)

    def frames_of(self, group: int, frames: FrameShape) -> tuple[int, int]:
        """First frame of a group, and one past its last."""
        if self.num_groups(frames) == 1:
            return 0, frames.t
        assert self.gop is not None
        return group * self.gop, min((group + 1) * self.gop, frames.t)

    def shape_of(self, group: int, frames: FrameShape) -> FrameShape:
        first, last = self.frames_of(group, frames)
        return replace(frames, t=last - first)

    def share(self, frames: FrameShape, point: Point) -> int | None:
        """Symbols that a group may take with all its repeats."""
        return None if point.budget_uses is None else point.budget_uses // self.num_groups(frames)

    def first_uses(self, frames: FrameShape, point: Point, without_budget: int = 16 * 1024) -> int:
        """Symbols that a group's first burst may take; a typical length where there is no budget."""
        share = self.share(frames, point)
        if share is None:
            return without_budget
        return share if self.harq is None else int(share * (1 - self.harq.reserve))

    def fitted(self, codings: Mapping[str, LdpcCoding], frames: FrameShape, point: Point) -> dict[str, LdpcCoding]:
        """The codings with blocks so short that at least one fits into what is kept for repeats."""
        share = self.share(frames, point)
        if share is None or self.harq is None or self.harq.reserve == 0:
            return dict(codings)
        kept = share - self.first_uses(frames, point) - 1
        return {
            name: replace(c, block_bits=min(c.block_bits, max(int(kept * efficiency(c)), 1)))
            for name, c in codings.items()
        }

    def version(self, turn: BurstPlan) -> int:
        """The redundancy version of a burst's blocks."""
        return 0 if self.harq is None else version(self.harq.kind, turn.sent)

    def turn(
        self,
        agreement: Agreement[BurstTerms],
        past: Sequence[SentBurst],
        opening: BurstContext,
        codings: Mapping[str, LdpcCoding],
    ) -> BurstPlan | None:
        """What comes after `past`; None when all is sent."""
        openings = [*(p.opening for p in past), opening]
        reports: list[int | None] = []
        turn = self._first(0, agreement, reports, openings[0], codings)
        for burst, opened in zip(past, openings[1:]):
            if turn is None:
                return None
            if not turn.blocks:
                reports.append(burst.feedback.snr_db)
            again = self._again(turn, agreement, burst, opened)
            turn = again or self._first(turn.group + 1, agreement, reports, opened, codings)
        return turn

    def _first(
        self,
        group: int,
        agreement: Agreement[BurstTerms],
        reports: Sequence[int | None],
        opening: BurstContext,
        codings: Mapping[str, LdpcCoding],
    ) -> BurstPlan | None:
        """The first burst of a group, None behind the last group."""
        if group == self.num_groups(agreement.frames):
            return None
        name = self._coding(group, agreement, reports, opening)
        coding = self.fitted({name: codings[name]}, agreement.frames, agreement.point)[name]
        if agreement.point.budget_uses is None:
            return BurstPlan(group, coding, None)
        room = self.first_uses(agreement.frames, agreement.point)
        return BurstPlan(group, coding, room if opening.room is None else min(room, opening.room))

    def _coding(
        self, group: int, agreement: Agreement[BurstTerms], reports: Sequence[int | None], opening: BurstContext
    ) -> str:
        if self.adaptive is None:
            return agreement.terms.coding
        delay = self.adaptive.csi_delay
        known = opening.snr_ahead_db if delay == 0 else reports[group - delay] if group >= delay else None
        if known is None:
            return pick(agreement.terms.ladder, agreement.terms.start_snr_db)
        return pick(agreement.terms.ladder, known - self.adaptive.backoff_db)

    def _again(
        self, turn: BurstPlan, agreement: Agreement[BurstTerms], burst: SentBurst, opening: BurstContext
    ) -> BurstPlan | None:
        """The next repeat of a group: the blocks that failed, as many as there is room for."""
        if self.harq is None or turn.sent + 1 == self.harq.transmissions:
            return None
        first, spent = turn.first or burst.symbols, turn.spent + burst.symbols
        sizes = symbols_of(turn.coding, first)
        numbers = turn.blocks or range(len(sizes))
        failed = [n for n, passed in zip(numbers, burst.feedback.acks) if not passed]
        share = self.share(agreement.frames, agreement.point)
        limits = [limit for limit in (None if share is None else share - spent, opening.room) if limit is not None]
        while failed and limits and sum(sizes[n] for n in failed) > min(limits):
            failed.pop()
        if not failed:
            return None
        return BurstPlan(turn.group, turn.coding, turn.room, turn.sent + 1, first, spent, tuple(failed))
