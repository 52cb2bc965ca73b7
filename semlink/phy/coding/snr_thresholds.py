"""The SNR at which a coding reaches a block error rate, measured with its own decoder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import ceil

import numpy as np
import torch

from semlink.feedback import HIGHEST_DB, LOWEST_DB
from semlink.phy.channels.awgn import Awgn
from semlink.phy.coding.block_coding import efficiency
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr, to_db

ERRORS_AT_TARGET = 12
LEAST_BLOCKS, MOST_BLOCKS = 128, 2048
"""Blocks are tried until so many would be lost at the target; fewer below a target of 0.6 %."""

_ROOT = 38214  # of the noise that thresholds are found on
_HEADROOM_DB = 2.0  # where the search begins: so far above the SNR whose capacity is the efficiency


_AT_ONCE = 128  # blocks that are decoded before it is asked whether the target is missed already


@lru_cache(maxsize=4096)
def threshold_snr_db(coding: LdpcCoding, symbols: int, target_bler: float) -> int | None:
    """The threshold of a transport block of `symbols` channel uses; None beyond the range of reports."""
    blocks = blocks_tried(target_bler)
    snr_db = ceil(to_db(2 ** efficiency(coding) - 1) + _HEADROOM_DB)
    while snr_db <= HIGHEST_DB and not _is_carried(coding, symbols, snr_db, blocks, target_bler):
        snr_db += 1
    while snr_db > LOWEST_DB and _is_carried(coding, symbols, snr_db - 1, blocks, target_bler):
        snr_db -= 1
    return snr_db if snr_db <= HIGHEST_DB else None


def blocks_tried(target_bler: float) -> int:
    """How many blocks a threshold rests on."""
    return min(max(ceil(ERRORS_AT_TARGET / target_bler), LEAST_BLOCKS), MOST_BLOCKS)


@lru_cache(maxsize=16384)
def _is_carried(coding: LdpcCoding, symbols: int, snr_db: float, blocks: int, target_bler: float) -> bool:
    """Whether no more than the target are lost; where far more are, few are decoded: lost ones take longest."""
    lost = 0
    for ok in _decoded(coding, symbols, snr_db, blocks):
        lost += int((~ok).sum())
        if 1 - (blocks - lost) / blocks > target_bler:
            return False
    return True


def block_error_rate(coding: LdpcCoding, symbols: int, snr_db: float, blocks: int) -> float:
    """Share of `blocks` single transport blocks of `symbols` channel uses that are lost in white noise."""
    return 1 - sum(int(ok.sum()) for ok in _decoded(coding, symbols, snr_db, blocks)) / blocks


def _decoded(coding: LdpcCoding, symbols: int, snr_db: float, blocks: int) -> Iterator[np.ndarray]:
    """Which blocks arrive, some at a time."""
    seeds = Seeds(_ROOT, (0,), symbols)
    room = coding.block_size_of(symbols)
    block = coding.transport_block(room, symbols)
    data = np.frombuffer(seeds.numpy("link/thresholds").bytes(blocks * room), np.uint8).reshape(blocks, room)
    iq = block.encode_symbols(np.unpackbits(data, axis=1))
    heard = Awgn()(torch.from_numpy(iq.reshape(1, -1)), snr_db, seeds).iq.numpy().reshape(iq.shape)
    for first in range(0, blocks, _AT_ONCE):
        some = heard[first : first + _AT_ONCE]
        yield block.decode_symbols(some, noise_var_from_snr(snr_db), demapper=coding.demapper).ok
