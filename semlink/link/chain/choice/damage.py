"""What a clip is worth over its bytes, and what of it is left when some blocks never arrive.

Both come from clips that are really coded, cut, damaged and decoded, at a few
sizes an octave apart: one coding carries them over a clean channel of which
parts are silent. What lies between is read off a smooth curve, and damage is
taken to be the same share of what there is to lose. Sizes and ways of losing
blocks are the same for all points of a scenario, so each is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil, floor, log2

import numpy as np
from scipy.interpolate import PchipInterpolator

from semlink.blocks import CodingBase
from semlink.codecs.packetization import POINTER_BYTES
from semlink.link.chain.choice.evidence import Evidence
from semlink.payload import Agreement
from semlink.phy.error_curves.curves import block_edges

UNIT_BYTES = 1018
"""Sizes are these many bytes times powers of two: full transport blocks of the default length."""
LEAST_OCTAVE = -6
BEYOND = 0.1
"""Octaves above the largest clips that are tried whose quality is read off the curve all the same."""
SINGLES, RUNS = 8, 4
"""Places at which one block, and from or up to which all blocks are lost in the clips that are tried at each size."""
LEAST_SHARE = 0.02
"""Of all losses, for which a way of losing blocks is tried; rarer ones count as the one most alike."""

ANY_SNR_DB = 0.0
"""Stands in agreements that are tried without noise."""


@dataclass(slots=True)
class Node:
    """Clips of one size.

    Attributes:
        agreement: under which they are sent.
        edges: where their blocks begin and the last one ends, as shares of the transmission (block + 1,).
        clean_db, gone_db: quality with all blocks and with none.
        damages: what the ways of losing blocks that were tried cost, as shares of clean less gone.
    """

    agreement: Agreement
    edges: np.ndarray
    clean_db: float
    gone_db: float
    damages: dict[bytes, float] = field(default_factory=dict)

    @property
    def num_blocks(self) -> int:
        return len(self.edges) - 1

    @property
    def stake_db(self) -> float:
        """What there is to lose."""
        return max(self.clean_db - self.gone_db, 0.0)


@dataclass(slots=True)
class Worth:
    """Quality over bytes, and over blocks that are lost.

    Attributes:
        reference: the name of the coding that carries the clips that are tried.
        agreements: under which each coding would be used, by its name.
        by_rate: whether the scheme's rate says how large clips are; then all sizes are one.
        smallest_db: quality of the smallest clips that were tried; infinite where none could be.
    """

    reference: str
    coding: CodingBase
    agreements: Mapping[str, Agreement]
    evidence: Evidence
    typical_uses: int
    by_rate: bool
    nodes: dict[int, Node | None] = field(default_factory=dict)
    smallest_db: float = np.inf

    def clean_db(self, data_bytes: Sequence[int]) -> np.ndarray:
        """Quality in dB of clips of these sizes that arrive whole: (size,); NaN below all sizes that were tried."""
        octaves = np.array([self._octave(size) for size in data_bytes])
        low, high = floor(octaves.min()), ceil(octaves.max() - BEYOND)
        known = [(number, node) for number in range(low, high + 1) if (node := self.node(number)) is not None]
        if not known:
            return np.full(len(octaves), np.nan)
        at, quality = [float(number) for number, _ in known], [node.clean_db for _, node in known]
        self.smallest_db = quality[0]
        between = PchipInterpolator(at, quality)(octaves) if len(at) > 1 else np.full(len(octaves), quality[0])
        between[octaves < at[0] - 1e-9] = np.nan
        return between

    def small_db(self, name: str) -> float:
        """Quality in dB of clips too small to read anything between, which are coded as they are; -inf if too small."""
        return self.evidence.damaged(self.agreements[name], ())

    def node_for(self, data_bytes: int) -> Node | None:
        """The clips that are tried whose size is nearest; the larger of two where the smaller cannot be."""
        octave = self._octave(data_bytes)
        return self.node(round(octave)) or self.node(ceil(octave))

    def node(self, octave: int) -> Node | None:
        """Clips of a power of two of `UNIT_BYTES`; None where they cannot be coded so small."""
        if octave not in self.nodes:
            self.nodes[octave] = self._made(octave)
        return self.nodes[octave]

    def _octave(self, data_bytes: int) -> float:
        return 0.0 if self.by_rate else max(log2(max(data_bytes, 1) / UNIT_BYTES), LEAST_OCTAVE)

    def _made(self, octave: int) -> Node | None:
        size = max(round(UNIT_BYTES * 2.0**octave), 1)
        uses = self.typical_uses if self.by_rate else self.coding.uses_for(size, per_block=POINTER_BYTES)
        template = self.agreements[self.reference]
        point = replace(template.point, snr_db=ANY_SNR_DB, budget_uses=None if self.by_rate else uses)
        agreement = replace(template, point=point)
        clean_db = self.evidence.damaged(agreement, ())
        if clean_db == -np.inf:
            return None
        return Node(
            agreement, block_edges(self.coding, uses) / uses, clean_db, self.evidence.damaged(agreement, ((0, 1),))
        )


def damages(node: Node, patterns: np.ndarray, weights: np.ndarray, evidence: Evidence) -> np.ndarray:
    """What each way of losing blocks costs, as a share of all there is to lose: that of the form most alike.

    Args:
        patterns: bool (way, block), the blocks of `node` that are lost.
        weights: how likely each is (way,); forms that stand for next to nothing are not tried.
    """
    forms = _forms(node.num_blocks)
    away = np.abs(np.cumsum(patterns, axis=1)[:, None] - np.cumsum(forms, axis=1)[None]).sum(axis=2)
    share = np.bincount(away.argmin(axis=1), weights, len(forms))
    tried = np.flatnonzero(share >= LEAST_SHARE * share.sum())
    found = np.array([_damage(node, forms[number], evidence) for number in tried])
    return found[away[:, tried].argmin(axis=1)]


@lru_cache(maxsize=64)
def _forms(num_blocks: int) -> np.ndarray:
    """Ways of losing blocks that may be tried, the same for all channels: bool (form, block).

    One block at each of `SINGLES` places; all from or up to each quarter; the middle half; all.
    """
    block = np.arange(num_blocks)
    quarters = np.round(np.arange(1, RUNS) * num_blocks / RUNS)
    singles = [block == place for place in np.unique(np.arange(SINGLES) * num_blocks // SINGLES)]
    runs = [form for edge in quarters for form in (block < edge, block >= edge)]
    middle = (block >= num_blocks / 4) & (block < 3 * num_blocks / 4)
    forms = np.unique(np.array([*singles, *runs, middle, block >= 0]), axis=0)
    return forms[forms.any(axis=1)]


def _damage(node: Node, pattern: np.ndarray, evidence: Evidence) -> float:
    if pattern.all() or node.stake_db == 0:
        return 1.0
    key = pattern.astype(bool).tobytes()
    if key not in node.damages:
        left = evidence.damaged(node.agreement, _spans(node.edges, pattern))
        node.damages[key] = float(np.clip((node.clean_db - left) / node.stake_db, 0, 1))
    return node.damages[key]


def _spans(edges: np.ndarray, pattern: np.ndarray) -> tuple[tuple[float, float], ...]:
    """The lost blocks as runs of shares of the transmission."""
    change = np.flatnonzero(np.diff(np.concatenate(([False], pattern, [False])).astype(np.int8)))
    return tuple((float(edges[a]), float(edges[b])) for a, b in change.reshape(-1, 2))
