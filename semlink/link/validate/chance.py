"""Intervals of what was counted and averaged: one of 95 % to show, and a far wider one to judge by.

A verdict that says `differs` where nothing is wrong has a chance of at most 1e-6 an entry: a run of
a thousand entries cries wolf once in a thousand seeds.
"""

from __future__ import annotations

import math
from zlib import crc32

import numpy as np
from scipy import stats

from semlink.link.validate.entry import Bench, Found, Measure
from semlink.seeds import Seeds

__all__ = ["SHOWN", "SURE", "averaged", "counted", "quantile", "seeds_of"]

SHOWN, SURE = 0.05, 1e-6
"""What the two intervals may miss."""


def seeds_of(bench: Bench, measure: Measure, clips: int = 1) -> Seeds:
    """Streams of a measurement's own: they follow from the seed and its parameters, not from what else is run."""
    root = np.random.SeedSequence([bench.seed, crc32(repr(measure).encode())]).generate_state(1)[0]
    return Seeds(int(root), tuple(range(clips)))


def counted(hits: float, of: float, words: str = "", *, together: float = 1.0) -> Found:
    """A share, by Clopper and Pearson.

    Args:
        together: as many fall together as if they were one, such as bits of a symbol.
    Source: [clopper1934].
    """
    limits = [_share_limits(hits / together, of / together, error) for error in (SHOWN, SURE)]
    return Found(hits / of, *limits[0], *limits[1], words or f"{hits:,.0f} of {of:,.0f}")


def _share_limits(hits: float, of: float, error: float) -> tuple[float, float]:
    low = float(stats.beta.ppf(error / 2, hits, of - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.ppf(1 - error / 2, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def averaged(values: np.ndarray, words: str = "") -> Found:
    """The mean of independent draws, by Student."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    shown, sure = (float(stats.t.isf(miss / 2, len(values) - 1)) * error for miss in (SHOWN, SURE))
    return Found(mean, mean - shown, mean + shown, mean - sure, mean + sure, words or f"{len(values):,} draws")


def quantile(values: np.ndarray, share: float, words: str = "") -> Found:
    """What a `share` of draws lies below, with the order statistics around it as limits.

    Source: [david2003, sec. 7.1].
    """
    ordered = np.sort(values)

    def at(rank: float) -> float:
        place = int(rank)
        return float(ordered[min(place, len(ordered) - 1)]) if place >= 0 else -math.inf

    def around(error: float) -> tuple[float, float]:
        low, high = stats.binom.ppf([error / 2, 1 - error / 2], len(ordered), share)
        return at(low - 1), at(high) if high < len(ordered) else math.inf

    middle = at(math.ceil(share * len(ordered)) - 1)
    return Found(middle, *around(SHOWN), *around(SURE), words or f"{len(ordered):,} draws")
