"""A coding's error curve over white noise, counted with its own decoder.

The SNR is brought near the middle of the curve with few blocks; then blocks
are counted at a few SNRs around it, and the waterfall fitted. Data and noise
come from streams of their own, so a curve is the same whoever asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from semlink.blocks import CodingBase
from semlink.payload import Received
from semlink.phy.capacity import awgn_dispersion
from semlink.phy.error_curves.information import effective_snr_db
from semlink.phy.error_curves.waterfall import NARROWEST_DB, WIDEST_DB, Count, Waterfall, fitted
from semlink.seeds import Seeds
from semlink.units import from_db, noise_var_from_snr

ROOT = 61079
"""Of the data and the noise that curves are measured with."""
COARSE = 24
"""Blocks at each SNR while the middle is looked for."""
FINE = ((-0.6, 64), (0.5, 64), (1.3, 96), (2.2, 160))
"""Widths away from the middle, and blocks counted there."""
_MOST_STEPS = 40
_GAP_DB = 0.8  # from the SNR that tells just enough bits to where half of the blocks are lost, for a start

Lose = Callable[[float, int, int], Count]
"""Send at least so many blocks at an SNR in dB, in a stream of that number, and count."""


def expected(bits_per_symbol: int, code_rate: float, symbols: int) -> Waterfall:
    """A first guess, good to about a decibel, from what the constellation carries and the block's length."""
    told = min(bits_per_symbol * code_rate, bits_per_symbol * (1 - 1e-4))
    middle_db = float(effective_snr_db(np.array(told), bits_per_symbol))
    snr = from_db(middle_db)
    slope = snr / (1 + snr) * math.log2(math.e) * math.log(10) / 10  # bits a decibel
    width_db = math.sqrt(awgn_dispersion(snr) / symbols) / slope
    return Waterfall(middle_db + _GAP_DB, min(max(width_db, NARROWEST_DB), WIDEST_DB))


def measured(lose: Lose, guess: Waterfall) -> Waterfall:
    """The waterfall of what `lose` counts, found from a guess."""
    counts, middle_db = _near(lose, guess)
    start = Waterfall(middle_db, guess.width_db)
    rough = fitted(counts, start)
    for number, (widths, blocks) in enumerate(FINE):
        counts.append(lose(rough.middle_db + widths * rough.width_db, blocks, _MOST_STEPS + number))
    return fitted(counts, rough)


def _near(lose: Lose, guess: Waterfall) -> tuple[list[Count], float]:
    """Counts on the way to an SNR at which some blocks arrive and some do not, and that SNR."""
    counts: list[Count] = []
    low, high = -math.inf, math.inf
    snr_db, stride = guess.middle_db, 2 * guess.width_db
    for number in range(_MOST_STEPS):
        count = lose(snr_db, COARSE, number)
        counts.append(count)
        share = count.lost / count.blocks
        if 0.15 <= share <= 0.85 or high - low < guess.width_db / 4:
            break
        low, high = (snr_db, high) if share > 0.5 else (low, snr_db)
        if math.isinf(high - low):
            snr_db += stride if share > 0.5 else -stride
            stride *= 1.5
        else:
            snr_db = (low + high) / 2
    return counts, snr_db


def transmission_losses(coding: CodingBase, uses: int) -> Lose:
    """Counts of the blocks of whole transmissions of `uses` symbols."""
    sizes = coding.block_sizes(uses)

    def lose(snr_db: float, blocks: int, number: int) -> Count:
        import torch

        seeds, lost, sent = Seeds(ROOT, (0,), number), 0, 0
        data, noise_var = seeds.numpy("error_curves/data"), noise_var_from_snr(snr_db)
        while sent < blocks:
            flow = coding.send([data.bytes(size) for size in sizes], uses)
            iq = flow.payload.iq.detach().cpu().numpy()
            heard = torch.from_numpy(noisy(iq, noise_var, Seeds(ROOT, (sent,), number)))
            arrived = coding.receive(Received(heard, torch.full(heard.shape, noise_var)))
            lost += sum(block is None for block in arrived)
            sent += len(sizes)
        return Count(snr_db, lost, sent)

    return lose


def noisy(iq: np.ndarray, noise_var: float, seeds: Seeds) -> np.ndarray:
    """Symbols of any shape with white noise: complex64."""
    pairs = seeds.numpy("error_curves/noise").standard_normal((*iq.shape, 2), dtype=np.float32)
    noise = pairs.view(np.complex64)[..., 0]
    return (iq + np.float32(math.sqrt(noise_var / 2)) * noise).astype(np.complex64)
