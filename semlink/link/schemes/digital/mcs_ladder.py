"""Modulation and code rate from an SNR: a table of thresholds.

A coding's threshold is the lowest SNR in whole decibels at which a transport
block of the length at hand gets through white noise with an error rate of at
most `target_bler`. It belongs to the code and not to a scenario, so it is
found once, on noise of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from semlink.errors import Infeasible
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.snr_thresholds import ERRORS_AT_TARGET, MOST_BLOCKS, blocks_tried, threshold_snr_db

__all__ = ["Ladder", "pick", "threshold_doubts", "threshold_ladder", "threshold_snr_db"]

Ladder = tuple[tuple[str, int], ...]
"""Codings by rising efficiency, each with its threshold in dB; thresholds rise too."""


def threshold_ladder(codings: Mapping[str, LdpcCoding], uses: int, target_bler: float) -> Ladder:
    """The codings worth having for bursts of `uses` symbols; none needs more SNR than a more efficient one.

    Raises:
        Infeasible: none of them can carry a transport block in `uses` symbols.
    """
    steps: list[tuple[str, int]] = []
    for name in sorted(codings, key=lambda n: efficiency(codings[n]), reverse=True):
        try:
            symbols = codings[name].cuts(uses)[0].symbols
        except Infeasible:
            continue
        threshold = threshold_snr_db(codings[name], symbols, target_bler)
        if threshold is not None and (not steps or threshold < steps[-1][1]):
            steps.append((name, threshold))
    if not steps:
        raise Infeasible(f"{uses} channel uses carry no transport block with any modulation and rate on offer")
    return tuple(reversed(steps))


def threshold_doubts(target_bler: float) -> tuple[str, ...]:
    """A line where thresholds rest on few lost blocks, and on how many they do."""
    lost = target_bler * blocks_tried(target_bler)
    if lost >= ERRORS_AT_TARGET:
        return ()
    return (
        f"coding.target_bler: {target_bler:g}: thresholds rest on {MOST_BLOCKS} blocks for each coding and SNR, of "
        f"which {lost:.0f} may be lost; that takes about a minute before the first point of each budget, and "
        f"{ERRORS_AT_TARGET / MOST_BLOCKS:.1g} or more rests on {ERRORS_AT_TARGET} lost blocks",
    )


def pick(ladder: Ladder, snr_db: float) -> str:
    """The most efficient coding whose threshold `snr_db` meets; the most robust one where none does."""
    met = [name for name, threshold in ladder if threshold <= snr_db]
    return met[-1] if met else ladder[0][0]
