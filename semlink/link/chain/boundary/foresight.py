"""Whether a scheme of a user foresees the noise that it will meet.

Streams of chance are named, so that runs can be repeated; whoever knows the scenario's seed could draw the channel's
noise too, and take it off before or after. The same symbols are therefore sent over other draws of the
channel, of which nobody knows the seed. A scheme that foresees nothing does best in the run's own draw only as often as
chance has it: once in 201 times where 200 others are drawn. Where it does, the clip is sent again in trials that were
not looked at yet, until that may be chance or cannot be, so that a run of one trial tells as well. A link is looked at
in its first transmissions, and later in some that nobody knows beforehand: a scheme might foresee at some points only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from semlink.blocks import is_one_way
from semlink.errors import BoundaryError
from semlink.flow import Flow
from semlink.link.chain.air import arrived, receive_alone
from semlink.link.chain.boundary.audit import environment_kept
from semlink.link.chain.referee import check_plain
from semlink.payload import Agreement, Delivered, Frames, Symbols
from semlink.plain_data import from_bytes, to_bytes
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link

MOST_DRAWS = 200
MOST_TIMES = 6
"""Receptions of a link that are looked at in any case."""
LATER = 16
"""Of later ones that might be looked at, one in so many is."""
ENOUGH = 1e6
"""A link that foresees nothing gets here with a chance below 1 / ENOUGH (Ville's inequality)."""
STAKE = 0.5
"""Share of the evidence that each reception puts at risk."""


@dataclass(slots=True)
class Evidence:
    """That a link foresees: a product whose mean is 1 as long as it does not.

    Attributes:
        seen: clips and trials that were looked at; all points meet the same noise in them, so a second look is none.
    """

    weight: float = 1.0
    times: int = 0
    seen: set[tuple[tuple[int, ...], int]] = field(default_factory=set)

    def weigh(self, best_of_all: bool) -> None:
        """Count one reception.

        Raises:
            BoundaryError: this cannot be chance.
        """
        self.times += 1
        self.weight *= 1 - STAKE + STAKE * (MOST_DRAWS + 1) * best_of_all
        if self.weight >= ENOUGH:
            raise BoundaryError(
                f"in {self.times} receptions the frames were better than with each of {MOST_DRAWS} other draws of the "
                "channel; the scheme foresees the noise that it meets, or draws it as well"
            )


def audit_foresight(
    link: Link, flow: Flow[Symbols], clip: Frames, agreement: Agreement, seeds: Seeds, first: Delivered
) -> None:
    """Send the same symbols over other draws of the channel, until one of them does as well.

    A later look counts by itself, since another point's luck is its own as well.

    Raises:
        BoundaryError: in too many receptions none does.
    """
    evidence, place = link.foreseen, (seeds.clips, seeds.trial)
    if evidence.times >= MOST_TIMES:
        if secrets.randbelow(LATER):
            return
        evidence = Evidence()
    elif place in evidence.seen:
        return
    evidence.seen.add(place)
    trials = count(seeds.trial + 1)
    evidence.weigh(_is_best(link, flow, clip, agreement, seeds, first))
    while evidence.weight > 1:
        trial = next(trial for trial in trials if (seeds.clips, trial) not in evidence.seen)
        seeds = replace(seeds, trial=trial)
        evidence.seen.add((seeds.clips, trial))
        flow, first = _sent(link, clip, agreement, seeds)
        evidence.weigh(_is_best(link, flow, clip, agreement, seeds, first))


def _is_best(
    link: Link, flow: Flow[Symbols], clip: Frames, agreement: Agreement, seeds: Seeds, first: Delivered
) -> bool:
    own = _error(first, clip)
    return all(own < _error(other, clip) for other in _otherwise(link, flow, agreement, seeds))


def _sent(link: Link, clip: Frames, agreement: Agreement, seeds: Seeds) -> tuple[Flow[Symbols], Delivered]:
    """The clip in another trial: what was sent, and what became of it."""
    transmitter, receiver = link.transmitter, link.receiver
    assert is_one_way(transmitter) and is_one_way(receiver)
    with environment_kept(link):
        flow = transmitter.transmit(link.to_send(clip), from_bytes(to_bytes(agreement, "Agreement")), replace(seeds))
    check_plain(flow)
    arrival = arrived(link.waveform, link.channel, flow, agreement.point.snr_db, seeds)
    return flow, receive_alone(receiver, arrival.received, agreement)


def _otherwise(link: Link, flow: Flow[Symbols], agreement: Agreement, seeds: Seeds) -> Iterator[Delivered]:
    receiver = link.receiver
    assert is_one_way(receiver)
    for _ in range(MOST_DRAWS):
        other = Seeds(secrets.randbits(62), seeds.clips, seeds.trial)
        arrival = arrived(link.waveform, link.channel, flow, agreement.point.snr_db, other)
        yield receive_alone(receiver, arrival.received, agreement)


def _error(delivered: Delivered, clip: Frames) -> float:
    return float((delivered.frames.pixels.double() - clip.pixels.double()).square().mean())
