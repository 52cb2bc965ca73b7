"""A metric of your own: how good a received clip is.

In a scenario:

    metrics: [psnr, my_metric.py:my_metric]
"""

from __future__ import annotations

import numpy as np


def my_metric(reference: np.ndarray, received: np.ndarray) -> float:
    """Mean absolute error; one finite number for a clip.

    Args:
        reference: the source's clip, float32 (t, h, w) in [0, 1].
        received: what the receiver made of it, of the same shape; it may leave [0, 1].
    """
    return float(np.abs(reference - np.clip(received, 0, 1)).mean())
