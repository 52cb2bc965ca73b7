"""The K = 7 code: its error events, from the encoder that sends, and its losses; and check bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy.special import erfc

from semlink.link.validate.chance import counted, seeds_of
from semlink.link.validate.entry import Bench, Found, found_exactly, through
from semlink.link.validate.measures.coded_link import noise_of
from semlink.phy.coding.convolutional import MEMORY, ConvolutionalCoding, convolve, keep_mask
from semlink.phy.coding.crc import crc_remainder
from semlink.phy.qam import demap, map_bits
from semlink.units import from_db, noise_var_from_snr

__all__ = ["CheckBits", "ErrorEvents", "UnionBound", "error_events"]

STATES = 1 << MEMORY


@dataclass(frozen=True, slots=True)
class ErrorEvents:
    """The free distance, and how many ways out of the zero state and back have it and one, two, ... more."""

    rate: Fraction
    most: int = 20

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        counts = error_events(self.rate, self.most)
        free = int(np.flatnonzero(counts)[0])
        found = {f"+{more}": found_exactly(float(counts[free + more])) for more in range(self.most - free + 1)}
        return found | {"free": found_exactly(free)}


@dataclass(frozen=True, slots=True)
class UnionBound:
    """Blocks lost of a QPSK link, over what the union bound allows.

    Each event of weight d is met with chance Q(sqrt(d snr)).
    Source: [viterbi1967].
    """

    rate: Fraction
    snr_db: float
    blocks: int = 2000

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        coding = ConvolutionalCoding(2, float(self.rate), 512)
        symbols = math.ceil(256 / 2 / float(self.rate))
        code = coding.code_for(coding.block_size_of(symbols), symbols)
        seeds = seeds_of(bench, self)
        bits = seeds.numpy("validate/bits").integers(0, 2, (self.blocks, code.num_bits), np.uint8)
        iq = map_bits(code.encode(bits), 2)
        llr = demap(iq + noise_of(iq.shape, self.snr_db, seeds), noise_var_from_snr(self.snr_db), 2)
        lost = int((code.decide(llr)[0] != bits).any(axis=1).sum())
        counts = error_events(self.rate, 20)
        chance = 0.5 * erfc(np.sqrt(np.arange(len(counts)) * from_db(self.snr_db) / 2))
        steps = code.num_bits + 24
        bound = steps / keep_period(self.rate) * float(counts @ chance)
        share = counted(lost, self.blocks, f"{lost:,} of {self.blocks:,} blocks lost")
        return {"": through(share, lambda losses: losses / bound)}


def keep_period(rate: Fraction) -> int:
    """Steps of the trellis after which the puncturing repeats."""
    return rate.numerator


@lru_cache(maxsize=8)
def error_events(rate: Fraction, most: int) -> np.ndarray:
    """Ways out of the zero state and back by weight 0..`most`, summed over the steps of a puncturing period."""
    period = keep_period(rate)
    kept = keep_mask(period, float(rate)).astype(int).reshape(period, 2)
    after, coded = _trellis()
    counts = np.zeros(most + 1)
    for start in range(period):
        ways, phase = np.zeros((STATES, most + 1)), start
        ways[0, 0] = 1
        while ways.any():
            reached, heavier = np.zeros_like(ways), coded @ kept[phase]  # (state, bit)
            for bit in (0, 1):
                for more in range(3):
                    those = heavier[:, bit] == more
                    those[0] &= bit == 1  # out of the zero state at the start, and never on within it
                    np.add.at(reached[:, more:], after[those, bit], ways[those, : most + 1 - more])
            counts += reached[0]
            reached[0] = 0
            ways, phase = reached, (phase + 1) % period
    return counts


def _trellis() -> tuple[np.ndarray, np.ndarray]:
    """For each state and input, the next state (64, 2) and the two bits that the encoder sends (64, 2, 2)."""
    states = np.arange(STATES)
    before = states[:, None] >> np.arange(MEMORY) & 1  # the six inputs, the oldest first
    inputs = np.array([0, 1])
    registers = np.concatenate([np.repeat(before, 2, axis=0), np.tile(inputs, STATES)[:, None]], axis=1).astype(
        np.uint8
    )
    coded = convolve(registers)[:, -2:].reshape(STATES, 2, 2).astype(int)
    after = (inputs << (MEMORY - 1)) | states[:, None] >> 1
    return after, coded


@dataclass(frozen=True, slots=True)
class CheckBits:
    """The check value of the nine characters "123456789"."""

    name: str

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        bits = np.unpackbits(np.frombuffer(b"123456789", np.uint8))
        return {"": found_exactly(float(crc_remainder(bits, self.name)))}
