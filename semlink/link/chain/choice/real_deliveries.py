"""Where the receiver's word about its noise is not taken: codings chosen by what really arrives.

Losses that no noise variance tells of, such as symbols that go missing unseen,
hit modulations and rates in ways that no shift of the SNR explains. So each
modulation sends random bytes over the scenario's own chain at rates found by
bisection; those that arrive surely, mostly or half of the time, and what was
chosen by the model, are sent more often, and the best expected quality is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink.link.chain.choice.contenders import Contender
from semlink.link.chain.choice.evidence import Evidence
from semlink.phy.error_curves.fades import Fades

SHARES = (0.97, 0.8, 0.5)
"""Shares of whole transmissions for which each modulation's highest rate is sought."""
SENT_FIRST, SENT_IN_ALL = 16, 192
"""Transmissions while a rate is sought, and for those that may be chosen."""


@dataclass(frozen=True, slots=True)
class Tried(Contender):
    """A coding with the share of its transmissions that really arrived whole."""

    delivery: float

    def losses(self, fades: Fades, offset_db: float = 0.0) -> np.ndarray:
        """The chance of each block to be lost, alike for all: (1, block)."""
        return np.full((1, self.num_blocks), 1 - self.delivery ** (1 / self.num_blocks))


def really_tried(able: Sequence[Contender], chosen: Sequence[Contender], evidence: Evidence) -> list[Tried]:
    """For each modulation the highest rates that arrive often enough, and those `chosen` so far, by rising efficiency.

    Args:
        able: all codings, by rising efficiency.
    """
    hopeful = {c.name: c for c in chosen}
    for bits in sorted({c.coding.bits_per_symbol for c in able}):
        ladder = [c for c in able if c.coding.bits_per_symbol == bits]
        for share in SHARES:
            top = _highest(ladder, share, evidence)
            hopeful.update({c.name: c for c in ladder[max(top - 2, 0) : top + 1]})
    return [_tried(c, evidence) for c in sorted(hopeful.values(), key=lambda c: c.efficiency)]


def _highest(ladder: Sequence[Contender], share: float, evidence: Evidence) -> int:
    """The highest step of a ladder that arrives so often, taking delivery to fall with the rate; 0 where none does."""
    low, high = 0, len(ladder)
    while high - low > 1:
        middle = (low + high) // 2
        arrives = evidence.delivery(ladder[middle].sent, ladder[middle].uses, SENT_FIRST) >= share
        low, high = (middle, high) if arrives else (low, middle)
    return low


def _tried(c: Contender, evidence: Evidence) -> Tried:
    arrived = evidence.delivery(c.sent, c.uses, SENT_IN_ALL) * SENT_IN_ALL
    share = (arrived + 0.5) / (SENT_IN_ALL + 1)
    return Tried(c.name, c.coding, c.uses, c.data_bytes, c.edges, c.curve, c.is_exact, share)
