"""Blocks of symbols that get lost, one by one or in bursts.

The receiver is told which blocks were lost (`ChannelOutput.erased`), as a link layer
tells it; those that arrive carry white noise at the stated SNR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.phy.capacity import erasure_capacity
from semlink.phy.channels.awgn import add_noise, noise_var_at
from semlink.phy.validation import need, need_count, need_number
from semlink.seeds import Seeds
from semlink.units import from_db

if TYPE_CHECKING:
    import torch


def bad_states(rng: np.random.Generator, num: int, p_gb: float, p_bg: float) -> np.ndarray:
    """A stationary two-state Markov chain, True while bad: bool (num,).

    Sojourn times are geometric; the first state is drawn from the stationary law.
    Source: [gilbert1960, sec. II].
    """
    bad = rng.random() < p_gb / (p_gb + p_bg)
    states = np.zeros(num, dtype=bool)
    at = 0
    while at < num:
        leave = p_bg if bad else p_gb
        stay = num - at if leave == 0 else min(int(rng.geometric(leave)), num - at)
        states[at : at + stay] = bad
        at, bad = at + stay, not bad
    return states


def erase(iq: torch.Tensor, lost: torch.Tensor, block: int, snr_db: float, seeds: Seeds) -> ChannelOutput:
    """White noise at `snr_db` on `iq` (clip, n), silence where the block is `lost` (clip, blocks)."""
    noise_var = noise_var_at(snr_db)
    erased = lost.to(iq.device).repeat_interleave(block, dim=1)[:, : iq.shape[-1]]
    heard = add_noise(iq, noise_var, seeds, "phy/noise").masked_fill(erased, 0)
    return ChannelOutput(heard, noise_var=noise_var, gain=(~erased).to(iq.dtype), erased=erased)


@dataclass(frozen=True, slots=True)
class Erasure(ChannelBase):
    """Each block of `block` symbols is lost with `probability`, independently."""

    probability: float
    block: int = 1

    def __post_init__(self) -> None:
        need_number("Erasure.probability", self.probability, 0, 1)
        need_count("Erasure.block", self.block, 1)

    @property
    def mean_loss(self) -> float:  # type: ignore[override]
        """The share of blocks lost in the long run."""
        return float(self.probability)

    def loss_chain(self) -> GilbertElliott:
        """Independent losses are a chain that forgets at every step."""
        return GilbertElliott(self.probability, 1 - self.probability, self.block)

    def capacity(self, snr_db: float) -> float:
        """Bits per use, the receiver knowing what was lost."""
        return erasure_capacity(from_db(snr_db), self.mean_loss)

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        draws = seeds.uniform("phy/erasure", -(-iq.shape[-1] // self.block))
        return erase(iq, draws < self.probability, self.block, snr_db, seeds)


@dataclass(frozen=True, slots=True)
class GilbertElliott(ChannelBase):
    """Losses in bursts: a two-state Markov chain that moves once a block.

    Attributes:
        p_gb, p_bg: chance per block to turn bad, and to turn good again.
        block: symbols per block.
        loss_good, loss_bad: chance that a block is lost in each state.
    Source: [gilbert1960], [elliott1963].
    """

    p_gb: float
    p_bg: float
    block: int = 1
    loss_good: float = 0.0
    loss_bad: float = 1.0

    def __post_init__(self) -> None:
        for name in ("p_gb", "p_bg", "loss_good", "loss_bad"):
            need_number(f"GilbertElliott.{name}", getattr(self, name), 0, 1)
        need(self.p_gb + self.p_bg > 0, "GilbertElliott.p_gb, p_bg", (self.p_gb, self.p_bg), "at least one > 0")
        need_count("GilbertElliott.block", self.block, 1)

    def loss_chain(self) -> GilbertElliott:
        """The chain itself."""
        return self

    @property
    def mean_loss(self) -> float:  # type: ignore[override]
        """The share of blocks lost in the long run."""
        bad = self.p_gb / (self.p_gb + self.p_bg)
        return bad * self.loss_bad + (1 - bad) * self.loss_good

    def capacity(self, snr_db: float) -> float:
        """Bits per use, the receiver knowing what was lost."""
        return erasure_capacity(from_db(snr_db), self.mean_loss)

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        import torch

        num = -(-iq.shape[-1] // self.block)
        rngs = (seeds.numpy("phy/gilbert_elliott", clip) for clip in seeds.clips)
        bad = torch.from_numpy(np.stack([bad_states(rng, num, self.p_gb, self.p_bg) for rng in rngs]))
        chance = torch.where(bad, self.loss_bad, self.loss_good)
        return erase(iq, seeds.uniform("phy/erasure", num) < chance, self.block, snr_db, seeds)
