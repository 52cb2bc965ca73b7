"""Fading and echoes: powers, delays, Doppler, level crossings; and what a channel can carry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from semlink.link.validate.chance import averaged, seeds_of
from semlink.link.validate.entry import Bench, Found, found_exactly, through
from semlink.phy import capacity
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.multipath_38901 import Profile, Tdl
from semlink.phy.channels.sionna_paths import sionna_model
from semlink.units import from_db, to_db

__all__ = ["Capacity", "Clarke", "Echo", "GainLaw", "NoisePower", "TdlProfile"]

SPREAD_NS = 100.0


@dataclass(frozen=True, slots=True)
class NoisePower:
    """The power of what `awgn` adds, in dB above the signal's, and its share in the real part."""

    snr_db: float
    symbols: int = 400_000

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        nothing = torch.zeros(1, self.symbols, dtype=torch.complex64)
        noise = Awgn()(nothing, self.snr_db, seeds_of(bench, self)).iq[0].numpy().astype(complex)
        power = averaged(np.abs(noise) ** 2, f"{self.symbols:,} symbols")
        return {"": _in_db(power), "real": averaged(noise.real**2 / np.mean(np.abs(noise) ** 2), power.words)}


def _in_db(found: Found) -> Found:
    return through(found, lambda power: to_db(max(power, 0.0)))


@dataclass(frozen=True, slots=True)
class GainLaw:
    """Of a gain that is drawn anew for each symbol: power, fourth moment, and how often it is `below` (a power)."""

    k: float = 0.0
    below: float = 0.1
    draws: int = 200_000

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        channel = Rician(self.k, coherence="symbol") if self.k else Rayleigh("symbol")
        heard = channel(torch.ones(1, self.draws, dtype=torch.complex64), 20.0, seeds_of(bench, self))
        assert heard.gain is not None
        power = heard.gain[0].numpy().astype(complex)
        power = np.abs(power) ** 2
        return {
            "power": averaged(power),
            "fourth": averaged(power**2),
            "below": averaged((power < self.below).astype(float)),
        }


@dataclass(frozen=True, slots=True)
class Clarke:
    """A Rayleigh gain that moves with `doppler` cycles a symbol: correlation at `lags`, crossings of `level` upwards.

    `level` is an amplitude over the root mean square.
    """

    doppler: float
    lags: tuple[int, ...]
    level: float
    clips: int = 400
    symbols: int = 2000

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        seeds = seeds_of(bench, self, self.clips)
        channel = Rayleigh("symbol", self.doppler)
        heard = channel(torch.ones(self.clips, self.symbols, dtype=torch.complex64), 20.0, seeds)
        assert heard.gain is not None
        gain = heard.gain.numpy().astype(complex)
        found = {}
        for lag in self.lags:
            found[f"lag {lag}"] = averaged((gain[:, lag:] * gain[:, :-lag].conj()).real.mean(axis=1))
        above = np.abs(gain) >= self.level
        found["crossings"] = averaged((above[:, 1:] & ~above[:, :-1]).mean(axis=1))
        return found


@dataclass(frozen=True, slots=True)
class TdlProfile:
    """A profile of TR 38.901 at a delay spread of 100 ns, as its table of paths has it."""

    profile: Profile

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        channel = Tdl(self.profile, delay_spread_ns=SPREAD_NS)
        model = sionna_model("tdl", self.profile, SPREAD_NS * 1e-9, 3.5e9, 0.0)
        powers, delays = model.mean_powers.double().numpy(), model.delays.double().numpy() * 1e9 / SPREAD_NS
        share = powers / powers.sum()
        mean = float((share * delays).sum())
        found = {
            "power": to_db(float(powers.sum())),
            "spread": math.sqrt(float((share * delays**2).sum()) - mean**2),
            "last": channel.max_delay_s * 1e9 / SPREAD_NS,
            "paths": float(len(delays)),
            "k": to_db(channel.k_factor),
        }
        return {name: found_exactly(number) for name, number in found.items()}


@dataclass(frozen=True, slots=True)
class Echo:
    """An impulse through a profile: the power in dB that the antenna hears, and its mean delay over the spread."""

    profile: Profile
    delay_spread_ns: float = 300.0
    clips: int = 400

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        channel = Tdl(self.profile, delay_spread_ns=self.delay_spread_ns, bandwidth_mhz=7.68)
        last = math.ceil(channel.max_delay_s * channel.bandwidth_hz)
        sent = torch.zeros(self.clips, last + 40, dtype=torch.complex64)
        sent[:, 20] = 1
        heard = channel(sent, 200.0, seeds_of(bench, self, self.clips)).iq.numpy().astype(complex)
        power = np.abs(heard) ** 2
        total = power.sum(axis=1)
        delays = (np.arange(power.shape[1]) - 20) / channel.bandwidth_hz / channel.delay_spread_s
        mean = averaged(power @ delays)
        return {"power": _in_db(averaged(total)), "delay": mean}


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bits per channel use of a limit at `snr_db`; of `outage` the chance that `rate` does not pass."""

    limit: Literal["shannon", "rayleigh", "cm", "bicm", "outage"]
    snr_db: float
    bits_per_symbol: int = 0
    rate: float = 0.0

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        snr = from_db(self.snr_db)
        if self.limit == "shannon":
            value = capacity.shannon(snr)
        elif self.limit == "rayleigh":
            value = capacity.ergodic_capacity(snr)
        elif self.limit == "outage":
            value = capacity.outage_probability(snr, self.rate)
        else:
            formula = capacity.cm_capacity if self.limit == "cm" else capacity.bicm_capacity
            value = formula(self.bits_per_symbol, snr)
        return {"": found_exactly(value)}
