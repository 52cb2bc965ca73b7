"""Uncoded bits through mapper, channel and demapper: error rates, LLRs, information in what is heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from semlink.link.validate.chance import counted, seeds_of
from semlink.link.validate.entry import Bench, Found, found_exactly
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.fading import Rayleigh
from semlink.phy.qam import constellation, demap, map_bits
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

__all__ = ["LlrTruth", "Points", "UncodedErrors"]

_AT_ONCE = 400_000


@dataclass(frozen=True, slots=True)
class UncodedErrors:
    """Share of wrong bits, and with `frame_bits` of wrong frames, at an Es/N0 of `snr_db`.

    Attributes:
        fading: Rayleigh, a new gain for each symbol, which the receiver is told.
    """

    bits_per_symbol: int
    snr_db: float
    symbols: int = 200_000
    fading: bool = False
    frame_bits: int = 0

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        seeds, order = seeds_of(bench, self), self.bits_per_symbol
        wrong = []
        for trial, start in enumerate(range(0, self.symbols, _AT_ONCE)):
            bits, llr = sent_and_heard(
                order, self.snr_db, min(_AT_ONCE, self.symbols - start), seeds, trial, self.fading
            )
            wrong.append((llr < 0) != bits)
        every = np.concatenate(wrong)
        said = f"{every.sum():,} of {every.size:,} bits wrong"
        found = {"": counted(int(every.sum()), every.size, said, together=order)}
        if self.frame_bits:
            frames = every[: every.size // self.frame_bits * self.frame_bits].reshape(-1, self.frame_bits)
            bad, of = int(frames.any(axis=1).sum()), len(frames)
            found["frames"] = counted(bad, of, f"{bad:,} of {of:,} frames wrong")
        return found


def sent_and_heard(
    order: int, snr_db: float, symbols: int, seeds: Seeds, trial: int = 0, fading: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Random bits and their LLRs behind a channel: both (symbols * order,)."""
    seeds = replace(seeds, trial=trial)
    bits = seeds.numpy("validate/bits").integers(0, 2, symbols * order, np.uint8)
    channel = Rayleigh("symbol") if fading else Awgn()
    heard = channel(torch.from_numpy(map_bits(bits, order)[None]), snr_db, seeds)
    received = Plain().demodulate(heard, snr_db)
    iq, noise_var = received.iq, received.noise_var
    if heard.gain is not None:
        iq, noise_var = iq / heard.gain, noise_var / heard.gain.abs().square()
    return bits, demap(iq[0].numpy(), noise_var[0].numpy(), order)


@dataclass(frozen=True, slots=True)
class LlrTruth:
    """Of the bits whose LLR has about the size `size`, the share of wrong signs."""

    bits_per_symbol: int
    snr_db: float
    size: float
    symbols: int = 300_000

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        bits, llr = sent_and_heard(self.bits_per_symbol, self.snr_db, self.symbols, seeds_of(bench, self))
        here = np.abs(np.abs(llr) - self.size) < 0.1
        wrong = ((llr < 0) != bits)[here]
        return {"": counted(int(wrong.sum()), wrong.size, f"{wrong.size:,} such bits", together=self.bits_per_symbol)}


@dataclass(frozen=True, slots=True)
class Points:
    """How many points of a square constellation are not where the standard has them.

    Bits b, c, d, ... of a part have the level (1 - 2 b) (2^n - (1 - 2 c) (2^(n-1) - ...)), scaled to unit power.
    Source: [3gpp38211, 5.1].
    """

    bits_per_symbol: int

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        side, labels = self.bits_per_symbol // 2, np.arange(2**self.bits_per_symbol)
        bits = labels[:, None] >> np.arange(self.bits_per_symbol)[::-1] & 1
        parts = []
        for part in (bits[:, 0::2], bits[:, 1::2]):
            level = 1 - 2 * part[:, -1]
            for place in range(1, side):
                level = (1 - 2 * part[:, side - 1 - place]) * (2**place - level)
            parts.append(level)
        theirs = (parts[0] + 1j * parts[1]) / np.sqrt(2 * (4**side - 1) / 3)
        wrong = np.abs(constellation(self.bits_per_symbol) - theirs) > 1e-6
        return {"": found_exactly(float(wrong.sum()), f"{len(labels):,} points")}
