"""Intervals against closed forms and another implementation, and how often they hold the mean that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from semlink.link.metrics.draws import Draws, drawn
from semlink.link.metrics.intervals import halfwidth, is_within, share_interval, t_halfwidth
from semlink.link.metrics.registry import METRICS, PSNR, extremes_of
from semlink.link.metrics.weighted_means import chance_below_zero
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.qualities import Doubt, losses, qualities
from semlink.link.sweep.trials import StopRule, repeat

CLEAN_DB = np.array([29.0, 33.0, 37.0])
NOTHING_DB = 12.0
DAMAGE_DB = 13.0


def mixture(rng, rate, spread=0.3, clean=CLEAN_DB):
    """Trials of clips that are clean, or damaged by 13 dB give or take, each with a probability of its own."""

    def one_trial(_):
        hit = rng.random(len(clean)) < rate
        damage = hit * DAMAGE_DB * (1 + spread * rng.uniform(-1, 1, len(clean)))
        return [
            ClipTrial({"psnr": float(q)}, {}, 4, 4 * int(h), extremes={"psnr": (NOTHING_DB, 40.0)})
            for q, h in zip(clean - damage, hit)
        ]

    return one_trial


# --- the weights that draws leave open


@pytest.mark.source("clopper1934", "the binomial case")
@pytest.mark.parametrize(("lost", "of"), [(0, 8), (1, 32), (3, 32), (16, 32), (31, 32), (0, 500), (7, 500)])
def test_a_rate_of_units_by_themselves_has_the_clopper_pearson_interval(lost, of):
    theirs = stats.binomtest(lost, of).proportion_ci(method="exact")
    found = share_interval(np.arange(of) < lost, np.ones(of))
    assert found == pytest.approx((theirs.low, theirs.high), rel=0.012, abs=2e-4)


@pytest.mark.source("rubin1981", "the posterior of a mean")
def test_the_saddlepoint_agrees_with_drawn_weights():
    rng = np.random.default_rng(1)
    values = np.append(rng.exponential(size=20), -9.0) + 0.2
    weights = rng.exponential(size=(200_000, 21))
    drawn_chance = float(np.mean(weights @ values < 0))
    assert 0.005 < drawn_chance < 0.1
    assert chance_below_zero(values, np.ones(21)) == pytest.approx(drawn_chance, rel=0.04)


def test_equal_values_may_be_counted():
    values, counts = np.array([1.0, 0.5, -8.0]), np.array([5.0, 3.0, 1.0])
    assert chance_below_zero(values, counts) == pytest.approx(
        chance_below_zero(np.repeat(values, counts.astype(int)), np.ones(9)), rel=1e-9
    )


def test_blocks_that_share_a_fade_count_once():
    """All four blocks of a transmission go together: the interval is that of transmissions, not that of blocks."""
    hit = np.arange(40) < 4
    together = share_interval(4 * hit, np.full(40, 4))
    assert together == pytest.approx(share_interval(hit, np.ones(40)), rel=1e-6)
    apart = share_interval(np.arange(40) < 16, np.full(40, 4))
    assert apart[1] - apart[0] < together[1] - together[0]
    assert share_interval(np.zeros(0), np.zeros(0)) == pytest.approx((math.nan, math.nan), nan_ok=True)
    assert share_interval(np.zeros(5), np.full(5, 3))[0] == 0 and share_interval(np.full(5, 3), np.full(5, 3))[1] == 1


# --- one look


@pytest.mark.source("clopper1934", "the binomial case, without a loss")
@pytest.mark.parametrize("trials", [2, 4, 32])
def test_without_a_loss_the_interval_is_the_bound_of_the_rate_times_the_worst_damage(trials):
    values = np.tile(CLEAN_DB, (trials, 1))
    draws = Draws(values, np.zeros(values.shape, bool), np.full(3, NOTHING_DB), np.full(3, 40.0))
    expected = (1 - 0.05 ** (1 / values.size)) * (CLEAN_DB.mean() - NOTHING_DB)
    assert halfwidth(draws) == pytest.approx(expected, rel=0.01)
    assert is_within(draws, 1.05 * expected) and not is_within(draws, 0.95 * expected)


@pytest.mark.source("satterthwaite1946", "equal variances: all degrees of freedom")
def test_many_noisy_values_have_students_interval():
    rng = np.random.default_rng(2)
    values = 30 + rng.normal(size=(400, 2))
    half = halfwidth(drawn(values, PSNR))
    assert half == pytest.approx(1.96 / 800**0.5, rel=0.1)
    assert half >= t_halfwidth((values - values.mean(0)).ravel().tolist()) * 0.999


def test_what_clips_differ_in_is_not_noise():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(50, 2))
    alike, apart = (halfwidth(drawn(noise + np.array([30.0, 30.0 + gap]), PSNR)) for gap in (0, 20))
    assert apart == pytest.approx(alike, rel=1e-6)


def test_errors_and_qualities_have_the_same_intervals():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(9, 3))
    error = METRICS[1].__class__("mae", "mae", "mae", 4, METRICS[1].function, higher_is_better=False)
    assert halfwidth(drawn(-values, error)) == pytest.approx(halfwidth(drawn(values, METRICS[1])))


def test_noise_that_was_drawn_never_has_an_interval_of_zero():
    one = mixture(np.random.default_rng(5), 0.0)
    found = qualities([one(0), one(1)], METRICS[:1])
    assert found["psnr_ci95"] > 5 and math.isnan(qualities([one(0)], METRICS[:1])["psnr_ci95"])
    assert qualities([one(0)], METRICS[:1], Doubt(is_certain=True))["psnr_ci95"] == 0
    plain = [[ClipTrial({"psnr": 30.0}, {}, 0, 0)]] * 6
    assert qualities(plain, METRICS[:1])["psnr_ci95"] > 1, "no blocks, but values repeat"


def test_extremes_are_those_of_grey_and_of_what_is_plausible():
    rng = np.random.default_rng(6)
    clip = rng.uniform(size=(2, 64, 64)).astype(np.float32)
    worst, best = extremes_of(PSNR, clip)
    assert worst == pytest.approx(10 * math.log10(12), abs=0.1) and best == 40
    assert extremes_of(METRICS[1], clip)[1] == 1


# --- looks


def test_looks_share_five_percent():
    for rule in (StopRule(4, 32, 0.1), StopRule(4, 24, 0.1), StopRule(24, 24, 0.1), StopRule(1, 1000, 0.1)):
        assert rule.looks[0] == rule.min and rule.looks[-1] == rule.max
        assert sum(map(rule.error, rule.looks)) == pytest.approx(0.05)
    assert StopRule(4, 32, 0.1).looks == (4, 8, 16, 32) and StopRule(24, 24, 0.1).error(24) == pytest.approx(0.05)


def test_trials_stop_when_the_interval_is_narrow():
    rng = np.random.default_rng(2)
    rule = StopRule(4, 4000, 0.1)
    done = repeat(lambda n: [ClipTrial({"psnr": 30 + rng.normal()}, {}, 0, 0)], rule)
    assert len(done) in rule.looks and 400 < len(done) < 4000
    assert qualities(done, METRICS[:1], Doubt(rule.error(len(done))))["psnr_ci95"] <= 0.1 and rule.is_met(done)


def test_trials_stop_at_the_limit_and_not_before_the_least():
    rng = np.random.default_rng(3)
    loud, quiet = (lambda n, s=s: [ClipTrial({"psnr": 30 + s * rng.normal()}, {}, 0, 0)] for s in (9.0, 1e-3))
    assert len(repeat(loud, StopRule(4, 9, 0.1))) == 9 and len(repeat(quiet, StopRule(4, 9, 0.1))) == 4
    assert len(repeat(mixture(rng, 0.0), StopRule(4, 9, 0.1))) == 9, "losses not seen are not excluded"


# --- coverage: the mean is known in closed form


def replay(rate, runs, interval, seed):
    """Shares of runs whose interval holds the mean (quality, rate of losses), error of the mean over the half width."""
    rng, rule = np.random.default_rng(seed), StopRule(4, 32, 0.1)
    mean = CLEAN_DB.mean() - rate * DAMAGE_DB
    held, counted, errors, halves = [], [], [], []
    for _ in range(runs):
        trials, half = interval(mixture(rng, rate), rule)
        errors.append(float(np.mean([[c.metrics["psnr"] for c in trial] for trial in trials])) - mean)
        halves.append(half)
        held.append(abs(errors[-1]) <= half)
        found = losses(trials, Doubt(rule.error(len(trials))))
        counted.append(found["bler_ci95_low"] <= rate <= found["bler_ci95_high"])
    return np.mean(held), np.mean(counted), np.mean(errors) / max(np.mean(halves), 1e-9)


def ours(one_trial, rule):
    trials = repeat(one_trial, rule)
    return trials, qualities(trials, METRICS[:1], Doubt(rule.error(len(trials))))["psnr_ci95"]


def students(one_trial, rule):
    """Student's t over the trials' means, looked at after every trial."""
    trials = []
    while len(trials) < rule.max:
        trials.append(one_trial(len(trials)))
        half = t_halfwidth([float(np.mean([c.metrics["psnr"] for c in trial])) for trial in trials])
        if len(trials) >= rule.min and half <= rule.ci_halfwidth_db:
            break
    return trials, half


@pytest.mark.parametrize("rate", [0.005, 0.02, 0.1, 0.5, 0.95])
def test_intervals_hold_the_mean(rate):
    """With 150 runs a coverage of 0.93 would fall below 0.88 once in a hundred times."""
    held, counted, bias = replay(rate, 150, ours, seed=7)
    assert held >= 0.93 and counted >= 0.93 and abs(bias) < 0.1


def test_students_t_looked_at_after_every_trial_does_not():
    held, _, bias = replay(0.02, 150, students, seed=7)
    assert held < 0.8 and bias > 0.1
