"""Whether a scheme of a user foresees the noise that it will meet.

Streams of chance are named, so that runs can be repeated; whoever knows the scenario's seed could draw the channel's
noise too, and take it off before or after. The same symbols are therefore sent over other draws of the
channel, of which nobody knows the seed. A scheme that foresees nothing does best in the run's own draw only as often as
chance has it: once in 201 times where 200 others are drawn.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlink.blocks import is_one_way
from semlink.errors import BoundaryError
from semlink.flow import Flow
from semlink.link.chain.air import arrived, receive_alone
from semlink.payload import Agreement, Delivered, Frames, Symbols
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link

MOST_DRAWS = 200
MOST_TIMES = 6
"""Receptions of a link that are looked at."""
ENOUGH = 1e6
"""A link that foresees nothing gets here with a chance below 1 / ENOUGH (Ville's inequality)."""
STAKE = 0.5
"""Share of the evidence that each reception puts at risk."""


@dataclass(slots=True)
class Evidence:
    """That a link foresees: a product whose mean is 1 as long as it does not."""

    weight: float = 1.0
    times: int = 0

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

    Raises:
        BoundaryError: in too many receptions none does.
    """
    if link.foreseen.times < MOST_TIMES:
        own = _error(first, clip)
        link.foreseen.weigh(all(own < _error(other, clip) for other in _otherwise(link, flow, agreement, seeds)))


def _otherwise(link: Link, flow: Flow[Symbols], agreement: Agreement, seeds: Seeds) -> Iterator[Delivered]:
    receiver = link.receiver
    assert is_one_way(receiver)
    for _ in range(MOST_DRAWS):
        other = Seeds(secrets.randbits(62), seeds.clips, seeds.trial)
        arrival = arrived(link.waveform, link.channel, flow, agreement.point.snr_db, other)
        yield receive_alone(receiver, arrival.received, agreement)


def _error(delivered: Delivered, clip: Frames) -> float:
    return float((delivered.frames.pixels.double() - clip.pixels.double()).square().mean())
