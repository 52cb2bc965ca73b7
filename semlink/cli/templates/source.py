"""A source of your own: where clips come from.

In a scenario:

    source: {kind: my_source.py:MySource, clips: 2, frames: 8, size: [64, 64]}
"""

from __future__ import annotations

import numpy as np

from semlink.blocks import SourceBase


class MySource(SourceBase):
    """Moving waves, another speed for each clip."""

    def __init__(self, clips: int = 2, frames: int = 8, size: tuple[int, int] = (64, 64)) -> None:
        self.clips, self.frames, self.size = clips, frames, tuple(size)

    def __len__(self) -> int:
        """How many clips there are."""
        return self.clips

    def name(self, index: int) -> str:
        """What clip `index` is called in tables; no two may share a name."""
        return f"wave{index}"

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`, float32 (frames, height, width) in [0, 1]; the same array at every call."""
        height, width = self.size
        t, y, x = np.mgrid[: self.frames, :height, :width]
        return (0.5 + 0.4 * np.sin((x + (index + 1) * t) / 9) * np.cos(y / 7)).astype(np.float32)
