"""Multi-scale structural similarity: contrast and structure at halved sizes, luminance at the last."""

from __future__ import annotations

import numpy as np

from semlink.link.metrics.gaussian_window import C1, C2, SIDE, local_moments, where_whole

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales [wang2003, Sec. 3.2]."""


def ms_ssim(reference: np.ndarray, received: np.ndarray) -> float:
    """Multi-scale structural similarity of a clip (t, h, w) in [0, 1], the mean over its frames.

    Frames of less than 161 pixels on a side have as many of the five scales as leave one whole
    window, the exponents scaled to the same sum; `missing_scales` says so. Negative structure counts
    as none.

    Source: [wang2003, eq. (7) and Sec. 3.2], windows and constants of [wang2004]; sizes are halved as
    in the authors' program, which asks for 176 pixels on a side.
    """
    x, y = reference.astype(np.float64), np.clip(received, 0.0, 1.0).astype(np.float64)
    weights = scale_weights(min(x.shape[1:]))
    index = np.ones(len(x))
    for number, weight in enumerate(weights):
        luminance, structure = luminance_and_structure(x, y)
        last = number + 1 == len(weights)
        index *= np.maximum((luminance * structure if last else structure).mean(axis=(1, 2)), 0.0) ** weight
        if not last:
            x, y = _halved(x), _halved(y)
    return float(index.mean())


def scale_weights(side: int) -> list[float]:
    """The exponents for frames whose shorter side is `side`."""
    scales = 1
    while scales < len(WEIGHTS) and -(-side >> scales) >= SIDE:
        scales += 1
    return [weight / sum(WEIGHTS[:scales]) * sum(WEIGHTS) for weight in WEIGHTS[:scales]]


def missing_scales(height: int, width: int) -> str:
    """What to tell of frames too small for all five scales; '' for all others."""
    scales = len(scale_weights(min(height, width)))
    if scales == len(WEIGHTS):
        return ""
    return (
        f"ms_ssim: frames of {height}x{width} leave room for {scales} of its {len(WEIGHTS)} scales (161 pixels on "
        "a side are needed); compare it with that of other sizes or papers with care"
    )


def luminance_and_structure(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast times structure, where the window lies inside the frame: (t, h - 10, w - 10).

    Source: [wang2004, eqs. (6), (9) and (10)] with C3 = C2 / 2.
    """
    mean_x, mean_y, var_x, var_y, cov = local_moments(x, y)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * cov + C2) / (var_x + var_y + C2)
    return where_whole(luminance), where_whole(structure)


def _halved(frames: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels (t, ceil(h / 2), ceil(w / 2)); beyond an odd end the last row or column stands again."""
    odd = [(0, 0), *((0, side % 2) for side in frames.shape[1:])]
    even = np.pad(frames, odd, mode="edge")
    return (even[:, 0::2, 0::2] + even[:, 1::2, 0::2] + even[:, 0::2, 1::2] + even[:, 1::2, 1::2]) / 4
