"""The agreement settled before the run, and proof that the clips decided nothing in it but a choice.

`agree` runs at the transmitter's end, where `calibration.quality` tries would-be agreements on clips. Then it runs
again at the receiver's end, where no clip is sent and qualities are invented: it must ask about the same n
would-be agreements, and settle on one of them. So the clips had a part in no more than log2(n) bits. A search
that asks according to the answers may use their order alone: with other qualities in the same order it must
come to the same end, and log2(n!) bits are counted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from semlink.blocks import Calibration, CodingBase, SchemeBase
from semlink.caching import digest_of
from semlink.errors import BoundaryError, Infeasible, InterfaceError
from semlink.payload import Agreement, FrameShape, Point
from semlink.plain_data import from_bytes, to_bytes

if TYPE_CHECKING:
    from semlink.link.chain.calibration import LinkCalibration
    from semlink.link.chain.link import Link

__all__ = ["MOST_BYTES", "Deal", "Invented", "Question", "Settled", "Story", "settled", "story_of"]

MOST_BYTES = 64 * 1024
"""What an agreement may take as plain data."""
MOST_IN_ORDER = 32
"""Would-be agreements of a search that asks according to the answers."""
TIMES = 2
"""How often it is settled again."""
LOWEST_DB, HIGHEST_DB = 8.0, 48.0
"""Invented qualities lie between these."""

Asked = tuple[bytes, float | None]
"""A would-be agreement in bytes, and its delivery where that is known."""
CHOICE = -1.0
"""Stands for a delivery where the best of several is asked for."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An agreement as both ends get it: in bytes, from which each makes its own.

    Attributes:
        choice_bits: of the agreement, what the clips had a part in.
    """

    data: bytes
    choice_bits: float = 0.0

    @property
    def agreement(self) -> Agreement:
        """The agreement, made anew."""
        return from_bytes(self.data)


@dataclass(frozen=True, slots=True)
class Deal:
    """What holds for one clip at a point: clips of one shape have the same.

    Attributes:
        budget: what the antenna may spend on it, in channel uses; None without a budget.
    """

    settled: Settled
    agreement: Agreement
    budget: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """Where a scheme is to settle an agreement."""

    frames: FrameShape
    point: Point

    def as_bytes(self, agreement: Agreement) -> bytes:
        """An agreement in bytes.

        Raises:
            InterfaceError: of another shape or operating point, not plain data, or too large.
        """
        if type(agreement) is not Agreement:
            raise InterfaceError(f"agree: got {type(agreement).__name__}; need an Agreement")
        for name, asked in (("frames", self.frames), ("point", self.point)):
            given = {"frames": agreement.frames, "point": agreement.point}[name]
            if to_bytes(given, f"Agreement.{name}") != to_bytes(asked):
                raise InterfaceError(f"Agreement.{name}: got {given}; need {asked}, as agree was given it")
        data = to_bytes(agreement, "Agreement")
        if len(data) > MOST_BYTES:
            raise BoundaryError(
                f"an agreement of {len(data):,} bytes; allowed are {MOST_BYTES:,} (64 KiB): it holds what both ends "
                "know before anything is sent, and nothing of a clip"
            )
        return data


@dataclass(frozen=True, slots=True)
class Story:
    """What a scheme asked while it settled an agreement, what it was told, and the end.

    Attributes:
        end: the agreement, None where nothing fits.
        reason: why nothing fits.
    """

    answers: Mapping[Asked, float]
    end: bytes | None
    reason: str = ""

    @property
    def asked(self) -> frozenset[bytes]:
        """The would-be agreements."""
        return frozenset(agreement for agreement, _ in self.answers)


@dataclass(frozen=True, slots=True)
class Invented:
    """Qualities that no clip had a part in.

    Attributes:
        time: others each time.
        order: those of these answers, whose order they have; None for any order.
    """

    time: int
    order: Mapping[Asked, float] | None = None

    def quality(self, asked: Asked) -> float:
        """In dB.

        Raises:
            BoundaryError: a question to which there is no answer.
        """
        if self.order is None:
            return LOWEST_DB + (HIGHEST_DB - LOWEST_DB) * int(digest_of(self.time, *asked)[:12], 16) / 16**12
        if asked not in self.order:
            raise _more_than_a_choice("it asks about another agreement")
        values = sorted({value for value in self.order.values() if value > -math.inf})
        steps = np.random.default_rng(self.time).uniform(0.01, (HIGHEST_DB - LOWEST_DB) / len(self.order), len(values))
        return dict(zip(values, LOWEST_DB + np.cumsum(steps), strict=True)).get(self.order[asked], -math.inf)


def settled(link: Link, question: Question, calibration: LinkCalibration) -> Settled:
    """The agreement at a point, and what the clips had a part in.

    What sends nothing, and a bound, may know its clips.

    Raises:
        Infeasible: the point leaves no room for anything.
        InterfaceError: it is not plain data, or for another point.
        BoundaryError: too large, or the clips had a part in more than a choice.
    """
    story = story_of(link.transmitter, question, calibration)
    if story.end is None:
        raise Infeasible(story.reason)
    if link.is_bound or link.is_sensing:
        return Settled(story.end)
    link.fresh.check()
    return Settled(story.end, _choice_bits(story, lambda made: link.fresh.settle(question, made, calibration)))


def _choice_bits(story: Story, again: Callable[[Invented], Story]) -> float:
    """Bits of the choice that the clips had a part in."""
    others = [_retold(again, Invented(time)) for time in range(TIMES)]
    if any(story.end not in story.asked and other.end != story.end for other in others):
        raise _more_than_a_choice("it comes to another agreement that it did not ask about")
    if all(other.asked == story.asked and other.end in {None, story.end, *story.asked} for other in others):
        return math.log2(max(len(story.asked), 1)) if story.end in story.asked else 0.0
    return _bits_of_a_search(story, again)


def _bits_of_a_search(story: Story, again: Callable[[Invented], Story]) -> float:
    """Bits of a search that asks according to the answers, and goes by their order alone."""
    for time in range(TIMES):
        other = _retold(again, Invented(time, story.answers))
        if other.end != story.end or other.answers.keys() != story.answers.keys():
            raise _more_than_a_choice("it asks about other agreements, or comes to another")
    if len(story.answers) > MOST_IN_ORDER:
        raise _more_than_a_choice(f"it asks {len(story.answers)} questions; a search may ask {MOST_IN_ORDER}")
    return math.lgamma(len(story.answers) + 1) / math.log(2)


def _retold(again: Callable[[Invented], Story], invented: Invented) -> Story:
    """Settle once more; what fails without the clips lives on them."""
    try:
        return again(invented)
    except BoundaryError:
        raise
    except Exception as fault:
        raise _more_than_a_choice(f"it fails ({fault})") from fault


def _more_than_a_choice(what: str) -> BoundaryError:
    return BoundaryError(
        f"agree takes more from the clips than a choice: settled again without them, {what}. Ask calibration.quality "
        "about agreements that follow from the shape and the point, go by the order of the answers, and agree on one "
        "of those asked about"
    )


def story_of(
    scheme: SchemeBase, question: Question, calibration: Calibration, invented: Invented | None = None
) -> Story:
    """Let a scheme settle an agreement.

    Args:
        invented: tells the qualities instead of trying them.
    Raises:
        BoundaryError: too large an agreement, or invented answers do not serve it.
        InterfaceError: an agreement that is not plain data, or for another point.
    """
    desk = _Desk(question, calibration, invented)
    with _opened(desk) as closed:
        try:
            end = question.as_bytes(scheme.agree(question.frames, question.point, closed))
        except Infeasible as reason:
            return Story(desk.answers, None, str(reason))
    return Story(desk.answers, end)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Answers a scheme's questions and remembers the answers."""

    question: Question
    calibration: Calibration
    invented: Invented | None
    answers: dict[Asked, float] = field(default_factory=dict)

    def quality(self, agreement: Agreement, delivery: float | None) -> float:
        asked = self.question.as_bytes(agreement), None if delivery is None else float(delivery)
        if asked not in self.answers:
            if self.invented is not None:
                self.answers[asked] = self.invented.quality(asked)
            else:
                self.answers[asked] = float(self.calibration.quality(from_bytes(asked[0]), asked[1]))
        return self.answers[asked]

    def best_coding(
        self,
        agreements: Mapping[str, Agreement],
        codings: Mapping[str, CodingBase],
        uses: int | None,
        shares: Mapping[str, float] | None,
    ) -> str:
        """A choice among would-be agreements, and no more: all were asked about, and one is the best."""
        asked: dict[str, Asked] = {name: (self._as_bytes(agreement), CHOICE) for name, agreement in agreements.items()}
        if self.invented is None:
            best = self.calibration.best_coding(agreements, codings, uses, analogue_shares=shares)
            told = {question: float(name == best) for name, question in asked.items()}
        else:
            told = {question: self.invented.quality(question) for question in asked.values()}
            best = max(asked, key=lambda name: told[asked[name]])
        self.answers.update(told)
        return best

    def _as_bytes(self, agreement: Agreement) -> bytes:
        """One of many would-be agreements in bytes, which are offered anew each time it is settled."""
        try:
            return _offered(self.question, agreement)
        except TypeError:  # terms that cannot be a key
            return self.question.as_bytes(agreement)


