"""Codings whose lost blocks are sent again, as a model of the link sees them.

In each draw of the channel it is played through which blocks fail, when they
are sent again, what the symbols of then tell, and what is lost in the end. New
coded bits add up what they tell, and the error curve is read at the SNR at
which one transmission would tell as much; the same bits once more add up
their SNR. Source: [cheng2006] for information that accumulates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from semlink.feedback import Repeats
from semlink.link.chain.choice.contenders import SLOTS, Contender
from semlink.phy.error_curves.fades import Fades
from semlink.phy.error_curves.information import effective_snr_db, information
from semlink.seeds import Seeds

LUCK = 40129
"""Root of the chance with which blocks fail in the model."""


STILL = 1024
"""Times that the luck of blocks is drawn where the channel stands still."""


@dataclass(frozen=True, slots=True)
class Repeated(Contender):
    """A coding with repeats; its burst is the first one, and draws of the channel reach to the last repeat."""

    repeats: Repeats
    known: dict[tuple[int, float], np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    def losses(self, fades: Fades, offset_db: float = 0.0) -> np.ndarray:
        """Which blocks are lost in the end at each SNR that the draws stand for: 0 or 1, (draw * per_draw, block).

        Over a channel that stands still, the share of luck that loses each: (1, block).
        """
        key = len(fades), offset_db
        if key not in self.known:
            ways = STILL if fades.is_settled else len(fades) * fades.per_draw
            lost = self._played(fades, offset_db, ways)
            self.known[key] = lost.mean(axis=0, keepdims=True) if fades.is_settled else lost
        return self.known[key]

    def _played(self, fades: Fades, offset_db: float, ways: int) -> np.ndarray:
        """Whether each block is lost in the end, 0 or 1, (way, block)."""
        sizes = np.diff(self.edges)
        luck = _luck(ways)[:, self.slots]
        begins = np.broadcast_to(self.edges[:-1], (ways, self.num_blocks))
        heard = np.zeros((ways, self.num_blocks))
        lost, failed = np.ones_like(heard, bool), np.ones_like(heard, bool)
        spent, most = np.zeros((ways, 1)), np.inf if self.repeats.uses is None else self.repeats.uses
        for time in range(self.repeats.transmissions):
            after = spent + np.cumsum(np.where(failed, sizes, 0), axis=1)
            if time:
                failed &= after <= most
                begins = np.where(failed, after - sizes, 0)
            if not failed.any():
                break
            snr_db = fades.snr_between_db(self.coding.bits_per_symbol, begins, begins + sizes) + offset_db
            heard += np.where(failed, self._amount(snr_db), 0)
            passed = failed & (luck >= self.curve.bler(self._as_snr_db(heard)))
            spent = np.where(failed, after, spent).max(axis=1, keepdims=True)
            lost &= ~passed
            failed &= ~passed
        return lost.astype(float)

    def _amount(self, snr_db: np.ndarray) -> np.ndarray:
        """What adds up over transmissions."""
        return information(snr_db, self.coding.bits_per_symbol) if self.repeats.adds_bits else 10 ** (snr_db / 10)

    def _as_snr_db(self, amount: np.ndarray) -> np.ndarray:
        """The SNR of one transmission with the same."""
        if self.repeats.adds_bits:
            return effective_snr_db(amount, self.coding.bits_per_symbol)
        return 10 * np.log10(np.maximum(amount, 1e-9))


def repeated(contender: Contender, repeats: Repeats) -> Repeated:
    """A contender whose lost blocks are sent again."""
    c = contender
    return Repeated(c.name, c.coding, c.uses, c.data_bytes, c.edges, c.curve, c.is_exact, repeats)


@lru_cache(maxsize=8)
def _luck(ways: int) -> np.ndarray:
    return Seeds(LUCK).numpy("link/choice").random((ways, SLOTS))
