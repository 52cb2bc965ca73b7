"""What the structural similarities compare: means, variances and covariance under a Gaussian window."""

from __future__ import annotations

import numpy as np

SIDE = 11
C1, C2 = 0.01**2, 0.03**2
"""Constants of [wang2004]: K1 = 0.01, K2 = 0.03, unit range."""


def local_moments(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means of x and y, their variances, their covariance around each pixel of frames (t, h, w).

    The window is an 11x11 Gaussian of sigma 1.5, as in [wang2004].
    """
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    return mean_x, mean_y, var_x, var_y, _blurred(x * y) - mean_x * mean_y


def where_whole(frames: np.ndarray) -> np.ndarray:
    """The part (t, h - 10, w - 10) of a map where the window lies inside the frame; all of one smaller than it."""
    edge = SIDE // 2 if min(frames.shape[1:]) >= SIDE else 0
    return frames[:, edge : frames.shape[1] - edge, edge : frames.shape[2] - edge]


def _blurred(frames: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(frames, (0.0, 1.5, 1.5), truncate=3.5, mode="reflect")
