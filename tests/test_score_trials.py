"""Scores against another implementation, intervals against closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semlink.link.score import BEST_PSNR_DB, psnr_db, ssim
from semlink.link.trials import ClipTrial, StopRule, repeat, t_halfwidth, wilson


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = np.cumsum(np.cumsum(rng.normal(size=(3, 40, 56)), axis=1), axis=2)
    x = ((x - x.min()) / (x.max() - x.min())).astype(np.float32)
    return x, np.clip(x + 0.05 * rng.normal(size=x.shape), 0, 1).astype(np.float32)


def test_psnr_agrees_with_skimage(pair):
    assert psnr_db(*pair) == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1.0), abs=1e-4)


def test_psnr_of_known_noise():
    rng = np.random.default_rng(1)
    x = np.full((4, 64, 64), 0.5)
    assert psnr_db(x, x + rng.uniform(-0.03, 0.03, x.shape)) == pytest.approx(10 * np.log10(3 / 0.03**2), abs=0.1)
    assert psnr_db(x, x) == BEST_PSNR_DB


@pytest.mark.source("wang2004", "eq. (13)")
def test_ssim_agrees_with_skimage(pair):
    x, y = pair
    theirs = [
        structural_similarity(
            a.astype(float),
            b.astype(float),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(x, y)
    ]
    assert ssim(x, y) == pytest.approx(np.mean(theirs), abs=1e-6)


def test_t_interval_agrees_with_scipy():
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert t_halfwidth(values) == pytest.approx((high - low) / 2)
    assert np.isnan(t_halfwidth([1.0]))


@pytest.mark.source("wilson1927", "p. 209")
def test_wilson_agrees_with_scipy():
    for k, n in [(0, 10), (3, 10), (10, 10), (1, 500)]:
        theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def trial(psnr):
    return [ClipTrial({"psnr": psnr}, {"payload": 1.0}, 1, 0)]


def test_trials_stop_when_the_interval_is_narrow():
    rng = np.random.default_rng(2)
    rule = StopRule(4, 1000, 0.1)
    done = repeat(lambda n: trial(30 + rng.normal()), rule)
    assert 200 < len(done) < 700
    assert t_halfwidth([t[0].metrics["psnr"] for t in done]) <= 0.1


def test_trials_stop_at_the_limit_and_not_before_the_least():
    rng = np.random.default_rng(3)
    assert len(repeat(lambda n: trial(30 + 9 * rng.normal()), StopRule(4, 9, 0.1))) == 9
    assert len(repeat(lambda n: trial(30.0), StopRule(4, 9, 0.1))) == 4
