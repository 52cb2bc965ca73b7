"""Quality of received frames: PSNR and SSIM of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.link.metrics.gaussian_window import similarity, where_whole

BEST_PSNR_DB = 100.0
"""Reported for frames without any error, where PSNR has no number."""


def psnr_db(reference: np.ndarray, received: np.ndarray) -> float:
    """10 log10(1 / MSE) over a whole clip (t, h, w) in [0, 1]; at most 100 dB."""
    error = float(np.mean(np.square(reference.astype(np.float64) - np.clip(received, 0.0, 1.0))))
    return BEST_PSNR_DB if error <= 1e-10 else -10.0 * float(np.log10(error))


def psnr_yuv611_db(reference: Sequence[np.ndarray], received: Sequence[np.ndarray]) -> float:
    """PSNR in dB of Y, Cb and Cr, each over a whole clip, weighted 6 : 1 : 1.

    Source: [ohm2012, combined PSNR_YUV], of frames there, whose numbers are averaged.
    """
    y, cb, cr = (psnr_db(*pair) for pair in zip(reference, received, strict=True))
    return (6 * y + cb + cr) / 8


def psnr_by_frame(reference: np.ndarray, received: np.ndarray) -> np.ndarray:
    """PSNR in dB of each frame: (t,)."""
    return np.array([psnr_db(*pair) for pair in zip(reference, received)])


def ssim(reference: np.ndarray, received: np.ndarray) -> float:
    """Structural similarity of a clip, the mean over its frames; see `ssim_by_frame`."""
    return float(ssim_by_frame(reference, received).mean())


def ssim_by_frame(reference: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Structural similarity of each frame (t, h, w) with an 11x11 Gaussian window of sigma 1.5.

    Source: [wang2004, eq. (13)] with K1 = 0.01, K2 = 0.03 and unit range; the
    border of five pixels, where the window leaves the frame, is not averaged.
    """
    x, y = reference.astype(np.float64), np.clip(received, 0.0, 1.0).astype(np.float64)
    return where_whole(similarity(x, y)).mean(axis=(1, 2))
