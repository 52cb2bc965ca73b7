"""How much a channel can carry at best: bits per complex channel use.

Every function takes the mean SNR as a ratio (E|x|^2 = 1, noise variance
1 / snr) and is pure. Receivers know the channel perfectly, transmitters only
its law: these are bounds for what no transmitter without feedback can beat.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import integrate, special, stats

from semlink.phy.validation import need, need_count, need_number

LOG2_E = math.log2(math.e)
_HERMITE_NODES = 48


def shannon(snr: float) -> float:
    """log2(1 + snr), the capacity of AWGN. Source: [shannon1948, theorem 17]."""
    need_number("shannon.snr", snr, low=0)
    return math.log2(1 + snr)


def erasure_capacity(snr: float, loss: float) -> float:
    """AWGN of which a share `loss` of the symbols never arrives, the receiver knowing which."""
    need_number("erasure_capacity.loss", loss, 0, 1)
    return (1 - loss) * shannon(snr)


def ergodic_capacity(snr: float, k: float = 0.0) -> float:
    """E[log2(1 + snr |h|^2)] over Rician fading with K-factor `k`, Rayleigh at 0.

    Rayleigh in closed form, e^(1/snr) E1(1/snr) log2 e; Rician by quadrature.
    Source: [goldsmith1997, sec. III and eq. (34)], side information at the receiver only.
    """
    need_number("ergodic_capacity.snr", snr, low=0)
    need_number("ergodic_capacity.k", k, low=0)
    if snr == 0:
        return 0.0
    if k == 0:
        return float(special.hyperu(1, 1, 1 / snr)) * LOG2_E
    law = gain_law(k)
    edges = law.ppf([0.0, 1e-3, 0.5, 0.999, 1 - 1e-15])
    parts = [
        integrate.quad(lambda g: math.log2(1 + snr * g) * law.pdf(g), low, high, epsabs=1e-11)[0]
        for low, high in zip(edges, edges[1:])
    ]
    return float(sum(parts))


def outage_probability(snr: float, rate: float, k: float = 0.0) -> float:
    """P(log2(1 + snr |h|^2) < `rate`) for a gain that stands still over the code word.

    Source: [tse2005, sec. 5.4.1].
    """
    need_number("outage_probability.snr", snr, low=0)
    need_number("outage_probability.rate", rate, low=0)
    if rate == 0:
        return 0.0
    return 1.0 if snr == 0 else float(gain_law(k).cdf((2**rate - 1) / snr))


def outage_capacity(snr: float, outage: float, k: float = 0.0) -> float:
    """The largest rate whose outage probability is at most `outage`. Source: [tse2005, sec. 5.4.1]."""
    need_number("outage_capacity.snr", snr, low=0)
    need_number("outage_capacity.outage", outage, 0, 1)
    need(outage < 1, "outage_capacity.outage", outage, "a probability below 1")
    return math.log2(1 + snr * float(gain_law(k).ppf(outage)))


def gain_law(k: float):
    """The law of |h|^2 with mean 1 under Rician fading of K-factor `k` (scipy distribution)."""
    need_number("gain_law.k", k, low=0)
    if k == 0:
        return stats.expon()
    return stats.ncx2(df=2, nc=2 * k, scale=1 / (2 * (k + 1)))


def cm_capacity(bits_per_symbol: int, snr: float) -> float:
    """Mutual information of uniform square QAM over AWGN, any labelling.

    Source: [ungerboeck1982, sec. III].
    """
    mean, _ = _qam_information(bits_per_symbol, snr)
    return mean


def bicm_capacity(bits_per_symbol: int, snr: float) -> float:
    """What bit-wise decoding of Gray-labelled square QAM can reach over AWGN.

    Source: [caire1998, sec. III].
    """
    _check_qam("bicm_capacity", bits_per_symbol, snr)
    if snr == 0:
        return 0.0
    levels, labels = gray_pam(bits_per_symbol // 2)
    nodes, weights = _noise()
    y = levels[:, None] + nodes * math.sqrt(0.5 / snr)  # (level, node)
    metric = -snr * (y[..., None] - levels) ** 2  # (level, node, candidate)
    total = special.logsumexp(metric, axis=-1)
    loss = 0.0
    for bits in labels.T:
        same = bits[:, None] == bits[None, :]  # (level, candidate)
        agree = special.logsumexp(np.where(same[:, None, :], metric, -np.inf), axis=-1)
        loss += float(np.mean((total - agree) @ weights)) * LOG2_E
    return 2 * (labels.shape[1] - loss)


def bicm_capacities(bits_per_symbol: int, snr: np.ndarray) -> np.ndarray:
    """`bicm_capacity` at many SNRs above 0 at once: (n,) to (n,)."""
    levels, labels = gray_pam(bits_per_symbol // 2)
    nodes, weights = _noise()
    y = levels[:, None] + nodes * np.sqrt(0.5 / snr)[:, None, None]  # (snr, level, node)
    metric = -snr[:, None, None, None] * (y[..., None] - levels) ** 2  # (snr, level, node, candidate)
    likelihood = np.exp(metric - metric.max(axis=-1, keepdims=True))
    total, loss = likelihood.sum(axis=-1), np.zeros(len(snr))
    for bits in labels.T:
        agree = (likelihood * (bits[:, None] == bits[None, :])[:, None, :]).sum(axis=-1)
        loss += (np.log2(total / np.maximum(agree, 1e-300)).mean(axis=1)) @ weights
    return 2 * (labels.shape[1] - loss)


def normal_approximation(snr: float, n: int, bler: float, bits_per_symbol: int | None = None) -> float:
    """Bits per use of the best code of `n` complex uses at block error rate `bler`, to O(1/n).

    R = C - sqrt(V / n) Q^-1(bler) + log2(2 n) / (2 n), n complex uses being 2 n
    real ones. With `bits_per_symbol`, C and V are those of square QAM. Kept within [0, C], which it leaves at small n.
    Source: [polyanskiy2010, eq. (296)].
    """
    need_count("normal_approximation.n", n, 1)
    need_number("normal_approximation.bler", bler, 0, 1)
    need(0 < bler < 1, "normal_approximation.bler", bler, "a probability strictly between 0 and 1")
    if bits_per_symbol is None:
        capacity, dispersion = shannon(snr), awgn_dispersion(snr)
    else:
        capacity, dispersion = _qam_information(bits_per_symbol, snr)
    rate = capacity - math.sqrt(dispersion / n) * stats.norm.isf(bler) + math.log2(2 * n) / (2 * n)
    return min(max(float(rate), 0.0), capacity)


def awgn_dispersion(snr: float) -> float:
    """Channel dispersion of complex AWGN in bits^2 per use. Source: [polyanskiy2010, eq. (293)]."""
    need_number("awgn_dispersion.snr", snr, low=0)
    return snr * (snr + 2) / (snr + 1) ** 2 * LOG2_E**2


def gray_pam(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels of one axis of unit-power QAM, ascending (2^bits,), and their Gray labels (2^bits, bits)."""
    num = 2**bits
    levels = np.arange(1 - num, num, 2) * math.sqrt(1.5 / (num**2 - 1))
    index = np.arange(num)
    gray = index ^ (index >> 1)
    return levels, (gray[:, None] >> np.arange(bits)) & 1


