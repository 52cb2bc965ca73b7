"""Numbers on the air as they are, as SoftCast sends them: power and what noise leaves of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from semlink.codecs.analogue.power_allocation import Allocation, allocate, estimate, mix
from semlink.link.validate.chance import averaged, seeds_of
from semlink.link.validate.entry import Bench, Found, found_exactly
from semlink.link.validate.measures.coded_link import noise_of
from semlink.units import noise_var_from_snr

__all__ = ["LinearCast"]


@dataclass(frozen=True, slots=True)
class LinearCast:
    """Normal numbers of classes with given variances, as many of each, two to a channel use at `snr_db`.

    Mean square error after power allocation, Hadamard mixing, the channel `awgn` and the linear estimate; mean power;
    and what power the first class has over the last.
    """

    variances: tuple[float, ...]
    snr_db: float
    allocation: Allocation
    of_each: int = 256
    draws: int = 200

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        seeds = seeds_of(bench, self)
        variances, counts = np.array(self.variances), np.full(len(self.variances), self.of_each)
        noise_var = noise_var_from_snr(self.snr_db)  # of a complex use; a real number of half the power has half of it
        powers = allocate(variances, counts, noise_var, self.allocation)
        spread = np.repeat(np.sqrt(variances), self.of_each)
        amplitudes = np.repeat(np.sqrt(powers), self.of_each)
        order = np.arange(spread.size).reshape(len(counts), -1).T.ravel()  # classes take turns, as neighbours are mixed
        errors, sent = [], []
        for draw in range(self.draws):
            here = replace(seeds, trial=draw)
            unit = here.numpy("validate/numbers").standard_normal(spread.size)
            numbers = mix((amplitudes * unit)[order])
            iq = torch.view_as_complex(torch.from_numpy(numbers.reshape(-1, 2) / np.sqrt(2))).numpy()
            heard = iq + noise_of(iq.shape, self.snr_db, here)
            back = np.stack([heard.real, heard.imag], axis=1).ravel() * np.sqrt(2)
            guess = estimate(back, amplitudes[order], np.full(back.size, noise_var))
            errors.append(float(np.mean((spread[order] * (guess - unit[order])) ** 2)))
            sent.append(float(np.mean(numbers**2)))
        ratio = float(powers[0] / powers[-1]) if powers[-1] > 0 else np.inf
        return {"error": averaged(np.array(errors)), "power": averaged(np.array(sent)), "ratio": found_exactly(ratio)}
