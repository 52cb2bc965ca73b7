"""White Gaussian noise at a stated SNR, alone and behind whatever else a channel does.

    y = x + w,   w ~ CN(0, 10^(-snr_db / 10)) per complex channel use

The noise level follows from `snr_db` alone; it never looks at the batch.

Source: [proakis2008].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.seeds import Seeds
from semlink.units import noise_var_from_snr

if TYPE_CHECKING:
    import torch

NOISE = "phy/noise"
"""The stream of all channels' white noise."""


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
    return iq + unit_noise(iq, seeds, stream) * noise_var**0.5


def unit_noise(iq: torch.Tensor, seeds: Seeds, stream: str = NOISE) -> torch.Tensor:
    """Noise of variance 1 for `iq` (clip, n), of its type and on its device."""
    return seeds.complex_normal(stream, iq.shape[1]).to(device=iq.device, dtype=iq.dtype)


class NoisyChannel(ChannelBase):
    """A channel that does something to the symbols, the same at any SNR, and then adds white noise.

    So the same draw is known at all SNRs once it is known without noise.
    """

    __slots__ = ()

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        """What would arrive without noise: all of `ChannelOutput` but its `noise_var`."""
        raise NotImplementedError

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        noise_var = noise_var_at(snr_db)
        heard = self.without_noise(iq, seeds)
        return replace(heard, iq=add_noise(heard.iq, noise_var, seeds, NOISE), noise_var=noise_var)


@dataclass(frozen=True, slots=True)
class Awgn(NoisyChannel):
    """Additive white Gaussian noise and nothing else."""

    law = "constant"

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        return ChannelOutput(iq)
