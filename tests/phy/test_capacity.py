"""Bounds against closed forms, published values and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from semlink.link.validate.entries.channels import CARRIED_BY_16QAM
from semlink.phy import capacity
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.units import from_db


@pytest.mark.parametrize("snr_db", [-20.0, 0.0, 10.0, 30.0])
def test_rayleigh_is_the_exponential_integral(snr_db):
    snr = from_db(snr_db)
    expected = math.exp(1 / snr) * special.exp1(1 / snr) / math.log(2)
    assert capacity.ergodic_capacity(snr) == pytest.approx(expected, rel=1e-9)
    assert Rayleigh().capacity(snr_db) == pytest.approx(expected, rel=1e-9)


def test_rician_lies_between_its_two_ends():
    snr = from_db(10)
    assert capacity.ergodic_capacity(snr, 1e-7) == pytest.approx(capacity.ergodic_capacity(snr), rel=1e-5)
    assert capacity.ergodic_capacity(snr, 1e5) == pytest.approx(capacity.shannon(snr), rel=1e-4)
    rates = [capacity.ergodic_capacity(snr, k) for k in (0, 1, 3, 10, 100)]
    assert rates == sorted(rates)
    assert Rician(k=3).capacity(10) == rates[2]


def test_rician_against_sampling():
    rng = np.random.default_rng(1)
    h = math.sqrt(3 / 4) + (rng.standard_normal(400_000) + 1j * rng.standard_normal(400_000)) / math.sqrt(8)
    drawn = np.log2(1 + 10 * np.abs(h) ** 2)
    error = capacity.ergodic_capacity(10, 3) - drawn.mean()
    assert abs(error) < 5 * drawn.std() / math.sqrt(len(drawn))


@pytest.mark.parametrize(("snr_db", "bits"), CARRIED_BY_16QAM.items())
def test_16qam_known_values(snr_db, bits):
    assert capacity.cm_capacity(4, from_db(snr_db)) == pytest.approx(bits, abs=0.01)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_bicm_below_cm_below_shannon_and_both_saturate(order):
    for snr_db in (-10, 0, 5, 10, 20):
        snr = from_db(snr_db)
        bicm, cm = capacity.bicm_capacity(order, snr), capacity.cm_capacity(order, snr)
        assert 0 < bicm <= cm + 1e-9 <= capacity.shannon(snr) + 2e-9
    assert capacity.bicm_capacity(order, from_db(45)) == pytest.approx(order, abs=1e-6)
    if order == 2:
        assert capacity.bicm_capacity(2, 1.5) == pytest.approx(capacity.cm_capacity(2, 1.5), abs=1e-9)


def test_cm_against_sampling_of_the_same_constellation():
    rng = np.random.default_rng(2)
    levels = np.array([-3, -1, 1, 3]) / math.sqrt(10)
    points = (levels[:, None] + 1j * levels).ravel()
    x = points[rng.integers(16, size=60_000)]
    w = (rng.standard_normal(len(x)) + 1j * rng.standard_normal(len(x))) * math.sqrt(0.05)
    distance = np.abs(x[:, None] + w[:, None] - points) ** 2 - np.abs(w[:, None]) ** 2
    density = 4 - np.log2(np.exp(-10 * distance).sum(1))
    spread = 5 * density.std() / math.sqrt(len(x))
    assert abs(capacity.cm_capacity(4, 10) - density.mean()) < spread


def test_outage_is_the_law_of_the_gain():
    assert capacity.outage_probability(10, 2.0) == pytest.approx(1 - math.exp(-0.3))
    for k in (0.0, 3.0, 10.0):
        rate = capacity.outage_capacity(10, 0.1, k)
        assert capacity.outage_probability(10, rate, k) == pytest.approx(0.1)
    assert capacity.outage_capacity(10, 0.0) == 0.0
    assert capacity.outage_probability(0.0, 1.0) == 1.0


@pytest.mark.source("polyanskiy2010", "eqs. (293), (296)")
def test_normal_approximation():
    dispersion = 3 / 4 * math.log2(math.e) ** 2
    expected = 1 - math.sqrt(dispersion / 500) * stats.norm.isf(1e-3) + math.log2(1000) / 1000
    assert capacity.normal_approximation(1.0, 500, 1e-3) == pytest.approx(expected)
    assert capacity.normal_approximation(10, 10**9, 1e-3) == pytest.approx(capacity.shannon(10), abs=1e-3)
    assert capacity.normal_approximation(0.05, 400, 1e-9) == 0.0
    assert capacity.normal_approximation(1e-3, 10, 1e-6) == capacity.shannon(1e-3)


def test_dispersion_of_the_constellation_tends_to_that_of_gaussian_inputs_at_low_snr():
    snr = from_db(-15)
    _, dispersion = capacity._qam_information(6, snr)
    # Gaussian signals of finite energy have a larger variance, 2 snr / (1 + snr), than codes on the sphere
    assert dispersion == pytest.approx(2 * snr * capacity.LOG2_E**2, rel=0.1)
    assert capacity.normal_approximation(10, 1000, 1e-3, 4) < capacity.cm_capacity(4, 10)


def test_erasures_scale_the_capacity():
    assert Erasure(0.25).capacity(10) == pytest.approx(0.75 * capacity.shannon(10))
    assert GilbertElliott(0.1, 0.3).capacity(10) == pytest.approx(0.75 * capacity.shannon(10))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: capacity.shannon(-1), "shannon.snr"),
        (lambda: capacity.ergodic_capacity(math.nan), "ergodic_capacity.snr"),
        (lambda: capacity.ergodic_capacity(1, -2), "-2"),
        (lambda: capacity.cm_capacity(3, 1), "even"),
        (lambda: capacity.normal_approximation(1, 0, 0.1), "n: got 0"),
        (lambda: capacity.normal_approximation(1, 10, 1.0), "strictly"),
        (lambda: capacity.outage_capacity(1, 1.0), "below 1"),
        (lambda: capacity.erasure_capacity(1, 1.5), "1.5"),
    ],
)
def test_nonsense_is_refused_with_value_and_limit(call, word):
    with pytest.raises(ValueError, match=word):
        call()
