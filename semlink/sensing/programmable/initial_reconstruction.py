"""Initial reconstruction: the pseudo-inverse of the exposure operator.

V0 = A^T (A A^T)^-1 m: each frame gets the mean of the exposure it fell into,
with an aperture the mean over its open frames. Where nothing was read, 0.

Source: [zhang2024crl, eqs. (3) and (5)].
"""

from __future__ import annotations

import torch

from semlink.sensing.programmable.exposure import exposure_gain, spread


def initial_reconstruction(slots: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """V0 (b, T, h, w) from readings (b, T/2, h, w); `counts` (h, w) or (b, h, w), `mask` (T, h, w) or None."""
    gain = exposure_gain(counts, 2 * slots.shape[1], mask).to(slots.dtype)
    share = torch.where(gain > 0, slots / gain.clamp_min(1), 0)
    return spread(share, counts, mask)
