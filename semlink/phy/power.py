"""Power of complex baseband: average 1 per complex channel use, per clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def mean_power(iq: torch.Tensor) -> torch.Tensor:
    """E|x|^2 over the symbols of each clip: (clip, n) -> (clip,)."""
    return (iq.real**2 + iq.imag**2).mean(-1)


def unit_power(iq: torch.Tensor) -> torch.Tensor:
    """`iq` (clip, n) scaled so that each clip has average power 1.

    Raises:
        ValueError: a clip is silent.
    """
    power = mean_power(iq)
    if not bool((power > 0).all()):
        raise ValueError(f"unit_power: got mean powers {power.tolist()}; need every clip > 0")
    return iq * power.rsqrt().unsqueeze(-1)


def papr_db(iq: torch.Tensor) -> torch.Tensor:
    """Peak over average power of each clip in decibels: (clip, n) -> (clip,)."""
    peak = (iq.real**2 + iq.imag**2).amax(-1)
    return 10 * (peak / mean_power(iq)).log10()
