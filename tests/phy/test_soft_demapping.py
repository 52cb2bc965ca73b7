"""Exact demapping: a direct sum, the information in it, the law of log-odds, what it gains, what it costs."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import logsumexp

from semlink.errors import ChannelFault
from semlink.phy.capacity import bicm_capacity
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.snr_thresholds import block_error_rate
from semlink.phy.qam import constellation, demap, pam_levels
from semlink.phy.specs.codings import LdpcSpec
from semlink.units import from_db

SQUARE = (4, 6, 8, 10)


def summed(iq: np.ndarray, noise_var: np.ndarray, order: int) -> np.ndarray:
    """LLRs from all points of the constellation, in float64: (n, order)."""
    points, labels = constellation(order).astype(complex), np.arange(2**order)
    exponents = -(np.abs(iq.astype(complex)[:, None] - points) ** 2) / noise_var.astype(float)[:, None]
    ones = (labels[:, None] >> np.arange(order)[::-1] & 1).astype(bool)
    sums = [[logsumexp(exponents[:, side], axis=1) for side in (~ones[:, j], ones[:, j])] for j in range(order)]
    return np.stack([zero - one for zero, one in sums], axis=1)


def rounding(iq: np.ndarray, noise_var: np.ndarray) -> np.ndarray:
    """What float32 may cost: a few roundings of the distances times 1 / noise variance, and the sums' own."""
    size = (np.abs(iq) + 1.5) ** 2 / noise_var
    return 2e-6 + 6 * np.finfo(np.float32).eps * size


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SQUARE), st.floats(-30, 90), st.floats(0, 60), st.integers(1, 200), st.integers(0, 10**6))
def test_it_is_the_sum_over_all_symbols(order, snr_db, spread_db, count, seed):
    """At any SNR, the same for all symbols or not, on the constellation and far outside."""
    rng = np.random.default_rng(seed)
    noise_var = from_db(rng.uniform(0, spread_db, count) - snr_db).astype(np.float32)
    noise = np.sqrt(noise_var / 2) * (rng.standard_normal(count) + 1j * rng.standard_normal(count))
    iq = (rng.choice(constellation(order), count) * rng.choice([1, 1, 1, 4], count) + noise).astype(np.complex64)
    llr = demap(iq, noise_var, order).reshape(count, order)
    assert (np.abs(llr - summed(iq, noise_var, order)) <= rounding(iq, noise_var)[:, None]).all()


