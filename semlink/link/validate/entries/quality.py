"""Scores of pictures, and averages between curves.

Source: [wang2004, eq. (13)], [wang2003, eq. (7)], [vanderwalt2014skimage, metrics], [bjontegaard2001, both averages].

Values of the photograph are those of scikit-image 0.26 (PSNR, SSIM), and for MS-SSIM of the authors' program as it
is written, in double precision: 2 x 2 means over a symmetric border, every second sample (November 2026). The picture
is a piece of scikit-image's `camera`, blurred and with noise: see `photograph_pair`.
"""

from __future__ import annotations

from semlink.link.validate.entry import Entry, exactly
from semlink.link.validate.measures.quality import Bjontegaard, Offset, Photograph, ScikitImage

__all__ = ["ENTRIES", "PHOTOGRAPHS"]

PHOTOGRAPHS = {
    (161, 175): (25.705748, 0.519902, 0.898172),
    (177, 179): (25.814463, 0.510426, 0.895100),
    (191, 353): (25.401140, 0.558446, 0.909506),
    (256, 255): (25.164929, 0.561577, 0.909144),
}
"""PSNR, SSIM and MS-SSIM by height and width."""
SIZES = ((11, 13), (24, 37), (64, 64), (176, 176), (177, 179), (161, 175), (256, 255), (256, 256))
SIX_DIGITS = exactly("six digits of the same arithmetic", 1.5e-6)
CURVE = ((90.0, 27.1), (180.0, 29.6), (370.0, 32.4), (750.0, 35.0))
BETTER = ((80.0, 27.3), (170.0, 30.1), (330.0, 32.6), (700.0, 35.5))
BY_POLYNOMIAL = (-16.497, 0.679)
"""BD-rate and BD-PSNR of `BETTER` against `CURVE` by polynomials of third order, as the original has them."""

UNEVEN = ((100.0, 30.0), (200.0, 33.0), (400.0, 35.5), (800.0, 37.0))
RESTLESS = ((90.0, 30.5), (190.0, 32.0), (370.0, 36.5), (800.0, 37.6))
BY_PIECES = (-8.490874, 0.337231)
"""The same of `RESTLESS` against `UNEVEN` by scipy's `PchipInterpolator`; Akima's pieces have -7.995 % and 0.366 dB."""


def _scaled(factor: float) -> tuple[tuple[float, float], ...]:
    return tuple((factor * cost, quality) for cost, quality in CURVE)


def _raised(by: float) -> tuple[tuple[float, float], ...]:
    return tuple((cost, quality + by) for cost, quality in CURVE)


ENTRIES = (
    *(
        Entry(f"quality/{metric}/{height}x{width}", f"{words} of a blurred and noisy photograph of {height} x {width}",
              theirs, unit, SIX_DIGITS, source, Photograph(height, width), metric)
        for (height, width), scores in PHOTOGRAPHS.items()
        for theirs, (metric, words, unit, source) in zip(
            scores,
            (("psnr", "PSNR", "dB", "[vanderwalt2014skimage, metrics]"),
             ("ssim", "SSIM", "", "[wang2004, eq. (13)], [vanderwalt2014skimage, metrics]"),
             ("ms_ssim", "MS-SSIM", "", "[wang2003, eq. (7)]")),
        )
    ),
    *(
        Entry(f"quality/scikit-image/{metric}", f"largest difference from scikit-image's {metric.upper()}, run here, "
              f"over {len(SIZES)} sizes", 0.0, "", exactly("rounding", 1e-6), "[vanderwalt2014skimage, metrics]",
              ScikitImage(SIZES), metric)
        for metric in ("psnr", "ssim")
    ),
    Entry("quality/psnr/offset", "PSNR of pixels that are all 0.1 off", 20.0, "dB", exactly("float32", 1e-5),
          "[wang2004, PSNR as 10 log10(1 / MSE)]", Offset(0.1)),
    Entry("comparison/bd-rate/one-percent", "BD-rate of a copy that costs 1 % less", -1.0, "%", exactly("a law", 1e-6),
          "[bjontegaard2001, average bit rate difference]", Bjontegaard(CURVE, _scaled(0.99)), "rate"),
    Entry("comparison/bd-rate/twice", "BD-rate of a copy that costs twice as much", 100.0, "%", exactly("a law", 1e-6),
          "[bjontegaard2001, average bit rate difference]", Bjontegaard(CURVE, _scaled(2.0)), "rate"),
    Entry("comparison/bd-psnr/offset", "BD-PSNR of a copy that is 0.7 dB better", 0.7, "dB", exactly("a law", 1e-6),
          "[bjontegaard2001, average PSNR difference]", Bjontegaard(CURVE, _raised(0.7)), "quality"),
    Entry("comparison/bd-psnr/polynomial", "BD-PSNR of two curves, by polynomials of third order", BY_POLYNOMIAL[1],
          "dB", exactly("piecewise interpolation instead", 0.03), "[bjontegaard2001, average PSNR difference]",
          Bjontegaard(CURVE, BETTER), "quality"),
    Entry("comparison/bd-rate/polynomial", "BD-rate of two curves, by polynomials of third order", BY_POLYNOMIAL[0],
          "%", exactly("piecewise interpolation instead", 0.5), "[bjontegaard2001, average bit rate difference]",
          Bjontegaard(CURVE, BETTER), "rate"),
    Entry("comparison/bd-rate/monotone", "BD-rate of two uneven curves, by monotone pieces of scipy integrated by hand",
          BY_PIECES[0], "%", exactly("the same interpolation", 1e-4), "[herglotz2022bd, piecewise cubics]",
          Bjontegaard(UNEVEN, RESTLESS), "rate"),
    Entry("comparison/bd-psnr/monotone", "BD-PSNR of two uneven curves, by monotone pieces of scipy integrated by hand",
          BY_PIECES[1], "dB", exactly("the same interpolation", 1e-4), "[herglotz2022bd, piecewise cubics]",
          Bjontegaard(UNEVEN, RESTLESS), "quality"),
    Entry("comparison/bd/no-overlap", "curves without a common range get a reason and no number (1: so it is)", 1.0, "",
          exactly("a law"), "[herglotz2022bd]",
          Bjontegaard(CURVE, tuple((100 * cost, quality + 40) for cost, quality in CURVE)), "refused"),
)  # fmt: skip
