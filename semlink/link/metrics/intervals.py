"""Confidence intervals of means and of shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def t_halfwidth(values: Sequence[float]) -> float:
    """Half width of the 95 % interval of the mean of independent values; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan")
    from scipy.special import stdtrit

    scale = stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2) / len(values) ** 0.5
    return float(np.std(values, ddof=1) * scale)


def wilson(failures: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of an error rate. Source: [wilson1927, p. 209]."""
    if total == 0:
        return float("nan"), float("nan")
    z2 = 1.959963984540054**2
    p = failures / total
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = (z2 * (p * (1 - p) / total + z2 / (4 * total**2))) ** 0.5 / (1 + z2 / total)
    low = 0.0 if failures == 0 else max(middle - half, 0.0)
    high = 1.0 if failures == total else min(middle + half, 1.0)
    return low, high
