"""PSNR, SSIM and MS-SSIM against other implementations, over even and odd sizes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate
from scipy.signal import correlate2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semlink.link.metrics.ms_ssim import WEIGHTS, missing_scales, ms_ssim, scale_weights
from semlink.link.metrics.psnr_ssim import psnr_db, ssim
from semlink.link.validate.entries.quality import BETTER, BY_POLYNOMIAL, CURVE, PHOTOGRAPHS
from semlink.link.validate.measures.quality import photograph_pair

SIZES = [(176, 176), (177, 179), (256, 255), (191, 353), (161, 175), (270, 181)]


def original_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """The authors' program as it is written, in float64, for one frame (h, w) in 0..255.

    `imfilter(image, ones(2) / 4, 'symmetric', 'same')` and `(1:2:end, 1:2:end)`; 'symmetric' is scipy's
    `reflect`, and the first sample is the centre of an even filter, which scipy spells as origin -1.
    """
    grid = np.arange(-5, 6)
    window = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 1.5**2))
    window /= window.sum()

    def seen(image: np.ndarray) -> np.ndarray:
        return correlate2d(image, window, mode="valid")

    index = 1.0
    for number, weight in enumerate(WEIGHTS):
        mu_x, mu_y = seen(x), seen(y)
        var_x, var_y, cov = seen(x * x) - mu_x**2, seen(y * y) - mu_y**2, seen(x * y) - mu_x * mu_y
        structure = (2 * cov + (0.03 * 255) ** 2) / (var_x + var_y + (0.03 * 255) ** 2)
        luminance = (2 * mu_x * mu_y + (0.01 * 255) ** 2) / (mu_x**2 + mu_y**2 + (0.01 * 255) ** 2)
        index *= np.mean(structure * luminance if number == 4 else structure) ** weight
        x, y = (correlate(i, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for i in (x, y))
    return float(index)


def test_the_references_filter_has_its_centre_where_matlab_has_it():
    """`imfilter([1 2 4], [1 1] / 2, 'symmetric', 'same')` is [1.5 3 4]: centre floor((2 + 1) / 2), the first sample."""
    found = correlate(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.5]), mode="reflect", origin=-1)
    np.testing.assert_array_equal(found, [1.5, 3.0, 4.0])


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.source("wang2003", "eq. (7)")
def test_ms_ssim_is_that_of_the_original_at_odd_sizes_too(size):
    reference, received = photograph_pair(size)
    expected = original_ms_ssim(*(255.0 * frame[0].astype(np.float64) for frame in (reference, received)))
    assert ms_ssim(reference, received) == pytest.approx(expected, abs=1e-9) and 0.5 < expected < 0.99


def test_five_scales_from_161_pixels_and_fewer_ones_are_told():
    """Four halvings, rounded up, leave a window of 11 from 161 = 10 x 16 + 1 pixels on."""
    assert [len(scale_weights(side)) for side in (11, 21, 41, 81, 160, 161, 175, 176)] == [1, 2, 3, 4, 4, 5, 5, 5]
    assert sum(scale_weights(100)) == pytest.approx(sum(WEIGHTS))
    assert missing_scales(161, 900) == "" and "160x900 leave room for 4 of its 5 scales" in missing_scales(160, 900)


@pytest.mark.parametrize("size", [*SIZES, (11, 13), (37, 24)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.source("wang2004", "eq. (13)")
def test_psnr_and_ssim_are_those_of_scikit_image(size):
    reference, received = photograph_pair(size)
    x, y = reference[0].astype(np.float64), received[0].astype(np.float64)
    theirs = structural_similarity(
        x, y, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, K1=0.01, K2=0.03
    )
    assert ssim(reference, received) == pytest.approx(theirs, abs=1e-9)
    assert psnr_db(reference, received) == pytest.approx(peak_signal_noise_ratio(x, y, data_range=1.0), abs=1e-9)


@pytest.mark.parametrize("size", PHOTOGRAPHS, ids=lambda s: f"{s[0]}x{s[1]}")
def test_values_that_validate_holds_are_those_of_the_others(size):
    """PSNR and SSIM of scikit-image, MS-SSIM of the original: none of ours has a part in them."""
    x, y = (frame[0].astype(np.float64) for frame in photograph_pair(size))
    theirs = structural_similarity(x, y, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    expected = (peak_signal_noise_ratio(x, y, data_range=1.0), theirs, original_ms_ssim(255 * x, 255 * y))
    assert PHOTOGRAPHS[size] == pytest.approx(expected, abs=1e-6)


@pytest.mark.source("bjontegaard2001", "third-order polynomial through four points")
def test_averages_that_validate_holds_are_those_of_the_polynomial():
    def area(curves, over: int) -> float:
        """Mean height of the second curve above the first, over log cost (0) or quality (1)."""
        points = [np.array([(np.log10(cost), quality) for cost, quality in curve]).T for curve in curves]
        low, high = max(p[over].min() for p in points), min(p[over].max() for p in points)
        fits = [np.polyint(np.polyfit(p[over], p[1 - over], 3)) for p in points]
        first, second = (np.polyval(fit, high) - np.polyval(fit, low) for fit in fits)
        return (second - first) / (high - low)

    rate = 100 * (10 ** area((CURVE, BETTER), 1) - 1)
    assert pytest.approx((rate, area((CURVE, BETTER), 0)), abs=1e-3) == BY_POLYNOMIAL
