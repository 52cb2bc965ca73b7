"""Turned and mirrored pictures: what a camera that was held upright writes into a file's display matrix."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

Orientation = tuple[bool, bool, bool]
"""Rows and columns exchanged; then mirrored left to right; then upside down."""
UPRIGHT: Orientation = (False, False, False)


def orientation_of(frame: av.VideoFrame) -> Orientation | None:
    """How a decoded frame is to be shown; None for an angle that is no multiple of 90 degrees."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else orientation_in(np.frombuffer(bytes(matrix), dtype="=i4"))


def orientation_in(matrix: np.ndarray) -> Orientation | None:
    """The orientation in a display matrix a, b, u, c, d, v, x, y, w.

    Column p of row q is shown in column a p + c q + x of row b p + d q + y.
    """
    a, b, c, d = (int(np.sign(matrix[place])) if abs(matrix[place]) > 1 else 0 for place in (0, 1, 3, 4))
    if a and d and not b and not c:
        return False, a < 0, d < 0
    if b and c and not a and not d:
        return True, c < 0, b < 0
    return None


def turned(frame: np.ndarray, orientation: Orientation | None) -> np.ndarray:
    """A frame (h, w) or (3, h, w) as it is to be shown."""
    exchanged, mirrored, upside_down = orientation or UPRIGHT
    shown = frame.swapaxes(-1, -2) if exchanged else frame
    shown = shown[..., ::-1] if mirrored else shown
    shown = shown[..., ::-1, :] if upside_down else shown
    return np.ascontiguousarray(shown)
