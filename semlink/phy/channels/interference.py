"""Someone else on the same frequency.

    y = x + i + w,   E|i|^2 = 10^(-sir_db / 10)

The receiver knows the long-term level of noise plus interference and nothing
about when or how the other station speaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import add_noise, noise_var_at
from semlink.phy.validation import need_choice, need_count, need_number
from semlink.seeds import Seeds
from semlink.units import from_db

if TYPE_CHECKING:
    import torch

KINDS = ("tone", "burst", "qam")
_STREAM = "phy/interference"


def tone(seeds: Seeds, num: int, frequency: float | None) -> torch.Tensor:
    """A unit carrier of random phase at `frequency` cycles per symbol, or at a random one: (clip, num)."""
    import torch

    phase, offset = seeds.uniform(_STREAM, 2).double().split(1, dim=1)
    cycles = offset - 0.5 if frequency is None else torch.full_like(offset, frequency)
    angle = (2 * torch.pi * (phase + cycles * torch.arange(num)).remainder(1.0)).float()
    return torch.polar(torch.ones_like(angle), angle)


def gaussian_bursts(seeds: Seeds, num: int, duty: float, length: int) -> torch.Tensor:
    """Gaussian noise in blocks of `length` symbols, each on air with chance `duty`; unit power on average."""
    on_air = seeds.uniform(_STREAM + "/on_air", -(-num // length)) < duty
    loud = on_air.repeat_interleave(length, dim=1)[:, :num]
    return seeds.complex_normal(_STREAM, num) * loud / math.sqrt(duty)


def qam_station(seeds: Seeds, num: int) -> torch.Tensor:
    """Unit-power random 16-QAM in step with our symbols, its carrier at a random phase: (clip, num)."""
    import torch

    level = (seeds.uniform(_STREAM, num, 2) * 4).floor().clamp(max=3) * 2 - 3
    angle = 2 * torch.pi * seeds.uniform(_STREAM + "/phase", 1)
    return torch.view_as_complex(level.contiguous()) / math.sqrt(10) * torch.polar(torch.ones_like(angle), angle)


@dataclass(frozen=True, slots=True)
class Interference(ChannelBase):
    """White noise and one interferer.

    Attributes:
        sir_db: signal power over the interferer's long-term power.
        interferer: "tone" (a carrier), "burst" (Gaussian, on and off) or "qam" (a co-channel station).
        frequency: of the tone, cycles per symbol; None draws one per clip.
        duty, burst: share of the time that bursts fill, and their length in symbols.
    """

    sir_db: float
    interferer: Literal["tone", "burst", "qam"] = "tone"
    frequency: float | None = None
    duty: float = 0.1
    burst: int = 64
    law = "constant"

    def __post_init__(self) -> None:
        need_number("Interference.sir_db", self.sir_db)
        need_choice("Interference.interferer", self.interferer, KINDS)
        if self.frequency is not None:
            need_number("Interference.frequency", self.frequency, -0.5, 0.5)
        need_number("Interference.duty", self.duty, 1e-6, 1)
        need_count("Interference.burst", self.burst, 1)

    @property
    def interference_var(self) -> float:  # type: ignore[override]
        """E|i|^2."""
        return from_db(-self.sir_db)

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        noise_var = noise_var_at(snr_db)
        other = self._station(seeds, iq.shape[-1]).to(device=iq.device, dtype=iq.dtype)
        heard = add_noise(iq + other * self.interference_var**0.5, noise_var, seeds, "phy/noise")
        return ChannelOutput(heard, noise_var=noise_var + self.interference_var)

    def _station(self, seeds: Seeds, num: int) -> torch.Tensor:
        if self.interferer == "tone":
            return tone(seeds, num, self.frequency)
        return (
            gaussian_bursts(seeds, num, self.duty, self.burst)
            if self.interferer == "burst"
            else qam_station(seeds, num)
        )
