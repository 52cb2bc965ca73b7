"""The quality that a coding gives on average in each draw of the channel.

In one draw blocks are lost independently of each other. None lost, and each
one alone, are counted with their exact chances; of two and more, one way of
losing them is drawn, with the same chance for all codings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink.link.chain.choice.contenders import Contender
from semlink.link.chain.choice.damage import Node, Worth, damages
from semlink.link.chain.choice.evidence import Evidence
from semlink.phy.error_curves.fades import Fades

NEVER = 1e-7


@dataclass(frozen=True, slots=True)
class Ways:
    """How a contender loses blocks.

    Attributes:
        alone: chance of each block to be the only one lost (draw, block).
        alone_as, several_as: the same losses in blocks of the node: (block, node block), (draw, node block).
        several: chance of two and more (draw,).
    """

    alone: np.ndarray
    several: np.ndarray
    alone_as: np.ndarray
    several_as: np.ndarray


def expected_db(
    rivals: Sequence[Contender], fades: Fades, offset_db: float, worth: Worth, chance: np.ndarray
) -> np.ndarray:
    """Mean quality in dB of each contender in each draw: (contender, draw); minus infinity where nothing fits.

    Draws are the SNRs that those of the channel stand for (`Fades.per_draw`). A contender that would not be the best
    if any loss short of all cost nothing, against one of which any cost all, has that quality: nothing is tried for it.

    Args:
        chance: uniform on [0, 1), (draw, SLOTS), the same for all contenders. Where the channel stands still, its
            one draw counts as so many.
    """
    losses = [rival.losses(fades, offset_db) for rival in rivals]
    clean, least = _clean(rivals, losses, worth)
    quality = np.repeat(clean[:, None], len(chance), axis=1)
    nodes = {
        number: node
        for number in range(len(rivals))
        if np.isfinite(clean[number]) and (node := worth.node_for(rivals[number].data_bytes)) is not None
    }
    lost = {n: np.broadcast_to(losses[n], (len(chance), losses[n].shape[1])) for n in nodes}
    stakes = {n: max(clean[n] - node.gone_db, 0.0) for n, node in nodes.items()}
    highest = {n: quality[n] - lost[n].prod(axis=1) * stakes[n] for n in nodes}
    by_node: dict[int, list[int]] = {}
    for n, node in nodes.items():
        if highest[n].mean() < least:
            quality[n] = highest[n]
        else:
            by_node.setdefault(id(node), []).append(n)
    for numbers in by_node.values():
        node = nodes[numbers[0]]
        ways = [ways_to_lose(rivals[n], lost[n], node, chance) for n in numbers]
        for n, share in zip(numbers, _shares_lost(node, ways, worth.evidence), strict=True):
            quality[n] -= share * stakes[n]
    return quality


def _clean(rivals: Sequence[Contender], losses: Sequence[np.ndarray], worth: Worth) -> tuple[np.ndarray, float]:
    """Quality in dB of each contender without losses, and the best mean quality that is sure to be reached.

    Clips too small to read anything between are coded as they are, the most hopeful first. Those that would not reach
    what others surely do, were they as good as the smallest that was tried, count as these.
    """
    clean = worth.clean_db([c.data_bytes for c in rivals])
    known, small = np.flatnonzero(~np.isnan(clean)).tolist(), np.flatnonzero(np.isnan(clean)).tolist()
    least = max([_surely(clean[n], rivals[n], losses[n], worth) for n in known], default=-np.inf)
    for highest, n in sorted(((_at_most(rivals[n], losses[n], worth), n) for n in small), reverse=True):
        if highest < least:
            clean[n] = worth.smallest_db
        else:
            clean[n] = worth.small_db(rivals[n].name)
            least = max(least, _surely(clean[n], rivals[n], losses[n], worth))
    return clean, least


def _surely(clean_db: float, rival: Contender, losses: np.ndarray, worth: Worth) -> float:
    """Its mean quality in dB if any loss cost all there is; minus infinity if that is not known."""
    node = worth.node_for(rival.data_bytes)
    if node is None or not np.isfinite(clean_db):
        return -np.inf
    whole = float((1 - losses).prod(axis=1).mean())
    return clean_db - (1 - whole) * max(clean_db - node.gone_db, 0.0)


def _at_most(rival: Contender, losses: np.ndarray, worth: Worth) -> float:
    """Its mean quality in dB if it were clean as the smallest clips are, and any loss short of all cost nothing."""
    node = worth.node_for(rival.data_bytes)
    if node is None or not np.isfinite(worth.smallest_db):
        return np.inf
    return worth.smallest_db - float(losses.prod(axis=1).mean()) * max(worth.smallest_db - node.gone_db, 0.0)


def ways_to_lose(contender: Contender, losses: np.ndarray, node: Node, chance: np.ndarray) -> Ways:
    """From the chances of single blocks (draw, block) to those of what is lost together."""
    kept = 1 - np.minimum(losses, 1 - 1e-12)
    none = kept.prod(axis=1)
    alone = none[:, None] * (1 - kept) / kept
    several = np.clip(1 - none - alone.sum(axis=1), 0, 1)
    middles, drawn = contender.middles, chance[:, contender.slots] < losses
    few = drawn.sum(axis=1) < 2
    if losses.shape[1] > 1 and few.any():
        likeliest = np.argpartition(losses[few], -2, axis=1)[:, -2:]
        drawn[np.flatnonzero(few)[:, None], likeliest] = True
    return Ways(
        alone, several, _on_node(np.eye(len(middles), dtype=bool), middles, node), _on_node(drawn, middles, node)
    )


def _on_node(lost: np.ndarray, middles: np.ndarray, node: Node) -> np.ndarray:
    """Lost blocks (way, block) as those of the node that lie in the same places: (way, node block)."""
    own = np.concatenate(([0.0], (middles[1:] + middles[:-1]) / 2, [1.0]))
    places = (node.edges[1:] + node.edges[:-1]) / 2
    under = np.clip(np.searchsorted(own, places) - 1, 0, len(middles) - 1)
    out = lost[:, under]
    above = np.clip(np.searchsorted(node.edges, middles) - 1, 0, node.num_blocks - 1)
    rows, blocks = np.nonzero(lost & ~np.any(out, axis=1, keepdims=True))
    out[rows, above[blocks]] = True
    return out


def _distinct(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ (distinct, block), and which of them each row is (row,)."""
    if patterns.shape[1] > 62:
        distinct, number = np.unique(patterns, axis=0, return_inverse=True)
        return distinct, number.ravel()
    words = patterns @ (1 << np.arange(patterns.shape[1])[::-1])  # numbers are sorted much faster than rows
    _, first, number = np.unique(words, return_index=True, return_inverse=True)
    return patterns[first], number


def _shares_lost(node: Node, ways: Sequence[Ways], evidence: Evidence) -> list[np.ndarray]:
    """What each contender loses on average in each draw, as shares of all there is to lose: (draw,) each."""
    patterns = np.concatenate([part for way in ways for part in (way.alone_as, way.several_as)])
    weights = np.concatenate(
        [part for way in ways for part in (way.alone.mean(axis=0), way.several / len(way.several))]
    )
    distinct, number = _distinct(patterns)
    total = np.bincount(number, weights, len(distinct))
    if total.sum() < NEVER:
        return [np.zeros(len(way.several)) for way in ways]
    likely = total > 0
    cost = np.ones(len(distinct))
    cost[likely] = damages(node, distinct[likely], total[likely], evidence)
    each, start, out = cost[number], 0, []
    for way in ways:
        alone, several = np.split(each[start : start + len(way.alone_as) + len(way.several)], [len(way.alone_as)])
        out.append(way.alone @ alone + way.several * several)
        start += len(way.alone_as) + len(way.several)
    return out
