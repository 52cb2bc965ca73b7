"""Flat fading: one complex gain per symbol, with its phase.

    y = h x + w,   E|h|^2 = 1
    Rayleigh:  h ~ CN(0, 1)
    Rician:    h = sqrt(K / (K + 1)) e^{j theta} + sqrt(1 / (K + 1)) CN(0, 1)

The gain stands still for `coherence` symbols. Successive blocks are
independent, or with `doppler` (maximum Doppler shift times symbol time)
follow Clarke's isotropic scattering, E[h(t) h*(t - d)] = J0(2 pi doppler d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from semlink.blocks import Coherence
from semlink.payload import ChannelOutput
from semlink.phy.capacity import ergodic_capacity
from semlink.phy.channels.awgn import NoisyChannel
from semlink.phy.validation import need, need_number
from semlink.seeds import Seeds
from semlink.units import from_db

if TYPE_CHECKING:
    import torch

NUM_WAVES = 64
LOS_DOPPLER = 0.7  # of the maximum, as TR 38.901 has it for its TDL profiles with a line of sight
_TABLE = 256


def clarke_gain(rng: np.random.Generator, times: int, doppler: float) -> np.ndarray:
    """Unit-power fading at t = 0, 1, ..., `times` - 1: complex64 (times,).

    A sum of `NUM_WAVES` plane waves with random phases, their arrival angles
    spread evenly over the circle and jittered; `doppler` is in cycles per step.
    Source: [xiao2006, eqs. (6)-(7)], for the spectrum of [clarke1968], [jakes1974].
    """
    angles = 2 * np.pi * (np.arange(NUM_WAVES) + rng.random(NUM_WAVES)) / NUM_WAVES
    phases = 2 * np.pi * rng.random(NUM_WAVES)
    step = 2j * np.pi * doppler * np.cos(angles)
    coarse = np.exp(np.arange(0, max(times, 1), _TABLE)[:, None] * step + 1j * phases)  # waves at table starts
    fine = np.exp(np.arange(min(_TABLE, times))[:, None] * step)
    gain = (coarse @ fine.T).ravel()[:times] / math.sqrt(NUM_WAVES)
    return gain.astype(np.complex64)


def scattered_gain(seeds: Seeds, num_symbols: int, coherence: Coherence | None, doppler: float | None) -> torch.Tensor:
    """CN(0, 1) gains, constant over each coherence block: complex64 (clip, num_symbols)."""
    import torch

    length = block_length(coherence, num_symbols)
    blocks = -(-num_symbols // length)
    if doppler is None:
        gain = seeds.complex_normal("phy/fading", blocks)
    else:
        rngs = (seeds.numpy("phy/fading", clip) for clip in seeds.clips)
        gain = torch.from_numpy(np.stack([clarke_gain(rng, blocks, doppler * length) for rng in rngs]))
    return gain.repeat_interleave(length, dim=1)[:, :num_symbols]


def line_of_sight(seeds: Seeds, num_symbols: int, coherence: Coherence | None, doppler: float | None) -> torch.Tensor:
    """Unit gains of random phase: one phase per block, or with Doppler one that turns at 0.7 of it."""
    import torch

    length = block_length(coherence, num_symbols)
    blocks = -(-num_symbols // length)
    if doppler is None:
        phase = 2 * torch.pi * seeds.uniform("phy/line_of_sight", blocks)
    else:
        turns = seeds.uniform("phy/line_of_sight", 1) + LOS_DOPPLER * doppler * length * torch.arange(blocks).double()
        phase = (2 * torch.pi * turns.remainder(1.0)).float()
    return torch.polar(torch.ones_like(phase), phase).repeat_interleave(length, dim=1)[:, :num_symbols]


def faded(iq: torch.Tensor, gain: torch.Tensor) -> ChannelOutput:
    """`gain` (clip, n) times `iq`."""
    gain = gain.to(device=iq.device, dtype=iq.dtype)
    return ChannelOutput(gain * iq, gain=gain)


def block_length(coherence: Coherence | None, num_symbols: int) -> int:
    """Symbols over which the gain stands still; None is all of them."""
    if coherence == "symbol":
        return 1
    return max(num_symbols, 1) if coherence in ("block", None) else int(coherence)


@dataclass(frozen=True, slots=True)
class Rayleigh(NoisyChannel):
    """Rayleigh fading.

    Attributes:
        coherence: symbols with one gain; "symbol" is 1, "block" the whole clip, which None is as well.
        doppler: maximum Doppler shift times symbol time, None for independent
            blocks; the gain then moves from symbol to symbol unless
            `coherence` is a number.
    """

    coherence: Coherence | None = None
    doppler: float | None = None
    law = "rayleigh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coherence", _checked("Rayleigh", self.coherence, self.doppler))

    def capacity(self, snr_db: float) -> float:
        """Ergodic capacity in bits per use, the receiver knowing the gain."""
        return ergodic_capacity(from_db(snr_db))

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        gain = scattered_gain(seeds, iq.shape[-1], self.coherence, self.doppler)
        return faded(iq, gain)


@dataclass(frozen=True, slots=True)
class Rician(NoisyChannel):
    """Rician fading; exactly one of `k` (linear) and `k_db` is given.

    Attributes:
        k: power of the line of sight over that of the scattered part.
        k_db: the same in decibels.
        coherence, doppler: as for `Rayleigh`.
    """

    k: float | None = None
    k_db: float | None = None
    coherence: Coherence | None = None
    doppler: float | None = None

    def __post_init__(self) -> None:
        need((self.k is None) != (self.k_db is None), "Rician.k, k_db", (self.k, self.k_db), "exactly one of them")
        if self.k is not None:
            need_number("Rician.k", self.k, low=0)
        else:
            need_number("Rician.k_db", self.k_db)
        object.__setattr__(self, "coherence", _checked("Rician", self.coherence, self.doppler))

    @property
    def k_factor(self) -> float:
        """K as a power ratio."""
        return from_db(self.k_db) if self.k_db is not None else float(self.k or 0.0)

    @property
    def law(self) -> tuple[Literal["rician"], float]:  # type: ignore[override]
        """Of |h|."""
        return ("rician", self.k_factor)

    def capacity(self, snr_db: float) -> float:
        """Ergodic capacity in bits per use, the receiver knowing the gain."""
        return ergodic_capacity(from_db(snr_db), self.k_factor)

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        shape = (iq.shape[-1], self.coherence, self.doppler)
        direct = math.sqrt(self.k_factor / (self.k_factor + 1)) * line_of_sight(seeds, *shape)
        scattered = math.sqrt(1 / (self.k_factor + 1)) * scattered_gain(seeds, *shape)
        return faded(iq, direct + scattered)


def _checked(name: str, coherence: Coherence | None, doppler: float | None) -> Coherence:
    """The coherence that goes with `doppler`, both found sensible."""
    if coherence not in ("symbol", "block", None):
        allowed = "'symbol', 'block' or a whole number of symbols >= 1"
        whole = isinstance(coherence, int) and not isinstance(coherence, bool) and coherence >= 1
        need(whole, f"{name}.coherence", coherence, allowed)
    if doppler is None:
        return coherence or "block"
    need_number(f"{name}.doppler", doppler, low=0, high=0.5)
    moves = "'symbol' or a number of symbols beside a doppler, which moves the gain, or one of the two left out"
    need(coherence != "block", f"{name}.coherence", coherence, moves)
    return coherence or "symbol"
