"""Scores against another implementation, Student's interval against closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.ms_ssim import ms_ssim
from semlink.link.metrics.psnr_ssim import BEST_PSNR_DB, psnr_db, ssim


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


@pytest.mark.source("wang2003", "eq. (7)")
def test_ms_ssim_of_flat_frames_is_their_luminance_at_the_last_scale():
    x, y = np.full((2, 192, 200), 0.4), np.full((2, 192, 200), 0.55)
    luminance = (2 * 0.4 * 0.55 + 1e-4) / (0.4**2 + 0.55**2 + 1e-4)
    assert ms_ssim(x, y) == pytest.approx(luminance**0.1333, abs=1e-9)


@pytest.mark.source("wang2003", "Sec. 3.2")
def test_ms_ssim_agrees_with_windows_written_out():
    """Every window summed by itself with an explicit kernel, the formula of each scale as it stands."""
    rng = np.random.default_rng(2)
    x = np.clip(np.cumsum(rng.normal(0, 0.05, (1, 192, 176)), 2) * 0.3 + 0.5, 0, 1)
    y = np.clip(x + 0.1 * rng.normal(size=x.shape), 0, 1)
    tap = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel = np.outer(tap, tap) / tap.sum() ** 2
    a, b, index = x[0], y[0], 1.0
    for number, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean = [signal.convolve2d(p, kernel, "valid") for p in (a, b)]
        var = [signal.convolve2d(p * p, kernel, "valid") - m * m for p, m in zip((a, b), mean)]
        cov = signal.convolve2d(a * b, kernel, "valid") - mean[0] * mean[1]
        cs = (2 * cov + 9e-4) / (var[0] + var[1] + 9e-4)
        light = (2 * mean[0] * mean[1] + 1e-4) / (mean[0] ** 2 + mean[1] ** 2 + 1e-4)
        index *= float((light * cs if number == 4 else cs).mean()) ** weight
        a, b = (p[: p.shape[0] // 2 * 2, : p.shape[1] // 2 * 2] for p in (a, b))
        a, b = (p.reshape(p.shape[0] // 2, 2, -1, 2).mean((1, 3)) for p in (a, b))
    assert ms_ssim(x, y) == pytest.approx(index, abs=1e-6) and 0.3 < index < 0.99


def test_ms_ssim_of_frames_for_one_window_is_ssim(pair):
    x, y = (p[:, :20, :21] for p in pair)
    assert ms_ssim(x, y) == pytest.approx(ssim(x, y), abs=1e-3)
    assert ms_ssim(pair[0], pair[0]) == pytest.approx(1.0)


def test_t_interval_agrees_with_scipy():
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert t_halfwidth(values) == pytest.approx((high - low) / 2)
    assert np.isnan(t_halfwidth([1.0]))
