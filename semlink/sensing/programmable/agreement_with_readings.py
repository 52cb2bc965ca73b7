"""Frames that say another brightness than the readings, over whole regions, are brought back to what was read.

A network meets regions that its training clips had none of, such as large black ones, and may make them gray. The
readings say so: the mean of their residuals over some pixels is far beyond noise. What it is there, the frames
get; where the mean is small, as in every region that the network knows, they stay as they are to the bit.

Source: this project's; the residual is that of the projection step of [yuan2016gaptv, Algorithm 1], taken in the mean.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from semlink.sensing.programmable.exposure import expose, exposure_gain, spread

__all__ = ["kept_to_readings"]

WINDOW = 9
"""Pixels along the side of what the mean is taken over."""
SMALL, LARGE = 0.03, 0.06
"""Mean residuals, in intensity of a frame, up to which nothing is done and from which all is. In 16 clips of filmed
video and of scenes, at 2.5 readings a pixel, the largest was 0.026; in a black region gone gray it was 0.29."""


def kept_to_readings(
    frames: torch.Tensor, slots: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Frames (b, T, h, w) of the mean brightness that readings (b, T/2, h, w) have in the neighbourhood.

    Args:
        frames: of a network, in [0, 1].
        slots: the readings that they were made from, full-scale sums.
        counts: ratio map (h, w).
        mask: aperture (T, h, w), 0 or 1, or None.
    """
    gain = exposure_gain(counts, frames.shape[1], mask).to(frames.dtype)
    residual = torch.where(gain > 0, (slots - expose(frames, counts, mask)) / gain.clamp_min(1), 0)
    seen = (counts > 0).to(frames.dtype).expand_as(frames) * (1 if mask is None else mask)
    mean = _smoothed(spread(residual, counts, mask)) / _smoothed(seen).clamp_min(1e-3)
    share = ((mean.abs() - SMALL) / (LARGE - SMALL)).clamp(0, 1)
    return frames + share * mean


def _smoothed(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, WINDOW, 1, WINDOW // 2)
