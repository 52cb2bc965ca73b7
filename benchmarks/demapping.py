"""What exact demapping gains over max-log: Es/N0 at a block error rate of 0.1, and CPU time.

    python benchmarks/demapping.py [--blocks 2000] [--payload 1024]

Both demappers hear the same noise. The SNR at 0.1 is interpolated in the logarithm
of the block error rate between steps of a quarter decibel, and the 95 % interval
of the gain comes from drawing the blocks again. Times are of `demap` alone at the
SNR found, of the decoder at the same SNR beside them. One core takes three minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor

import numpy as np

from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.qam import Demapper, demap, map_bits
from semlink.units import noise_var_from_snr, to_db

TARGET, STEP_DB, RESAMPLED = 0.1, 0.25, 1000
CODINGS = ((4, 1 / 3), (4, 2 / 3), (6, 1 / 3), (6, 1 / 2), (6, 3 / 4), (8, 1 / 3), (8, 2 / 3))
NAMES: tuple[Demapper, ...] = ("exact", "max-log")


@dataclass(frozen=True)
class Link:
    """Transport blocks of one length in white noise, the same for both demappers."""

    coding: LdpcCoding
    payload: int
    blocks: int

    def errors(self, snr_db: float) -> np.ndarray:
        """Which blocks are lost: bool (demapper, block)."""
        block, iq, bits = self._heard(snr_db)
        decoded = [block.decode(self._llr(iq, snr_db, name)).bits for name in NAMES]
        return np.stack([(found != bits).any(axis=1) for found in decoded])

    def seconds(self, snr_db: float) -> tuple[float, float, float]:
        """CPU time a block of exact demapping, of max-log and of the decoder."""
        block, iq, _ = self._heard(snr_db)
        llr = self._llr(iq, snr_db, "exact")
        exact, max_log = (_fastest(lambda name=name: self._llr(iq, snr_db, name)) for name in NAMES)
        return exact / len(iq), max_log / len(iq), _fastest(lambda: block.decode(llr), 3) / len(iq)

    def _heard(self, snr_db: float) -> tuple[TransportBlock, np.ndarray, np.ndarray]:
        order = self.coding.bits_per_symbol
        block = self.coding.transport_block(self.payload // 8, round(self.payload / self.coding.rate / order))
        random = np.random.Generator(np.random.Philox(round(1000 * snr_db)))
        bits = random.integers(0, 2, (self.blocks, block.num_bits), np.uint8)
        iq = map_bits(block.encode(bits), order)
        pairs = random.standard_normal((*iq.shape, 2), dtype=np.float32)
        scale = np.float32((noise_var_from_snr(snr_db) / 2) ** 0.5)
        return block, iq + (pairs * scale).view(np.complex64)[..., 0], bits

    def _llr(self, iq: np.ndarray, snr_db: float, demapper: Demapper) -> np.ndarray:
        return demap(iq, noise_var_from_snr(snr_db), self.coding.bits_per_symbol, demapper=demapper)


def _fastest(work: Callable[[], object], times: int = 9) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def curve(link: Link) -> tuple[np.ndarray, np.ndarray]:
    """SNRs in dB from where all is lost to where neither loses a twentieth, and errors (snr, demapper, block)."""
    order, rate = link.coding.bits_per_symbol, link.coding.rate
    snr_db = floor(to_db(2 ** (order * rate) - 1) * 4) / 4
    snrs, errors = [], []
    while not errors or errors[-1].mean(axis=1).max() > TARGET / 2:
        errors.append(link.errors(snr_db))
        snrs.append(snr_db)
        snr_db += STEP_DB
    return np.array(snrs), np.stack(errors)


def at_target(snrs: np.ndarray, errors: np.ndarray) -> float:
    """The SNR in dB where the error rate of `errors` (snr, block) falls through the target."""
    rates = np.log(np.maximum(errors.mean(axis=1), 1e-4))
    last = int(np.flatnonzero(rates > np.log(TARGET))[-1])
    share = (rates[last] - np.log(TARGET)) / (rates[last] - rates[last + 1])
    return float(snrs[last] + share * STEP_DB)


def gain(snrs: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """dB by which max-log needs more, and the half width of its 95 % interval."""
    random = np.random.Generator(np.random.Philox(1))
    drawn = []
    for _ in range(RESAMPLED):
        chosen = random.integers(0, errors.shape[2], errors.shape[2])
        exact, max_log = (at_target(snrs, errors[:, row][:, chosen]) for row in range(2))
        drawn.append(max_log - exact)
    low, high = np.percentile(drawn, (2.5, 97.5))
    exact, max_log = (at_target(snrs, errors[:, row]) for row in range(2))
    return max_log - exact, (high - low) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--payload", type=int, default=1024)
    options = parser.parse_args()
    print("bits/symbol  rate   exact at [dB]  gain [dB]        exact, max-log, decoder [us/block]")
    for order, rate in CODINGS:
        link = Link(LdpcCoding(order, rate), options.payload, options.blocks)
        snrs, errors = curve(link)
        found, (more, spread) = at_target(snrs, errors[:, 0]), gain(snrs, errors)
        times = "  ".join(f"{1e6 * seconds:7.1f}" for seconds in link.seconds(found))
        print(f"{order:11}  {rate:.3f}  {found:12.2f}  {more:5.2f} +- {spread:.2f}   {times}", flush=True)


if __name__ == "__main__":
    main()
