"""When a descent may end: its loss has stopped to fall."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["EarlyStopping"]


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """A sequence ends when its mean loss of a window is not `gain` lower than `patience` windows before.

    Attributes:
        window: epochs over which the loss is averaged, so that the noise of Adam does not count.
        patience: windows to look back.
        gain: relative, such as 0.01.
    """

    window: int = 50
    patience: int = 4
    gain: float = 0.003

    def is_due(self, epochs: int) -> bool:
        """Whether to look after so many epochs."""
        return epochs % self.window == 0 and epochs > self.patience * self.window

    def ended(self, loss: torch.Tensor) -> torch.Tensor:
        """Which sequences (s,) may end, by their loss (epochs, s)."""
        means = loss.unflatten(0, (-1, self.window)).mean(1)
        return means[-1] >= (1 - self.gain) * means[-1 - self.patience]
