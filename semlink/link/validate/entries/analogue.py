"""Numbers on the air as they are: SoftCast's power and what noise leaves.

A number of variance v with power p comes back with a mean square error of v n / (p + n), n the noise; SoftCast gives
amplitudes as the fourth root of 1 / v, hence power as the root of v. Least error has power level sqrt(v) - n.

Source: [jakubczak2011, error protection], [lee1976, optimum power].
"""

from __future__ import annotations

import math

from semlink.link.validate.entry import Entry, exactly
from semlink.link.validate.measures.analogue import LinearCast

__all__ = ["ENTRIES"]

VARIANCES = (16.0, 4.0, 1.0, 0.25)
ROOTS = tuple(math.sqrt(variance) for variance in VARIANCES)


def _softcast_error(snr_db: float) -> float:
    noise, share = 10 ** (-snr_db / 10), len(ROOTS) / sum(ROOTS)
    return sum(r * r * noise / (share * r + noise) for r in ROOTS) / len(ROOTS)


def _least_error(snr_db: float) -> float:
    """(sum sqrt(v))^2 noise / (total power + noise) over those that speak, and the variance of all others."""
    noise = 10 ** (-snr_db / 10)
    best = math.inf
    for speaking in range(1, len(ROOTS) + 1):
        loud, quiet = ROOTS[:speaking], ROOTS[speaking:]
        heard = sum(loud) ** 2 * noise / (len(ROOTS) + speaking * noise)
        if (len(ROOTS) + speaking * noise) / sum(loud) * loud[-1] > noise:  # the weakest of them has power left
            best = min(best, heard + sum(r * r for r in quiet))
    return best / len(ROOTS)


ENTRIES = (
    *(
        Entry(f"softcast/error/{snr_db:g}db", "mean square error of numbers of variance 16, 4, 1, 1/4 with SoftCast's "
              f"power at {snr_db:g} dB", _softcast_error(snr_db), "", exactly("a closed form"),
              "[jakubczak2011, error protection]", LinearCast(VARIANCES, snr_db, "fourth-root"), "error")
        for snr_db in (0.0, 10.0)
    ),
    *(
        Entry(f"softcast/least-error/{snr_db:g}db", "mean square error of the same numbers with the best power at "
              f"{snr_db:g} dB", _least_error(snr_db), "", exactly("a closed form"), "[lee1976, optimum power]",
              LinearCast(VARIANCES, snr_db, "optimal"), "error")
        for snr_db in (0.0, 10.0)
    ),
    Entry("softcast/power", "mean power of the numbers on the air", 1.0, "", exactly("a law"),
          "[jakubczak2011, error protection]", LinearCast(VARIANCES, 10.0, "fourth-root"), "power"),
    Entry("softcast/rule", "power of variance 16 over that of variance 1/4: the root of their ratio", 8.0, "",
          exactly("a rule", 1e-9), "[jakubczak2011, error protection]", LinearCast(VARIANCES, 10.0, "fourth-root"),
          "ratio"),
)  # fmt: skip
