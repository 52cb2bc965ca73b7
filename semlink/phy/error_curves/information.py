"""What a symbol carries at its SNR, and the SNR at which all symbols alike would carry as much.

A block whose symbols differ in quality is judged by the mean of what each bit
of them tells (the mutual information of bit-interleaved coded modulation); the
SNR in white noise with the same mean is its effective SNR, and the block error
curve over white noise is read there.

    I = mean of J(1 / noise_var),   effective snr = J^-1(I)

Source: [caire1998, section III] for J; [brueninghaus2005, section III] for the mapping.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from semlink.phy.capacity import bicm_capacities

LOWEST_DB, HIGHEST_DB, STEP_DB = -30.0, 40.0, 0.01
_KNOTS_DB = 1.0


@lru_cache(maxsize=16)
def information_table(bits_per_symbol: int) -> np.ndarray:
    """Bits that a symbol tells at SNRs from `LOWEST_DB` in steps of `STEP_DB`: float32 (steps,), never falling."""
    knots = np.arange(LOWEST_DB, HIGHEST_DB + _KNOTS_DB, _KNOTS_DB)
    snr = 10 ** (knots / 10)
    told = bicm_capacities(2, 2 * snr) / 2 if bits_per_symbol == 1 else bicm_capacities(bits_per_symbol, snr)
    fine = PchipInterpolator(knots, np.maximum.accumulate(told))(_grid_db())
    return np.maximum.accumulate(fine).astype(np.float32)


def grid_index(noise_var: np.ndarray) -> np.ndarray:
    """Where in the tables symbols of gain 1 with these noise variances stand: int32 of the same shape."""
    with np.errstate(divide="ignore"):
        return _place(-10 * np.log10(noise_var))


def information(snr_db: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """Bits that a symbol tells at SNRs in dB of any shape."""
    return information_table(bits_per_symbol)[_place(snr_db)]


def effective_snr_db(bits: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    """The SNR in dB at which a symbol tells `bits` bits: the way back, of any shape."""
    return np.interp(bits, *_way_back(bits_per_symbol))


@lru_cache(maxsize=16)
def _way_back(bits_per_symbol: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits, rising, and the SNRs in dB at which they are told."""
    table = information_table(bits_per_symbol).astype(float)
    rising = np.flatnonzero(np.diff(table, prepend=-1.0) > 0)
    return table[rising], _grid_db()[rising]


def _place(snr_db: np.ndarray) -> np.ndarray:
    place = (np.clip(snr_db, LOWEST_DB, HIGHEST_DB) - LOWEST_DB) / STEP_DB
    return (place + 0.5).astype(np.int32)


def _grid_db() -> np.ndarray:
    return LOWEST_DB + STEP_DB * np.arange(round((HIGHEST_DB - LOWEST_DB) / STEP_DB) + 1)
