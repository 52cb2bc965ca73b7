"""Which modulation and code rate to agree on, found by rehearsal.

The choice is made before the run, on noise of its own: first each candidate
sends random bytes, which tells how often a whole transmission arrives; then
the few that may win send the clips, and the best mean quality is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from semlink.blocks import Coding, Rehearsal
from semlink.errors import Infeasible
from semlink.units import from_db

SURE = 0.99
"""Delivery above which a more robust coding can only waste bits."""

HOPELESS = 0.2
"""Delivery below which a coding is not worth trying on clips."""

GAIN_ALLOWED = 4.0
"""Codings above the capacity at this many times the SNR are not tried at all."""

RISKY_TRIED = 3
SURE_TRIED = 2


def efficiency(coding: Coding) -> float:
    """Information bits a channel use, CRC included."""
    return coding.bits_per_symbol * coding.code_rate


def best_choice(
    codings: Mapping[str, Coding], uses: int, snr_db: float, quality: Callable[[str], float], rehearsal: Rehearsal
) -> str:
    """The name of the coding that gives the best rehearsed quality.

    Raises:
        Infeasible: `uses` carries no transport block with any of them.
    """
    contenders = _contenders(codings, uses, snr_db, rehearsal)
    if len(contenders) == 1:
        return contenders[0]
    return max(contenders, key=quality)


def _contenders(codings: Mapping[str, Coding], uses: int, snr_db: float, rehearsal: Rehearsal) -> list[str]:
    """The most efficient codings that surely arrive, and riskier ones above them."""
    sure: list[str] = []
    risky: list[tuple[float, str]] = []
    fallback: list[tuple[float, str]] = []
    ceiling = math.log2(1 + GAIN_ALLOWED * from_db(snr_db))
    for name in sorted(codings, key=lambda n: efficiency(codings[n]), reverse=True):
        if efficiency(codings[name]) > ceiling:
            continue
        try:
            delivery = rehearsal.delivery(codings[name], uses)
        except Infeasible:
            continue
        fallback.append((delivery, name))
        if delivery >= SURE:
            sure.append(name)
        if len(sure) == SURE_TRIED:
            break
        if sure:
            continue
        if delivery >= HOPELESS:
            risky.append((delivery * efficiency(codings[name]), name))
    if not fallback:
        raise Infeasible(f"{uses} channel uses carry no transport block with any modulation and rate on offer")
    return [*_spread(risky), *sure] or [max(fallback)[1]]


def _spread(risky: list[tuple[float, str]]) -> list[str]:
    """The candidates with the highest expected throughput."""
    return [name for _, name in sorted(risky, reverse=True)[:RISKY_TRIED]]
