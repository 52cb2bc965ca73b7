"""Multipath as 3GPP measured it: TDL and CDL profiles A to E of TR 38.901.

Real samples pass a tapped delay line that drifts with the speed: cyclic
prefixes get used up, subcarriers leak into each other. Meant for `Ofdm`, whose
num_subcarriers times spacing is this channel's `bandwidth_mhz`.
The paths come from Sionna, see `sionna_paths`.
Source: [3gpp38901, tables 7.7.1-1 to 7.7.2-5].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from semlink.blocks import GainLaw
from semlink.phy.capacity import ergodic_capacity
from semlink.phy.channels.awgn import NoisyChannel
from semlink.phy.channels.sionna_paths import Family, draw_many_paths, draw_paths, path_seed, sionna_model
from semlink.phy.channels.tapped_delay_line import PRECURSOR, Echoes, filter_with, taps_from_paths
from semlink.phy.validation import need_choice, need_number
from semlink.seeds import Seeds
from semlink.units import from_db

if TYPE_CHECKING:
    import torch

Profile = Literal["A", "B", "C", "D", "E"]
SPEED_OF_LIGHT = 299_792_458.0
POWERS_PER_TURN = 4  # times at which the power response is read in a period of the maximum Doppler shift, and
MOST_TIMES, SUBCARRIERS = 8, 16  # at most that many of them, on so many subcarriers
_DRAWS_AT_ONCE = 256
KNOTS_PER_DOPPLER = 128  # straight lines between knots then err by less than -70 dB

# delay of the last path over the delay spread, and power of the line of sight
# and of all else in dB: [3gpp38901, tables 7.7.2-1 to 7.7.2-5]
LAST_DELAY = {"A": 9.6586, "B": 4.7834, "C": 8.6523, "D": 12.525, "E": 20.6519}


@dataclass(frozen=True, slots=True)
class _Multipath(NoisyChannel):
    """What TDL and CDL share.

    Attributes:
        profile: A, B, C have no line of sight, D and E have one.
        delay_spread_ns: root mean square.
        speed_kmh, carrier_ghz: of the receiver; they set the Doppler spread.
        bandwidth_mhz: sample rate of the antenna.
    """

    profile: Profile = "C"
    delay_spread_ns: float = 100.0
    speed_kmh: float = 3.0
    carrier_ghz: float = 3.5
    bandwidth_mhz: float = 3.84

    def __post_init__(self) -> None:
        name = type(self).__name__
        need_choice(f"{name}.profile", self.profile, tuple(LAST_DELAY))
        need_number(f"{name}.delay_spread_ns", self.delay_spread_ns, 0)
        need_number(f"{name}.speed_kmh", self.speed_kmh, 0)
        need_number(f"{name}.carrier_ghz", self.carrier_ghz, 0.5, 100)
        need_number(f"{name}.bandwidth_mhz", self.bandwidth_mhz, 1e-3, 2000)

    @property
    def bandwidth_hz(self) -> float:  # type: ignore[override]
        """Samples per second."""
        return self.bandwidth_mhz * 1e6

    @property
    def max_delay_s(self) -> float:  # type: ignore[override]
        """Delay of the last path."""
        return LAST_DELAY[self.profile] * self.delay_spread_ns * 1e-9

    @property
    def delay_spread_s(self) -> float:  # type: ignore[override]
        """Root mean square of the delays."""
        return self.delay_spread_ns * 1e-9

    @property
    def doppler_hz(self) -> float:  # type: ignore[override]
        """Maximum Doppler shift."""
        return self.speed_kmh / 3.6 * self.carrier_ghz * 1e9 / SPEED_OF_LIGHT

    def _hear(self, family: Family, iq: torch.Tensor, seeds: Seeds) -> Echoes:
        import torch

        num = iq.shape[-1]
        stride = self._stride(num)
        taps = torch.stack([self._taps(family, path_seed(seeds, clip), num, stride) for clip in seeds.clips])
        taps = taps.to(device=iq.device, dtype=iq.dtype)
        return Echoes(
            filter_with(iq, taps, -PRECURSOR, stride),
            taps=taps,
            first_lag=-PRECURSOR,
            stride=stride,
            bandwidth_hz=self.bandwidth_hz,
            max_delay_s=self.max_delay_s,
        )

    def _powers(self, family: Family, uses: int, draws: int) -> np.ndarray:
        """|H(f, t)|^2 of `draws` transmissions of `uses` samples: float32 (draw, time and subcarrier)."""
        import torch

        periods = uses / self.bandwidth_hz * self.doppler_hz
        times = min(MOST_TIMES, 1 + int(POWERS_PER_TURN * periods))
        speed, spread = self.speed_kmh / 3.6, self.delay_spread_ns * 1e-9
        model = sionna_model(family, self.profile, spread, self.carrier_ghz * 1e9, speed)
        frequencies = ((torch.arange(SUBCARRIERS, dtype=torch.float64) + 0.5) / SUBCARRIERS - 0.5) * self.bandwidth_hz
        powers = []
        for first in range(0, draws, _DRAWS_AT_ONCE):
            num = min(_DRAWS_AT_ONCE, draws - first)
            gains, delays = draw_many_paths(model, first, num, times, times * self.bandwidth_hz / uses)
            turns = torch.exp(-2j * torch.pi * frequencies[:, None] * delays[:, None, :])  # (draw, subcarrier, path)
            powers.append((turns @ gains).abs().square().flatten(1).float().numpy())
        return np.concatenate(powers)

    def _stride(self, num: int) -> int:
        if self.doppler_hz == 0:
            return max(num, 1)
        return max(1, int(self.bandwidth_hz / (KNOTS_PER_DOPPLER * self.doppler_hz)))

    def _taps(self, family: Family, seed: int, num: int, stride: int) -> torch.Tensor:
        speed, spread = self.speed_kmh / 3.6, self.delay_spread_ns * 1e-9
        model = sionna_model(family, self.profile, spread, self.carrier_ghz * 1e9, speed)
        gains, delays = draw_paths(model, seed, -(-num // stride) + 1, self.bandwidth_hz / stride)
        return taps_from_paths(gains, delays * self.bandwidth_hz, self.max_delay_s * self.bandwidth_hz)


@dataclass(frozen=True, slots=True)
class Tdl(_Multipath):
    """Tapped delay line: Rayleigh taps, and a steady first path in D and E."""

    def capacity(self, snr_db: float) -> float:
        """Ergodic capacity of one subcarrier in bits per use, the receiver knowing the channel."""
        return ergodic_capacity(from_db(snr_db), self.k_factor)

    @property
    def k_factor(self) -> float:
        """Power of the line of sight over all else, 0 without one."""
        if self.profile not in "DE":
            return 0.0
        model = sionna_model("tdl", self.profile, 0.0, self.carrier_ghz * 1e9, 0.0)
        direct = float(model.mean_power_los)
        return direct / (1 - direct)

    @property
    def law(self) -> GainLaw:  # type: ignore[override]
        """Of the gain that one subcarrier meets."""
        return ("rician", self.k_factor) if self.k_factor else "rayleigh"

    def gain_powers(self, uses: int, draws: int) -> np.ndarray:
        """|H|^2 over time and frequency of `draws` transmissions, for bounds: (draw, point)."""
        return self._powers("tdl", uses, draws)

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> Echoes:
        return self._hear("tdl", iq, seeds)


@dataclass(frozen=True, slots=True)
class Cdl(_Multipath):
    """Clustered delay line: rays with angles, one vertical omnidirectional antenna at either end."""

    def gain_powers(self, uses: int, draws: int) -> np.ndarray:
        """|H|^2 over time and frequency of `draws` transmissions, for bounds: (draw, point)."""
        return self._powers("cdl", uses, draws)

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> Echoes:
        return self._hear("cdl", iq, seeds)
