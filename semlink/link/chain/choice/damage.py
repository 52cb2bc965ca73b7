"""What a clip is worth over its bytes, and what of it is left when some blocks never arrive.

Both come from clips that are really coded, cut, damaged and decoded, at a few
sizes an octave apart: one coding carries them over a clean channel of which
parts are silent. What lies between is read off a smooth curve, and damage is
taken to be the same share of what there is to lose. The sizes are the same for
all points of a scenario, so each is tried once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
PATTERNS = 12
"""Ways of losing blocks that are tried at each size; others, of further draws too, count as the one most alike."""

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
    """

    reference: str
    coding: CodingBase
    agreements: Mapping[str, Agreement]
    evidence: Evidence
    typical_uses: int
    by_rate: bool
    nodes: dict[float, Node | None] = field(default_factory=dict)

    def clean_db(self, data_bytes: Mapping[str, int]) -> np.ndarray:
        """Quality in dB of clips that arrive whole, of the size that each coding carries; minus infinity if too small.

        Near the smallest size that a clip can be coded to there is nothing to read between: they are coded as they are.
        """
        octaves = np.array([self._octave(size) for size in data_bytes.values()])
        low, high = floor(octaves.min()), ceil(octaves.max())
        known = [(number, node) for number in range(low, high + 1) if (node := self.node(number)) is not None]
        at, quality = [float(number) for number, _ in known], [node.clean_db for _, node in known]
        if known and octaves.min() < at[0] and (between_octaves := self.node(at[0] - 0.5)) is not None:
            at, quality = [at[0] - 0.5, *at], [between_octaves.clean_db, *quality]
        if len(at) > 1:
            between = PchipInterpolator(at, quality)(octaves)
        else:
            between = np.full(len(octaves), quality[0] if known else -np.inf)
        for number, name in enumerate(data_bytes):
            if octaves[number] < (at[0] if known else np.inf) - 1e-9:
                between[number] = self.evidence.damaged(self.agreements[name], ())
        return between

    def node_for(self, data_bytes: int) -> Node | None:
        """The clips that are tried whose size is nearest; the larger of two where the smaller cannot be."""
        octave = self._octave(data_bytes)
        return self.node(round(octave)) or self.node(ceil(octave))

    def node(self, octave: float) -> Node | None:
        """Clips of a power of two of `UNIT_BYTES`; None where they cannot be coded so small."""
        if octave not in self.nodes:
            self.nodes[octave] = self._made(octave)
        return self.nodes[octave]

    def _octave(self, data_bytes: int) -> float:
        return 0.0 if self.by_rate else max(log2(max(data_bytes, 1) / UNIT_BYTES), LEAST_OCTAVE)

    def _made(self, octave: float) -> Node | None:
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
    """What each way of losing blocks costs, as a share of all there is to lose.

    Args:
        patterns: bool (way, block), the blocks of `node` that are lost.
        weights: how likely each is (way,), which decides what is tried.
    """
    known = [np.frombuffer(key, bool) for key in node.damages]
    tried = np.array(known) if len(known) >= PATTERNS else np.unique(_representatives(patterns, weights), axis=0)
    found = np.array([_damage(node, pattern, evidence) for pattern in tried])
    distance = np.abs(np.cumsum(patterns, axis=1)[:, None] - np.cumsum(tried, axis=1)[None]).sum(axis=2)
    return found[distance.argmin(axis=1)]


def _representatives(patterns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Up to `PATTERNS` of them: even steps through their weights, in the order of where losses begin."""
    order = np.lexsort(patterns.T[::-1])[::-1]
    passed = np.cumsum(weights[order])
    steps = (np.arange(PATTERNS) + 0.5) / PATTERNS * passed[-1]
    return patterns[order[np.searchsorted(passed, steps).clip(max=len(order) - 1)]]


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
