"""The K = 7 code and check bits.

Source: [yasuda1984, table I], [haccoun1989, weight spectra], [viterbi1967, union bound], [3gpp38212, 5.1].
"""

from __future__ import annotations

import math
from fractions import Fraction

from semlink.link.validate.entry import Entry, Rule, exactly
from semlink.link.validate.measures.convolutional import CheckBits, ErrorEvents, UnionBound

__all__ = ["ENTRIES", "FREE_DISTANCES", "SPECTRA"]

FREE_DISTANCES = {Fraction(1, 2): 10, Fraction(2, 3): 6, Fraction(3, 4): 5}
SPECTRA = {
    Fraction(1, 2): (11, 0, 38, 0, 193),
    Fraction(2, 3): (1, 16, 48, 158),
    Fraction(3, 4): (8, 31, 160, 892),
}
"""Error events at the free distance, and at one, two, ... more."""
UNION_SNRS_DB = {Fraction(1, 2): 3.4, Fraction(2, 3): 4.9, Fraction(3, 4): 5.9}
CHECK_VALUES = {"16": 0x31C3, "24a": 0xCDE703, "24b": 0x23EF52}
"""Of the characters "123456789", as catalogues of CRCs list them (XMODEM, LTE-A, LTE-B)."""


def _name(rate: Fraction) -> str:
    return f"{rate.numerator}-{rate.denominator}"


ENTRIES = (
    *(
        Entry(f"coding/free-distance/{_name(rate)}", f"free distance of the K = 7 code at rate {rate}", distance, "",
              exactly("a table"), "[yasuda1984, table I]", ErrorEvents(rate), "free")
        for rate, distance in FREE_DISTANCES.items()
    ),
    *(
        Entry(f"coding/events/{_name(rate)}-{FREE_DISTANCES[rate] + more}",
              f"error events of weight {FREE_DISTANCES[rate] + more}, K = 7 code at rate {rate}", count, "",
              exactly("a table"), "[haccoun1989, weight spectra]", ErrorEvents(rate), f"+{more}")
        for rate, counts in SPECTRA.items()
        for more, count in enumerate(counts)
    ),
    *(
        Entry(f"coding/union-bound/{_name(rate)}", f"blocks lost of the K = 7 code over the union bound, rate {rate}, "
              f"QPSK at {snr_db:g} dB", 1.0, "", Rule(math.inf, 0.0, "a bound"), "[viterbi1967]",
              UnionBound(rate, snr_db, 4000))
        for rate, snr_db in UNION_SNRS_DB.items()
    ),
    *(
        Entry(f"coding/crc/{name}", f'check bits of CRC {name} over the characters "123456789"', value, "",
              exactly("a check value"), "[3gpp38212, 5.1; check values of CRC catalogues]", CheckBits(name))
        for name, value in CHECK_VALUES.items()
    ),
)  # fmt: skip
