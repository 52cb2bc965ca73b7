"""White Gaussian noise at a stated SNR.

    y = x + w,   w ~ CN(0, 10^(-snr_db / 10)) per complex channel use

The noise level follows from `snr_db` alone; it never looks at the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

if TYPE_CHECKING:
    import torch


def noise_var_at(snr_db: float) -> float:
    """E|w|^2 per complex use at `snr_db` for unit signal power.

    Raises:
        ValueError: `snr_db` is not finite.
    """
    if not math.isfinite(snr_db):
        raise ValueError(f"snr_db: got {snr_db!r}; need a finite number of decibels")
    return noise_var_from_snr(snr_db)


def add_noise(iq: torch.Tensor, noise_var: float, seeds: Seeds, stream: str) -> torch.Tensor:
    """`iq` (clip, n) plus circular Gaussian noise from `stream`, half of `noise_var` in each real dimension.

    Streams are complex64; other complex types of `iq` are kept, and so is the device.

    Raises:
        ValueError: `iq` does not hold one row for each clip of `seeds`.
    """
    if iq.ndim != 2 or iq.shape[0] != len(seeds.clips):
        raise ValueError(f"iq: got shape {tuple(iq.shape)}; need (clip, n) with {len(seeds.clips)} clips")
    noise = seeds.complex_normal(stream, iq.shape[1]).to(device=iq.device, dtype=iq.dtype)
    return iq + noise * noise_var**0.5


@dataclass(frozen=True, slots=True)
class Awgn(ChannelBase):
    """Additive white Gaussian noise and nothing else."""

    law = "constant"

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        noise_var = noise_var_at(snr_db)
        return ChannelOutput(add_noise(iq, noise_var, seeds, "phy/noise"), noise_var=noise_var)
