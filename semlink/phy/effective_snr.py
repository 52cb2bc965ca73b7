"""What a receiver says about the channel: one SNR in whole decibels.

Symbols of different quality count by what they can carry,

    snr = 2^C - 1,   C = mean of log2(1 + 1 / noise_var)

with the noise variance that the receiver itself estimates after its equaliser.
The report is on the weakest quarter of a burst, since one lost transport block
spoils all that is predicted from it, and rounded down.
"""

from __future__ import annotations

import math

import torch

from semlink.feedback import HIGHEST_DB, LOWEST_DB
from semlink.units import to_db

PARTS = 4


def effective_snr_db(noise_var: torch.Tensor) -> float:
    """The SNR in dB at which all symbols alike would carry as much; minus infinity where nothing arrived."""
    carried = torch.log2(1 + 1 / noise_var.detach().double().clamp(min=1e-12)).mean()
    return to_db(float(2**carried - 1)) if noise_var.numel() else -math.inf


def weakest_snr_db(noise_var: torch.Tensor) -> float:
    """The smallest effective SNR in dB of four parts of a burst with noise variances (clip, n)."""
    return min(effective_snr_db(part) for part in noise_var.tensor_split(PARTS, dim=1) if part.numel())


def whole_db(noise_var: torch.Tensor) -> int:
    """The report on a burst with noise variances (clip, n)."""
    return quantised(weakest_snr_db(noise_var) if noise_var.numel() else -math.inf)


def quantised(snr_db: float) -> int:
    """Whole decibels, rounded down (a millionth of a decibel is forgiven), within the range of a report."""
    return LOWEST_DB if snr_db <= LOWEST_DB else min(math.floor(snr_db + 1e-6), HIGHEST_DB)
