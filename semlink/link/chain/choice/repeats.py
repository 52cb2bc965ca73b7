"""The coding of a scheme that repeats what failed: tried over the real chain, since repeats mend most losses."""

from __future__ import annotations

from collections.abc import Mapping

from semlink.blocks import CodingBase
from semlink.link.chain.choice.evidence import Evidence
from semlink.link.chain.choice.mcs_search import likely_deliveries
from semlink.payload import Agreement
from semlink.phy.coding.block_coding import efficiency

DELIVERIES = (0.99, 0.8, 0.5, 0.2)
"""Shares of first transmissions for which the most efficient coding is tried."""


def best_with_repeats(
    codings: Mapping[str, CodingBase], uses: int, agreements: Mapping[str, Agreement], evidence: Evidence
) -> str:
    """The name of the coding with the best quality among a few that arrive surely, mostly, or now and then.

    Raises:
        Infeasible: `uses` symbols of a first burst carry no transport block with any of them.
    """
    shares = likely_deliveries(codings, uses, evidence)
    tried = sorted({_boldest(shares, codings, share) for share in DELIVERIES})
    return max(tried, key=lambda name: evidence.quality(agreements[name]))


def _boldest(shares: Mapping[str, float], codings: Mapping[str, CodingBase], share: float) -> str:
    """The most efficient coding that arrives whole in `share` of all bursts; else the surest."""
    enough = [name for name in shares if shares[name] >= share]
    return max(enough, key=lambda n: efficiency(codings[n])) if enough else max(shares, key=lambda n: shares[n])
