"""Which modulation and code rate to agree on, found by calibration.

The choice is made before the run, on noise of its own: first each modulation
sends random bytes at rates found by bisection, which tells the highest rate
that arrives surely, mostly, or in half of the transmissions; then the few that
may win send the clips, and the best mean quality is taken.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from semlink.blocks import Calibration, CodingBase
from semlink.errors import Infeasible
from semlink.phy.coding.block_coding import efficiency
from semlink.units import from_db

DELIVERIES = (0.99, 0.9, 0.8, 0.65, 0.5)
"""Shares of whole transmissions for which the most efficient coding is sought.

Over white noise all come to nearly the same coding. In fading they lie far apart, and which of them
gives the best picture on average changes with the SNR.
"""

SENT_FIRST = 24
SENT_IN_ALL = 200
"""Transmissions of random bytes while a rate is sought, and for those that may be chosen."""

GAIN_ALLOWED = 4.0
"""Codings above the capacity at this many times the SNR are not tried at all."""


def best_choice(
    codings: Mapping[str, CodingBase],
    uses: int,
    snr_db: float,
    quality: Callable[[str, float], float],
    calibration: Calibration,
    *,
    deliveries: Sequence[float] = DELIVERIES,
) -> str:
    """The name of the coding that gives the best quality in calibration.

    Raises:
        Infeasible: `uses` carries no transport block with any of them.
    """
    contenders = _contenders(codings, uses, snr_db, calibration, deliveries)
    if len(contenders) == 1:
        return next(iter(contenders))
    return max(contenders, key=lambda name: quality(name, contenders[name]))


def _contenders(
    codings: Mapping[str, CodingBase], uses: int, snr_db: float, calibration: Calibration, deliveries: Sequence[float]
) -> dict[str, float]:
    """For each share of delivery the most efficient coding, one step below the sure one, and their deliveries."""
    known: dict[tuple[str, int], float] = {}

    def delivery(name: str, transmissions: int = SENT_FIRST) -> float:
        if (name, transmissions) not in known:
            known[name, transmissions] = _delivery(codings[name], uses, transmissions, calibration)
        return known[name, transmissions]

    ladders = _ladders(codings, snr_db)
    chosen: dict[str, float] = {}
    for share in deliveries:
        tops = [(ladder, _highest(ladder, share, delivery)) for ladder in ladders]
        found = [(ladder, top) for ladder, top in tops if top is not None]
        if found:
            ladder, top = max(found, key=lambda pair: efficiency(codings[pair[0][pair[1]]]))
            if share == deliveries[0]:
                top = _proven(ladder, top, share, delivery)
                chosen[ladder[max(top - 1, 0)]] = 1.0
            chosen[ladder[top]] = delivery(ladder[top], SENT_IN_ALL)
    if chosen:
        return chosen
    best, _ = max(known, key=lambda key: (known[key], -efficiency(codings[key[0]])))
    if known[best, SENT_FIRST] < 0:
        raise Infeasible(f"{uses} channel uses carry no transport block with any modulation and rate on offer")
    return {best: known[best, SENT_FIRST]}


def _proven(ladder: Sequence[str], top: int, share: float, delivery: Callable[[str, int], float]) -> int:
    """The first step from `top` downwards that also delivers `share` of many transmissions."""
    while top > 0 and delivery(ladder[top], SENT_IN_ALL) < share:
        top -= 1
    return top


def _ladders(codings: Mapping[str, CodingBase], snr_db: float) -> list[list[str]]:
    """For each modulation its codings by rising rate, without those far above capacity."""
    ceiling = math.log2(1 + GAIN_ALLOWED * from_db(snr_db))
    lowest = min(codings, key=lambda name: efficiency(codings[name]))
    ladders: dict[int, list[str]] = defaultdict(list)
    for name in sorted(codings, key=lambda n: codings[n].code_rate):
        if efficiency(codings[name]) <= ceiling or name == lowest:
            ladders[codings[name].bits_per_symbol].append(name)
    return list(ladders.values())


def _highest(ladder: Sequence[str], share: float, delivery: Callable[[str], float]) -> int | None:
    """The highest step of a ladder that delivers `share`, taking delivery to fall with the rate.

    A step too short for any transport block (delivery -1) counts as too low.
    """
    low, high = -1, len(ladder)
    while high - low > 1:
        middle = (low + high) // 2
        found = delivery(ladder[middle])
        low, high = (middle, high) if found >= share or found < 0 else (low, middle)
    return low if low >= 0 and delivery(ladder[low]) >= share else None


def _delivery(coding: CodingBase, uses: int, transmissions: int, calibration: Calibration) -> float:
    try:
        return calibration.delivery(coding, uses, transmissions)
    except Infeasible:
        return -1.0
