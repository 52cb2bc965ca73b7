"""Modulation and code rate from an SNR: a table of thresholds, and where to begin.

A coding's threshold is the lowest SNR in whole decibels at which a transport
block of the length at hand gets through white noise with an error rate of at
most `target_bler`. It belongs to the code and not to a scenario, so it is
found once, on noise of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import Protocol

import numpy as np
import torch

from semlink.errors import Infeasible
from semlink.link.chain.interactive import probe
from semlink.link.chain.transmit import Link, over_the_air
from semlink.link.schemes.digital.mcs_search import efficiency
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.block_coding import LdpcCoding
from semlink.phy.effective_snr import HIGHEST_DB, LOWEST_DB, quantised, weakest_snr_db
from semlink.phy.qam import demap, map_bits
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr, to_db

__all__ = ["Ladder", "Studio", "pick", "starting_snr_db", "threshold_ladder", "threshold_snr_db"]

Ladder = tuple[tuple[str, int], ...]
"""Codings by rising efficiency, each with its threshold in dB; thresholds rise too."""

ERRORS_AT_TARGET = 12
"""Blocks are tried until so many would be lost at the target; 128 at least, 2048 at most."""
DRAWS = 128
"""Looks at the channel before the run."""
START_OUTAGE = 0.1
"""How often the first groups, of which nothing is known, may meet a weaker channel than they are sent for."""
_ROOT = 38214  # of the noise that thresholds are found on
_HEADROOM_DB = 2.0  # where the search begins: so far above the SNR whose capacity is the efficiency


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


def pick(ladder: Ladder, snr_db: float) -> str:
    """The most efficient coding whose threshold `snr_db` meets; the most robust one where none does."""
    met = [name for name, threshold in ladder if threshold <= snr_db]
    return met[-1] if met else ladder[0][0]


@lru_cache(maxsize=4096)
def threshold_snr_db(coding: LdpcCoding, symbols: int, target_bler: float) -> int | None:
    """The threshold of a transport block of `symbols` channel uses; None beyond the range of reports."""
    blocks = min(max(ceil(ERRORS_AT_TARGET / target_bler), 128), 2048)
    snr_db = ceil(to_db(2 ** efficiency(coding) - 1) + _HEADROOM_DB)
    while snr_db <= HIGHEST_DB and block_error_rate(coding, symbols, snr_db, blocks) > target_bler:
        snr_db += 1
    while snr_db > LOWEST_DB and block_error_rate(coding, symbols, snr_db - 1, blocks) <= target_bler:
        snr_db -= 1
    return snr_db if snr_db <= HIGHEST_DB else None


@lru_cache(maxsize=16384)
def block_error_rate(coding: LdpcCoding, symbols: int, snr_db: float, blocks: int) -> float:
    """Share of `blocks` single transport blocks of `symbols` channel uses that are lost in white noise."""
    seeds = Seeds(_ROOT, (0,), symbols)
    room = coding.room_of(symbols)
    block = coding.transport_block(room, symbols)
    data = np.frombuffer(seeds.numpy("link/thresholds").bytes(blocks * room), np.uint8).reshape(blocks, room)
    coded = block.encode(np.unpackbits(data, axis=1))
    return 1 - float(block.decode(_noisy_llr(coded, coding.bits_per_symbol, snr_db, seeds)).ok.mean())


def _noisy_llr(coded: np.ndarray, bits_per_symbol: int, snr_db: float, seeds: Seeds) -> np.ndarray:
    iq = map_bits(coded, bits_per_symbol)
    heard = Awgn()(torch.from_numpy(iq.reshape(1, -1)), snr_db, seeds).iq.numpy().reshape(iq.shape)
    return demap(heard, noise_var_from_snr(snr_db), bits_per_symbol)


class Studio(Protocol):
    """The part of a rehearsal that looks at the channel: the link, a root seed and the mean SNR."""

    @property
    def link(self) -> Link: ...

    @property
    def root(self) -> int: ...

    @property
    def snr_db(self) -> float: ...


def starting_snr_db(rehearsal: Studio, uses: int, outage: float = START_OUTAGE) -> int:
    """The SNR that a burst of `uses` symbols on the scenario's channel falls short of with chance `outage`.

    Both ends know the mean SNR and the channel's law, and nothing else before
    the first report.
    """
    measured = sorted(_measured(rehearsal, uses, draw) for draw in range(DRAWS))
    return quantised(measured[int(outage * DRAWS)])


def _measured(rehearsal: Studio, uses: int, draw: int) -> float:
    seeds = Seeds(rehearsal.root, (0,), 5000 + draw)
    received = over_the_air(rehearsal.link, probe(uses), rehearsal.snr_db, seeds)[1]
    return weakest_snr_db(received.noise_var)