@pytest.mark.parametrize("order", SQUARE)
def test_halfway_between_symbols_at_every_snr(order):
    """Where max-log is at its worst, and where sums underflow: a sweep over the axis in steps of 3 dB."""
    levels = np.sort(pam_levels(order // 2).astype(float))
    axis = np.linspace(1.5 * levels[0], 1.5 * levels[-1], 61)
    for snr_db in range(-10, 61, 3):
        iq = (axis + 1j * axis[::-1]).astype(np.complex64)
        noise_var = np.full(len(iq), from_db(-snr_db), np.float32)
        llr = demap(iq, noise_var, order).reshape(len(iq), order)
        assert (np.abs(llr - summed(iq, noise_var, order)) <= rounding(iq, noise_var)[:, None]).all(), snr_db


def integrated(order: int, snr: float, demapper, of) -> float:
    """E[of(x L)] over bits of value x = +1 or -1 of one axis: Gauss-Hermite over the noise."""
    nodes, weights = np.polynomial.hermite.hermgauss(60)
    levels = pam_levels(order // 2).astype(float)
    y = (levels[:, None] + nodes / math.sqrt(snr)).astype(np.float32)  # noise variance 1 / (2 snr) on an axis
    llr = demap((y * (1 + 1j)).astype(np.complex64).ravel(), 1 / snr, order, demapper=demapper)
    llr = llr.reshape(len(levels), len(nodes), order)[..., 0::2].astype(float)
    signs = 1 - 2 * (np.arange(len(levels))[:, None] >> np.arange(order // 2)[::-1] & 1)
    mean = (of(signs[:, None, :] * llr) * weights[:, None]).sum(axis=1) / math.sqrt(math.pi)
    return float(mean.mean(axis=0).sum())


@pytest.mark.source("caire1998", "sec. III: BICM capacity")
@pytest.mark.parametrize("order", [4, 6, 8])
@pytest.mark.parametrize("snr_db", [-3.0, 3.0, 7.0, 12.0, 20.0])
def test_the_log_odds_hold_all_the_information_there_is(order, snr_db):
    def information(demapper) -> float:
        lost = integrated(order, from_db(snr_db), demapper, lambda odds: np.logaddexp(0, -odds) / math.log(2))
        return 2 * (order // 2 - lost)

    capacity = bicm_capacity(order, from_db(snr_db))
    assert information("exact") == pytest.approx(capacity, abs=2e-4)
    assert information("max-log") <= information("exact") + 1e-6


@pytest.mark.parametrize("order", SQUARE)
@pytest.mark.parametrize("snr_db", [0.0, 6.0, 12.0])
def test_log_odds_are_consistent(order, snr_db):
    """E[e^-L | bit 0] is the integral of the likelihood of the other bit, hence 1."""
    assert exponential_means(order, from_db(snr_db), "exact") == pytest.approx(1, abs=2e-3)


def test_those_of_max_log_are_not():
    assert np.abs(exponential_means(6, 1.0, "max-log") - 1).max() > 0.1


def exponential_means(order: int, snr: float, demapper) -> np.ndarray:
    """E[e^-L | bit 0] for each bit of an axis, by a sum over a fine grid: (order / 2,)."""
    labels, levels = np.arange(2 ** (order // 2)), pam_levels(order // 2).astype(float)
    y, step = np.linspace(-4, 4, 16001, retstep=True)
    llr = demap((y + 1j * y).astype(np.complex64), 1 / snr, order, demapper=demapper).reshape(len(y), order)
    exponent = -snr * (y[:, None] - levels) ** 2 + math.log(snr / math.pi) / 2
    means = []
    for j in range(order // 2):
        zeros = exponent[:, labels >> (order // 2 - 1 - j) & 1 == 0]
        density = logsumexp(zeros, axis=1) - math.log(zeros.shape[1])
        means.append(np.exp(density - llr[:, 2 * j]).sum() * step)
    return np.array(means)


@pytest.mark.parametrize("order", SQUARE)
def test_what_is_not_finite_is_found_between_finite_symbols(order):
    for place, fault in ((0, np.nan), (70, np.inf), (129, complex(0.1, -np.inf))):
        iq = np.resize(constellation(order), 130)
        iq[place] = fault
        with pytest.raises(ChannelFault, match=f"symbol {place} "):
            demap(iq, 0.05, order)


@pytest.mark.parametrize(("order", "snr_db"), [(4, 3.3), (6, 7.0), (8, 10.0)])
def test_fewer_blocks_are_lost_at_rate_a_third(order, snr_db):
    coding = LdpcCoding(order, 1 / 3)
    exact = block_error_rate(coding, 500, snr_db, 200)
    assert exact < block_error_rate(replace(coding, demapper="max-log"), 500, snr_db, 200) - 0.05


def test_a_scenario_names_the_demapper():
    for options in ({"modulation": "64qam", "rate": "1/3"}, {"mcs": "best"}):
        for given_, expected in (({}, "exact"), ({"demapper": "max-log"}, "max-log")):
            spec = LdpcSpec(kind="ldpc", **options, **given_)
            assert {coding.demapper for coding in spec.codings().values()} == {expected}


def test_it_costs_little_more_than_max_log():
    """The aim is twice the time (benchmarks/demapping.py); a plain loop over exponentials takes twenty times.

    Neighbours slow both where they are measured in turns, and the pair that they slowed least counts.
    """
    rng = np.random.default_rng(0)
    for order in (4, 6, 8):
        iq = (rng.choice(constellation(order), 40_000) + 0.1 * rng.standard_normal(40_000)).astype(np.complex64)
        ratio = min(seconds(iq, order, "exact") / seconds(iq, order, "max-log") for _ in range(9))
        assert ratio < 9


def seconds(iq: np.ndarray, order: int, demapper) -> float:
    start = time.process_time()
    demap(iq, 0.02, order, demapper=demapper)
    return time.process_time() - start
