"""What the structural similarities compare: means, variances and covariance under a Gaussian window."""

from __future__ import annotations

import numpy as np

SIDE, SIGMA = 11, 1.5
REACH = SIDE // 2
C1, C2 = 0.01**2, 0.03**2
"""Constants of [wang2004]: K1 = 0.01, K2 = 0.03, unit range."""


def local_moments(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Means of x and y, their variances, their covariance around each pixel of frames (t, h, w): (5, t, h, w).

    The window is an 11x11 Gaussian of sigma 1.5, as in [wang2004]; beyond an edge the frame is mirrored.
    """
    from semlink.link.metrics.window_kernel import moments

    found = np.empty((5, *x.shape))
    x, y = (np.ascontiguousarray(frames, np.float64) for frames in (x, y))
    moments(x, y, _weights(), *map(_mirrored, x.shape[1:]), found)
    return found


def similarity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Structural similarity around each pixel of frames (t, h, w).

    Source: [wang2004, eq. (13)].
    """
    from semlink.link.metrics.window_kernel import similarity as compared

    out = np.empty(x.shape)
    x, y = (np.ascontiguousarray(frames, np.float64) for frames in (x, y))
    compared(x, y, _weights(), *map(_mirrored, x.shape[1:]), C1, C2, out)
    return out


def where_whole(frames: np.ndarray) -> np.ndarray:
    """The part (t, h - 10, w - 10) of a map where the window lies inside the frame; all of one smaller than it."""
    edge = REACH if min(frames.shape[1:]) >= SIDE else 0
    return frames[:, edge : frames.shape[1] - edge, edge : frames.shape[2] - edge]


def _weights() -> np.ndarray:
    """Half of the window, its middle first."""
    places = np.arange(-REACH, REACH + 1)
    whole = np.exp(-0.5 / SIGMA**2 * places**2)
    return np.ascontiguousarray((whole / whole.sum())[REACH:])


def _mirrored(size: int) -> np.ndarray:
    """Which of `size` pixels stands at each place from -5 on: c b a | a b c | c b a."""
    places = np.arange(-REACH, size + REACH) % (2 * size)
    return np.where(places < size, places, 2 * size - 1 - places)
