"""The detail of a frame that is worth enlarging: where schemes differ most, else where most edges are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semlink.link.metrics.psnr_ssim import psnr_db

__all__ = ["Crop", "crop_at", "telling_crop"]

LOST_DB = 15.0
"""Below it a picture is grey or torn everywhere, and would outweigh all others."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A window into a frame, in its own pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, frame: np.ndarray) -> np.ndarray:
        """The part of `frame` (h, w) under the window."""
        return frame[self.top : self.top + self.height, self.left : self.left + self.width]


def telling_crop(
    frame: np.ndarray,
    motion: np.ndarray | None = None,
    received: Sequence[np.ndarray] = (),
    *,
    largest: tuple[int, int] = (2**30, 2**30),
) -> Crop:
    """The window, a quarter of the frame each way, in which schemes differ most.

    Where they do not, or one stands alone, the one with most edges, the moving
    ones counting more. Windows have at most `largest` rows and columns and lie
    on a grid of a quarter of their own size.

    Args:
        frame: the source, (h, w) in [0, 1].
        motion: (h, w) absolute frame difference.
        received: what schemes made of it, (h, w) each.
    """
    height, width = _size(frame.shape, largest)
    interest = _differences(frame, received)
    if interest is None:
        interest = _edges(frame, motion)
    table = np.pad(interest.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops = range(0, frame.shape[0] - height + 1, max(1, height // 4))
    lefts = range(0, frame.shape[1] - width + 1, max(1, width // 4))

    def inside(top: int, left: int) -> float:
        low, right = top + height, left + width
        return table[low, right] - table[top, right] - table[low, left] + table[top, left]

    top, left = max(((t, c) for t in tops for c in lefts), key=lambda place: inside(*place))
    return Crop(top, left, height, width)


def crop_at(x: int, y: int, shape: tuple[int, ...], *, largest: tuple[int, int] = (2**30, 2**30)) -> Crop:
    """The window around a pixel, moved inside the frame where it would leave it."""
    height, width = _size(shape, largest)
    top = min(max(y - height // 2, 0), shape[0] - height)
    return Crop(top, min(max(x - width // 2, 0), shape[1] - width), height, width)


def _size(shape: tuple[int, ...], largest: tuple[int, int]) -> tuple[int, int]:
    height, width = (min(n, most, max(8, round(n / 4))) for n, most in zip(shape, largest))
    return height, width


def _differences(frame: np.ndarray, received: Sequence[np.ndarray]) -> np.ndarray | None:
    """Variance between schemes at each pixel; None where there is none to speak of.

    Schemes that lost the frame count only where fewer than two others have it.
    """
    found = [picture for picture in received if picture.shape == frame.shape]
    seen = [picture for picture in found if psnr_db(frame, picture) > LOST_DB]
    found = seen if len(seen) > 1 else found
    if len(found) < 2:
        return None
    variance = np.var(np.stack(found), axis=0)
    return variance if float(variance.max()) > 1e-6 else None


def _edges(frame: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
    rows, columns = np.gradient(np.asarray(frame, np.float64)) if min(frame.shape) > 1 else (frame, frame)
    interest = np.hypot(rows, columns)
    if motion is not None and np.any(motion > 0):
        interest = interest * (0.25 + motion / motion.mean()).clip(max=8.0)
    return interest
