"""Codings that may be chosen, and how often each loses which of its blocks on the channel at hand.

A burst of `uses` symbols is cut by each coding into blocks of its own. What
the receiver says about the symbols of one draw of the channel gives each block
an effective SNR, and the coding's error curve the chance that it is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from semlink.blocks import CodingBase
from semlink.codecs.packetization import POINTER_BYTES
from semlink.errors import Infeasible
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.error_curves.curves import block_edges, curve_of, guessed, is_ours
from semlink.phy.error_curves.fades import Fades
from semlink.phy.error_curves.shipped import worth_it
from semlink.phy.error_curves.waterfall import Waterfall
from semlink.phy.superposition import Superposed

HOPELESS = 0.97
"""Share of lost blocks above which a coding is chosen only where there is no other."""
SURE = 1e-6
"""Share of lost blocks below which it does not count."""
SLOTS = 256
"""Places of a transmission with a chance of their own, the same for all codings."""
NONE: Mapping[str, float] = MappingProxyType({})
GUESSES_DB = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""How far curves that were not measured may be off, all alike."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A coding for bursts of one length.

    Attributes:
        data_bytes: what a burst carries for the source.
        edges: symbols where its blocks begin and the last one ends (block + 1,).
        curve: block error rate in white noise, exact where `is_exact`.
        analogue_share: of the power, another layer's, which its demapper counts as noise.
    """

    name: str
    coding: CodingBase
    uses: int
    data_bytes: int
    edges: np.ndarray
    curve: Waterfall
    is_exact: bool
    analogue_share: float = field(default=0.0, kw_only=True)

    @property
    def sent(self) -> CodingBase:
        """The coding as it goes over the air, below the other layer if there is one."""
        return Superposed(self.coding, self.analogue_share) if self.analogue_share else self.coding

    @property
    def efficiency(self) -> float:
        return efficiency(self.coding)

    @property
    def num_blocks(self) -> int:
        return len(self.edges) - 1

    @property
    def middles(self) -> np.ndarray:
        """Where its blocks lie, as shares of the transmission (block,)."""
        return (self.edges[1:] + self.edges[:-1]) / 2 / self.uses

    @property
    def slots(self) -> np.ndarray:
        """Whose chance each block has (block,)."""
        return np.minimum((self.middles * SLOTS).astype(int), SLOTS - 1)

    def losses(self, fades: Fades, offset_db: float = 0.0) -> np.ndarray:
        """The chance of each block to be lost in each draw: (draw, block)."""
        order = self.coding.bits_per_symbol
        return fades.block_losses(order, self.edges, self.curve, offset_db, analogue_share=self.analogue_share)

    def measured(self) -> Contender:
        """The same with its error curve measured, where it is a guess."""
        return self if self.is_exact else replace(self, curve=curve_of(self.coding, self.uses), is_exact=True)


def contenders(codings: Mapping[str, CodingBase], uses: int, shares: Mapping[str, float] = NONE) -> list[Contender]:
    """Those that carry anything in `uses` symbols, by rising efficiency.

    Args:
        shares: of the power that is another layer's, by the name of the coding; none for those that are not there.
    Raises:
        Infeasible: none does.
    """
    sensible = {n: c for n, c in codings.items() if worth_it(c.bits_per_symbol, c.code_rate)} or codings
    found = [_contender(name, coding, uses, shares.get(name, 0.0)) for name, coding in sensible.items()]
    able = sorted((c for c in found if c is not None), key=lambda c: (c.efficiency, c.coding.bits_per_symbol, c.name))
    if not able:
        raise Infeasible(f"{uses} channel uses carry no transport block with any modulation and rate on offer")
    return able


@lru_cache(maxsize=4096)
def _contender(name: str, coding: CodingBase, uses: int, share: float) -> Contender | None:
    try:
        sizes = coding.block_sizes(uses)
        edges = block_edges(coding, uses)
        known = coding.known_curve(int(np.diff(edges).max())) is not None
        data = sum(sizes) - POINTER_BYTES * len(sizes)
        return Contender(name, coding, uses, data, edges, guessed(coding, uses), known, analogue_share=share)
    except Infeasible:
        return None


def is_hopeless(contender: Contender, fades: Fades, offset_db: float = 0.0) -> bool:
    """Whether next to none of its blocks arrive."""
    return float(contender.losses(fades, offset_db).mean()) > HOPELESS


def worth_trying(able: Sequence[Contender], fades: Fades, offset_db: float = 0.0) -> list[Contender]:
    """Those of which no other carries as much with fewer losses; their error curves are measured.

    Of a user's codings nothing can be guessed: all are measured.
    """
    able = [c if is_ours(c.coding) else c.measured() for c in able]
    known = _front([c for c in able if c.is_exact] or able, fades, offset_db)
    if not _may_join([c for c in able if not c.is_exact], known, fades, offset_db):
        return known
    likely = {c.name: c for wrong_db in GUESSES_DB for c in _front(able, fades, offset_db + wrong_db)}
    return _front([c.measured() for c in likely.values()], fades, offset_db)


def _may_join(doubtful: Sequence[Contender], known: Sequence[Contender], fades: Fades, offset_db: float) -> bool:
    """Whether one whose curve is a guess may carry as much with fewer losses than those that are known."""
    if not all(c.is_exact for c in known):
        return True
    lost = [(c.data_bytes, max(float(c.losses(fades, offset_db).mean()), SURE)) for c in known]
    for c in doubtful:
        at_best = max(float(c.losses(fades, offset_db + GUESSES_DB[-1]).mean()), SURE)
        if at_best <= HOPELESS and not any(size >= c.data_bytes and share <= at_best for size, share in lost):
            return True
    return False


def _front(able: Sequence[Contender], fades: Fades, offset_db: float) -> list[Contender]:
    lost = {c.name: max(float(c.losses(fades, offset_db).mean()), SURE) for c in able}
    front: list[Contender] = []
    for contender in sorted(able, key=lambda c: (c.data_bytes, -lost[c.name]), reverse=True):
        if not front or lost[contender.name] < lost[front[-1].name]:
            front.append(contender)
    hopeful = [c for c in front if lost[c.name] <= HOPELESS]
    return hopeful or front[-1:]
