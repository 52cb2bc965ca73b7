"""Unit conversions: the only place where decibels and ratios meet."""

from __future__ import annotations

import math


def from_db(value_db: float) -> float:
    """A power ratio from decibels."""
    return 10.0 ** (value_db / 10.0)


def to_db(ratio: float) -> float:
    """Decibels from a power ratio; minus infinity for zero."""
    return 10.0 * math.log10(ratio) if ratio > 0 else -math.inf


def noise_var_from_snr(snr_db: float) -> float:
    """Noise variance E|w|^2 per complex channel use at unit signal power.

    Es/N0 = 1 / E|w|^2; half of the variance falls into each real dimension.
    """
    return from_db(-snr_db)
