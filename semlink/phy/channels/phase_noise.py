"""Oscillator phase noise: the carrier phase walks.

    y_k = x_k e^{j phi_k} + w_k,   phi_k = phi_{k-1} + N(0, 2 pi linewidth)

`linewidth` is the 3 dB linewidth of transmitter and receiver together times
the symbol time; the phase starts at 0, where the receiver locked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import NoisyChannel
from semlink.phy.channels.fading import faded
from semlink.phy.validation import need_number
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import torch


def wiener_phase(seeds: Seeds, num: int, linewidth: float) -> torch.Tensor:
    """A random walk in radians with step variance 2 pi `linewidth`: float64 (clip, num), 0 at the start.

    Source: [foschini1988, introduction].
    """
    import torch

    steps = seeds.normal("phy/phase_noise", num).double() * (2 * torch.pi * linewidth) ** 0.5
    return steps.cumsum(1) - steps[:, :1]


@dataclass(frozen=True, slots=True)
class PhaseNoise(NoisyChannel):
    """A Wiener phase and white noise; `linewidth` is linewidth times symbol time."""

    linewidth: float = field()
    law = "constant"

    def __post_init__(self) -> None:
        need_number("PhaseNoise.linewidth", self.linewidth, 0, 0.5)

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        import torch

        phase = wiener_phase(seeds, iq.shape[-1], self.linewidth)
        return faded(iq, torch.polar(torch.ones_like(phase), phase))
