"""Units: the only place where decibels and ratios meet, and times as one says them."""

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


def in_words(seconds: float) -> str:
    """A time as one says it, without digits that nobody knows: `40 s`, `3 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s" if seconds < 20 else f"{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 600:
        hours, rest = divmod(round(minutes / 5) * 5, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(minutes / 60)} h"
