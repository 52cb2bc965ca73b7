"""A block error curve over white noise in two numbers.

    BLER(snr_db) = Q((snr_db - middle_db) / width_db)

The middle is the SNR at which half of the blocks are lost, the width how fast
the curve falls around it. The form follows from the normal approximation: the
information density of a block is nearly Gaussian, and a block is lost where it
falls short of the rate.
Source: [polyanskiy2010, section IV].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

WIDEST_DB, NARROWEST_DB = 4.0, 0.01


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Block error rate over SNR: half at `middle_db`, falling over `width_db` (a standard deviation)."""

    middle_db: float
    width_db: float

    def bler(self, snr_db: np.ndarray) -> np.ndarray:
        """Shares of lost blocks at SNRs in dB of any shape; all are lost at minus infinity."""
        return special.ndtr((self.middle_db - np.asarray(snr_db, float)) / self.width_db)


@dataclass(frozen=True, slots=True)
class Count:
    """So many of `blocks` were lost at `snr_db`."""

    snr_db: float
    lost: int
    blocks: int


def fitted(counts: Sequence[Count], guess: Waterfall) -> Waterfall:
    """The most likely waterfall, given what was counted at several SNRs.

    `guess` counts as much as one block of each kind a width away from its middle,
    so that a handful of counts that are all or nothing still gives a curve.
    """
    snr_db = np.array([c.snr_db for c in counts] + [guess.middle_db - guess.width_db, guess.middle_db + guess.width_db])
    lost = np.array([c.lost for c in counts] + [0.84, 0.16], float)
    kept = np.array([c.blocks - c.lost for c in counts] + [0.16, 0.84], float)

    def surprise(parameters: np.ndarray) -> float:
        argument = (parameters[0] - snr_db) / math.exp(parameters[1])
        return -float(lost @ special.log_ndtr(argument) + kept @ special.log_ndtr(-argument))

    start = np.array([guess.middle_db, math.log(guess.width_db)])
    found = optimize.minimize(surprise, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x
    return Waterfall(float(found[0]), float(np.clip(math.exp(found[1]), NARROWEST_DB, WIDEST_DB)))
