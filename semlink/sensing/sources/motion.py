"""How much a clip moves, and the classes that comparisons and tables speak of."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Motion = Literal["slow", "medium", "fast"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)

# Mean absolute frame difference that parts 23 real videos (93 clips of 16 frames, centre 240x240) into thirds:
# 6.4 and 12.4 gray levels of 255 over clips, 6.0 and 11.4 over the videos' medians.
SLOW_BELOW, FAST_FROM = 6.0 / 255, 12.0 / 255


def motion_of(clip: np.ndarray) -> float:
    """Mean absolute difference of neighbouring frames of a clip (t, h, w), in the clip's own units."""
    return float(np.abs(np.diff(clip, axis=0)).mean(dtype=np.float64)) if len(clip) > 1 else 0.0


def motion_class(clip: np.ndarray) -> Motion:
    """How much a clip (t, h, w) in [0, 1] moves, told by `motion_of`: `slow` below 6/255, `fast` from 12/255 on."""
    motion = motion_of(clip)
    return "slow" if motion < SLOW_BELOW else "medium" if motion < FAST_FROM else "fast"
