"""The coding of a scheme that repeats what failed.

A scheme that says how it repeats is judged by the model of the link, each
lost block followed to its last repeat. Others, and those whose receiver's word
about its noise does not hold, are tried over the real chain.
"""

from __future__ import annotations

from collections.abc import Mapping

from semlink.blocks import CodingBase
from semlink.feedback import Repeats
from semlink.link.chain.choice.contenders import contenders
from semlink.link.chain.choice.damage import Worth
from semlink.link.chain.choice.evidence import Evidence
from semlink.link.chain.choice.mcs_search import likely_deliveries, orders, reference, settled
from semlink.link.chain.choice.receivers_word import is_believable
from semlink.link.chain.choice.repeated import repeated
from semlink.payload import Agreement
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.error_curves.fades import Fades

DELIVERIES = (0.99, 0.8, 0.5, 0.2)
"""Shares of first transmissions for which the most efficient coding is tried."""


def best_by_model(
    codings: Mapping[str, CodingBase],
    uses: int,
    agreements: Mapping[str, Agreement],
    evidence: Evidence,
    repeats: Repeats,
) -> str | None:
    """The name of the coding that gives the best quality on average; None where the receiver's word does not hold.

    Args:
        uses: symbols of the first burst.
        agreements: under which each coding would be used with the first burst alone.
        evidence: of the scheme with the first burst alone.
    Raises:
        Infeasible: `uses` symbols carry no transport block with any of them.
    """
    firsts = contenders(codings, uses)
    known = reference(codings)
    worth = Worth(known, codings[known], agreements, evidence, uses, by_rate=repeats.uses is None)
    longest = uses * repeats.transmissions if repeats.uses is None else max(repeats.uses, uses)
    fades = Fades(longest, orders(codings.values()))
    choice = settled([repeated(c, repeats) for c in firsts], fades, worth, 0.0)
    first = next(c for c in firsts if c.name == choice.name).measured()
    return choice.name if is_believable(firsts, first, fades, evidence) else None


def best_by_trials(
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
