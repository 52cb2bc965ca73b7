"""The SNR at which a coding reaches a block error rate, measured with its own decoder."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
import torch

from semlink.feedback import HIGHEST_DB, LOWEST_DB
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.qam import map_bits
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr, to_db

ERRORS_AT_TARGET = 12
"""Blocks are tried until so many would be lost at the target; 128 at least, 2048 at most."""


_ROOT = 38214  # of the noise that thresholds are found on


_HEADROOM_DB = 2.0  # where the search begins: so far above the SNR whose capacity is the efficiency


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
    room = coding.block_size_of(symbols)
    block = coding.transport_block(room, symbols)
    data = np.frombuffer(seeds.numpy("link/thresholds").bytes(blocks * room), np.uint8).reshape(blocks, room)
    coded = block.encode(np.unpackbits(data, axis=1))
    return 1 - float(block.decode(_noisy_llr(coded, coding, snr_db, seeds)).ok.mean())


def _noisy_llr(coded: np.ndarray, coding: LdpcCoding, snr_db: float, seeds: Seeds) -> np.ndarray:
    iq = map_bits(coded, coding.bits_per_symbol)
    heard = Awgn()(torch.from_numpy(iq.reshape(1, -1)), snr_db, seeds).iq.numpy().reshape(iq.shape)
    return coding.soft_bits(heard, noise_var_from_snr(snr_db))
