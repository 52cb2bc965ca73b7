"""Readings as brightness, the form in which tokens take them."""

from __future__ import annotations

import torch

from semlink.sensing.programmable.exposure import exposure_gain


def brightness(
    slots: torch.Tensor, counts: torch.Tensor, mean: float, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean brightness over the open frames of each exposure less `mean`, 0 where nothing is read: (b, slots, h, w).

    Args:
        slots: full-scale sums (b, slots, h, w).
        counts: ratio map (h, w) or (b, h, w).
        mask: aperture (frames, h, w), 0 or 1, or None.
    """
    gain = exposure_gain(counts, 2 * slots.shape[1], mask).to(slots.dtype)
    return torch.where(gain > 0, slots / gain.clamp_min(1) - mean, 0)