def _qam_information(bits_per_symbol: int, snr: float) -> tuple[float, float]:
    """Mean and variance of the information density of square QAM, in bits and bits^2 per complex use."""
    _check_qam("cm_capacity", bits_per_symbol, snr)
    if snr == 0:
        return 0.0, 0.0
    levels, _ = gray_pam(bits_per_symbol // 2)
    nodes, weights = _noise()
    noise = nodes * math.sqrt(0.5 / snr)  # (node,)
    gap = levels[:, None] - levels  # (level, candidate)
    exponent = -snr * ((noise[None, :, None] + gap[:, None, :]) ** 2 - noise[None, :, None] ** 2)
    density = (math.log(len(levels)) - special.logsumexp(exponent, axis=-1)) * LOG2_E  # (level, node)
    mean = float(np.mean(density @ weights))
    square = float(np.mean(density**2 @ weights))
    return 2 * mean, 2 * (square - mean**2)


def _noise() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes and weights for a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_HERMITE_NODES)
    return nodes, weights / weights.sum()


def _check_qam(where: str, bits_per_symbol: int, snr: float) -> None:
    need_number(f"{where}.snr", snr, low=0)
    even = isinstance(bits_per_symbol, int) and 2 <= bits_per_symbol <= 12 and bits_per_symbol % 2 == 0
    need(even, f"{where}.bits_per_symbol", bits_per_symbol, "an even number in [2, 12]")
