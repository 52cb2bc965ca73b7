"""Bounds for single transmissions over gains that vary, against closed forms and each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import integrate, stats

from semlink.blocks import ChannelBase
from semlink.errors import Infeasible
from semlink.phy.bounds.gain_statistics import carried_by
from semlink.phy.bounds.rate_bounds import CapacityBound, FiniteBlocklengthBound, OutageCapacityBound, capacity_of
from semlink.phy.capacity import awgn_dispersion, normal_approximation, outage_capacity, outage_probability, shannon
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.multipath_38901 import Cdl, Tdl

VARYING = [
    Rayleigh(),
    Rayleigh(100),
    Rayleigh("symbol"),
    Rician(k=3.0, coherence=500),
    Rayleigh(doppler=0.01),
    Erasure(0.1, 50),
    GilbertElliott(0.05, 0.3, 20),
]


@dataclass(frozen=True)
class TwoStates(ChannelBase):
    """A user's channel: strong or weak, as often as not."""

    def __call__(self, iq, snr_db, seeds):
        return iq

    def gain_powers(self, uses: int, draws: int) -> np.ndarray:
        return np.where(np.arange(draws)[:, None] % 2, 1.5, 0.5)


@pytest.mark.source("yang2014", "sec. V")
@pytest.mark.parametrize("channel", [Rayleigh(), Rician(k=3.0)])
def test_a_long_code_word_over_one_gain_reaches_the_outage_capacity(channel):
    k = getattr(channel, "k", 0.0)
    rate = FiniteBlocklengthBound(0.05).bits(10**7, 10.0, channel) / 10**7
    assert rate == pytest.approx(outage_capacity(10.0, 0.05, k), rel=2e-3)
    assert outage_probability(10.0, rate, k) == pytest.approx(0.05, rel=5e-3)
    if k == 0:
        assert 1 - math.exp(-(2**rate - 1) / 10) == pytest.approx(0.05, rel=5e-3)


def test_a_short_code_word_over_one_gain_against_quadrature():
    uses, bler, snr = 200, 0.02, 10.0
    rate = FiniteBlocklengthBound(bler).bits(uses, 10.0, Rayleigh()) / uses

    def error(g: float) -> float:
        deviation = math.sqrt(awgn_dispersion(snr * g) / uses)
        bonus = min(-stats.norm.ppf(bler) * deviation, math.log2(2 * uses) / (2 * uses))
        return stats.norm.sf((shannon(snr * g) + bonus - rate) / deviation) * math.exp(-g)

    found, _ = integrate.quad(error, 1e-9, 3, points=[0.01, 0.02, 0.05, 0.2], limit=200)
    assert found == pytest.approx(bler, rel=2e-3)


def test_a_gain_that_hardly_fades_gives_the_law_of_white_noise():
    for uses in (200, 5000):
        rate = FiniteBlocklengthBound().bits(uses, 10.0, Rician(k=1e5, coherence=50)) / uses
        assert rate == pytest.approx(normal_approximation(10.0, uses, 1e-3), rel=3e-3)


@pytest.mark.parametrize("channel", VARYING, ids=repr)
def test_more_snr_carries_more_and_a_code_word_less_than_capacity(channel):
    for bound in (FiniteBlocklengthBound(0.01), OutageCapacityBound(0.01)):
        bits = [bound.bits(4000, snr_db, channel) for snr_db in (0.0, 5.0, 10.0, 15.0)]
        assert bits == sorted(bits) and 0 < bits[0] < bits[-1]
        assert bits[2] < CapacityBound().bits(4000, 10.0, channel)
        assert bits[2] < bound.bits(4000, 10.0, Awgn())


@pytest.mark.parametrize("blocks", [1, 10, 400])
def test_erasures_leave_a_binomial_share(blocks):
    channel, outage = Erasure(0.2, 30), 0.1
    share = stats.binom.ppf(outage, blocks, 0.8) / blocks
    assert OutageCapacityBound(outage).bits(30 * blocks, 10.0, channel) == pytest.approx(
        30 * blocks * share * shannon(10.0), rel=5e-3
    )


def test_longer_than_what_is_drawn_the_share_that_arrives_spreads_as_the_theory_says():
    arrived = carried_by(Erasure(0.2), 1.0, 10**5).information
    assert arrived.mean() == pytest.approx(0.8, abs=1e-4)
    assert arrived.std() == pytest.approx(math.sqrt(0.16 / 10**5), rel=0.03)
    bursts, memory = GilbertElliott(0.1, 0.3), 1 - 0.1 - 0.3
    deviation = carried_by(bursts, 1.0, 10**5).information.std()
    assert deviation == pytest.approx(math.sqrt(0.25 * 0.75 / 10**5 * (1 + memory) / (1 - memory)), rel=0.03)


def test_a_gain_that_moves_lies_between_one_that_stands_still_and_one_that_never_repeats():
    bound = OutageCapacityBound(0.1)
    still, slow, fast, each = (
        bound.bits(5000, 10.0, channel)
        for channel in (Rayleigh(), Rayleigh(doppler=1e-4), Rayleigh(doppler=1e-2), Rayleigh("symbol"))
    )
    assert still < slow < fast < each
    assert bound.bits(5000, 10.0, Rayleigh(doppler=0.0)) == pytest.approx(still, rel=0.12)
    assert carried_by(Rayleigh(doppler=1e-2), 10.0, 5000).information.mean() == pytest.approx(
        Rayleigh().capacity(10.0), rel=5e-3
    )


def test_a_user_channel_may_draw_its_gain():
    channel = TwoStates()
    assert OutageCapacityBound(0.3).bits(10, 10.0, channel) == pytest.approx(10 * shannon(5.0), rel=1e-6)
    assert OutageCapacityBound(0.7).bits(10, 10.0, channel) == pytest.approx(10 * shannon(15.0), rel=1e-6)
    assert capacity_of(channel, 10.0) == pytest.approx((shannon(5.0) + shannon(15.0)) / 2)


def test_what_the_draws_cannot_tell_is_refused():
    with pytest.raises(Infeasible, match="rest on 4096 drawn transmissions, too few for a probability of 0.0001"):
        FiniteBlocklengthBound(1e-4).bits(1000, 10.0, TwoStates())
    with pytest.raises(Infeasible, match="no transmission of up to"):
        FiniteBlocklengthBound(1e-3).uses(1000, 10.0, Erasure(1.0))


@pytest.mark.slow
def test_multipath_draws_agree_with_the_law_and_diversity_helps():
    pytest.importorskip("sionna")
    assert capacity_of(Cdl("A"), 10.0) == pytest.approx(Tdl("A").capacity(10.0), rel=0.02)
    assert carried_by(Tdl("D"), 10.0, 1).information.mean() == pytest.approx(Tdl("D").capacity(10.0), rel=0.02)
    narrow = Tdl("A", delay_spread_ns=1.0, speed_kmh=0.0)
    assert OutageCapacityBound(0.1).bits(1, 10.0, narrow) == pytest.approx(outage_capacity(10.0, 0.1), rel=0.12)
    for make in (Tdl, Cdl):
        rates = [OutageCapacityBound(0.1).bits(1, 10.0, make("C", delay_spread_ns=spread)) for spread in (10.0, 1000.0)]
        assert rates[0] < rates[1] < capacity_of(make("C"), 10.0)
        assert 0 < FiniteBlocklengthBound(0.1).bits(1000, 10.0, make("C")) < 1000 * capacity_of(make("C"), 10.0)
