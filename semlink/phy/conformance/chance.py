"""How far a right channel strays by chance, so that the checks wrong it less than once in ten thousand looks.

Every check of chance has the level `LEVEL`, shared among all that it looks at; what fails is drawn once
more from other seeds, and only what fails twice is reported.
"""

from __future__ import annotations

import math

import torch
from scipy import stats

LEVEL = 1e-4
ENOUGH = 0.1 / 6.6
"""Standard error, relative, at which an error of 10 % is found with chance 0.99 at `LEVEL`."""


def sigmas(looks: int = 1) -> float:
    """Standard errors that the largest of `looks` normal values exceeds with chance `LEVEL`."""
    return float(stats.norm.isf(LEVEL / 2 / looks))


def least_chance(looks: int = 1) -> float:
    """The p-value below which a test fails, one of `looks`."""
    return LEVEL / looks


def mean_and_reach(values: torch.Tensor, looks: int = 1) -> tuple[float, float]:
    """Mean of independent `values` (m,), and how far from the truth it may be by chance.

    Skewed values reach further: a mean that misses the few large ones also underestimates their spread.
    Source: [johnson1978, sec. 2].
    """
    values = values.double().flatten()
    num = len(values)
    if num < 2:
        return (float(values.mean()) if num else math.nan), math.inf
    mean, spread = float(values.mean()), float(values.std())
    if spread == 0:
        return mean, 0.0
    z = sigmas(looks)
    skew = abs(float(((values - mean) / spread).pow(3).mean()))
    return mean, (z + skew * (2 * z**2 + 1) / (6 * math.sqrt(num))) * spread / math.sqrt(num)


def share_limit(looks: int) -> float:
    """What the largest of `looks` values of `correlation_at_lags` exceeds with chance `LEVEL`, real noise included."""
    return 2 * math.log(2 * looks / LEVEL)


def correlation_at_lags(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """|sum a_t b*_(t-lag)|^2 over sum |a_t|^2 |b_(t-lag)|^2, rows added: float64 (lag,).

    About exponential of mean 1 where `a` and `b` (row, n) are unrelated, whatever their power does over time;
    n / 2 or more where they are the same. Lags 0 .. n - 1, then those below zero, -1 last.
    """
    size = 2 * a.shape[-1]
    sums = _correlated(a.to(torch.complex128), b.to(torch.complex128), size)
    scale = _correlated(a.abs().double().square(), b.abs().double().square(), size).real
    floor = 1e-9 * float(scale.max()) + 1e-300
    return sums.abs().square() / scale.clamp(min=floor)


def most_alike(rows: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
    """The largest of `correlation_at_lags` of `one` (n,) with each row (row, n): (row,)."""
    size = 2 * rows.shape[-1]
    a, b = rows.to(torch.complex128), one.to(torch.complex128)
    sums = torch.fft.ifft(torch.fft.fft(a, size) * torch.fft.fft(b, size).conj())
    powers = a.abs().square(), b.abs().square()
    scale = torch.fft.ifft(torch.fft.fft(powers[0], size) * torch.fft.fft(powers[1], size).conj()).real
    return (sums.abs().square() / scale.clamp(min=1e-9 * float(scale.max()) + 1e-300)).amax(1)


def _correlated(a: torch.Tensor, b: torch.Tensor, size: int) -> torch.Tensor:
    product = torch.fft.fft(a, size) * torch.fft.fft(b, size).conj()
    return torch.fft.ifft(product.sum(0))


def alike(a: torch.Tensor, b: torch.Tensor) -> float:
    """The value of `correlation_at_lags` at lag 0, of all entries."""
    a, b = a.flatten().to(torch.complex128), b.flatten().to(torch.complex128)
    scale = float((a.abs() * b.abs()).square().sum())
    return float((a * b.conj()).sum().abs()) ** 2 / scale if scale > 0 else 0.0