@lru_cache(maxsize=1024)
def _offered(question: Question, agreement: Agreement) -> bytes:
    return question.as_bytes(agreement)


_open: dict[int, _Desk] = {}
_tickets = itertools.count()


@contextmanager
def _opened(desk: _Desk) -> Iterator[Calibration]:
    """A calibration that leads to `desk` for as long as this lasts."""
    ticket = next(_tickets)
    _open[ticket] = desk
    try:
        yield ClosedCalibration(ticket)
    finally:
        del _open[ticket]


def _at(ticket: int) -> _Desk:
    if ticket not in _open:
        raise InterfaceError("calibration: it ended with agree, and nothing can be tried any more")
    return _open[ticket]


@dataclass(frozen=True, slots=True)
class ClosedCalibration(Calibration):
    """The calibration as a scheme sees it: it gives numbers and holds nothing that leads to a clip."""

    ticket: int

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        return _at(self.ticket).quality(agreement, delivery)

    def best_coding(
        self,
        agreements: Mapping[str, Agreement],
        codings: Mapping[str, CodingBase],
        uses: int | None,
        *,
        analogue_shares: Mapping[str, float] | None = None,
    ) -> str:
        return _at(self.ticket).best_coding(agreements, codings, uses, analogue_shares)

    def delivery(self, coding: CodingBase, uses: int, transmissions: int) -> float:
        return _at(self.ticket).calibration.delivery(coding, uses, transmissions)

    def starting_snr_db(self, uses: int, outage: float = 0.1) -> int:
        return _at(self.ticket).calibration.starting_snr_db(uses, outage)
