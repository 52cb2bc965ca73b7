"""QAM over noise and fading: closed forms, AFF3CT's simulations, and what a log-likelihood ratio means.

Source: [cho2002, closed form of square Gray QAM], [proakis2008, eq. (13.3-7)], [cassagne2019aff3ct, uncoded curves].
"""

from __future__ import annotations

import math
from dataclasses import replace

from semlink.link.validate.entry import Entry, Rule, exactly
from semlink.link.validate.measures.symbols import LlrTruth, Points, UncodedErrors

__all__ = ["ENTRIES", "gray_error_rate", "rayleigh_error_rate"]

FRAME = 4003
"""Bits of AFF3CT's frames."""
MODULATIONS = {1: "BPSK", 2: "QPSK", 4: "16-QAM", 6: "64-QAM", 8: "256-QAM", 10: "1024-QAM"}
AFF3CT = {
    2: {3.01: 7.83e-2, 7.01: 1.25e-2, 10.01: 7.71e-4},
    4: {6.02: 0.141, 10.02: 5.84e-2, 14.02: 9.15e-3, 17.02: 5.64e-4},
    6: {7.78: 0.200, 13.78: 8.38e-2, 19.78: 9.70e-3, 22.78: 7.44e-4},
}
"""Bit error rates by bits a symbol and Es/N0 in dB."""
AFF3CT_RARE = {(2, 12.01): (3.73e-5, 0.140), (4, 19.02): (2.41e-5, 9.25e-2), (6, 24.78): (4.63e-5, 0.170)}
"""Bit and frame error rates where errors are rare."""
AFF3CT_RAYLEIGH = {
    2: {3.01: 0.146, 13.01: 2.32e-2, 23.01: 2.54e-3},
    4: {6.02: 0.198, 16.02: 4.23e-2, 26.02: 4.93e-3},
    6: {7.78: 0.247, 17.78: 7.68e-2, 27.78: 1.06e-2},
}
CLOSED_FORM = exactly("a closed form")
THEIR_CHANCE = 0.03
"""Their curves are simulated too, and told in three digits."""


def gray_error_rate(bits_per_symbol: int, snr: float) -> float:
    """Bit error rate of square Gray QAM: the sum over bits and over decision borders. Source: [cho2002]."""
    side = 2 ** (bits_per_symbol // 2)
    total = 0.0
    for k in range(1, bits_per_symbol // 2 + 1):
        for i in range(int((1 - 2**-k) * side)):
            jump = i * 2 ** (k - 1) / side
            weight = (-1) ** int(jump) * (2 ** (k - 1) - int(jump + 0.5))
            total += weight * math.erfc((2 * i + 1) * math.sqrt(3 * snr / (2 * (side**2 - 1)))) / side
    return total / (bits_per_symbol // 2)


def rayleigh_error_rate(snr_per_bit: float) -> float:
    """Of BPSK and of QPSK whose gain is known: (1 - sqrt(g / (1 + g))) / 2. Source: [proakis2008, eq. (13.3-7)]."""
    return 0.5 * (1 - math.sqrt(snr_per_bit / (1 + snr_per_bit)))


def _closed_forms() -> list[Entry]:
    entries = []
    for snr_db in (-2.0, 2.0, 5.0):
        theirs = 0.5 * math.erfc(math.sqrt(10 ** (snr_db / 10)))
        entries.append(_errors(1, snr_db, theirs, CLOSED_FORM, "[proakis2008, binary antipodal signals]"))
    for order in (2, 4, 6, 8, 10):
        for offset_db in (0.0, 4.0, 8.0):
            snr_db = round(2.2 * order - 5 + offset_db, 1)
            theirs = gray_error_rate(order, 10 ** (snr_db / 10))
            entries.append(_errors(order, snr_db, theirs, CLOSED_FORM, "[cho2002]"))
    for order, snr_db in ((1, 0.0), (1, 8.0), (2, 10.0), (2, 20.0)):
        theirs = rayleigh_error_rate(10 ** (snr_db / 10) / order)
        source = "[proakis2008, eq. (13.3-7)]"
        entries.append(_errors(order, snr_db, theirs, CLOSED_FORM, source, fading=True))
    return entries


def _errors(order: int, snr_db: float, theirs: float, rule: Rule, source: str, *, fading: bool = False) -> Entry:
    over = "Rayleigh fading" if fading else "noise"
    return Entry(
        f"modulation/{'rayleigh' if fading else 'awgn'}/{MODULATIONS[order].lower()}-{snr_db:g}db",
        f"bit error rate of {MODULATIONS[order]} over {over}, Es/N0 {snr_db:g} dB",
        theirs,
        "",
        rule,
        source,
        UncodedErrors(order, snr_db, fading=fading),
    )


def _aff3ct() -> list[Entry]:
    why = "their chance and rounding, 3 %"
    entries = []
    for fading, tables in ((False, AFF3CT), (True, AFF3CT_RAYLEIGH)):
        for order, rates in tables.items():
            for snr_db, theirs in rates.items():
                rule = Rule(THEIR_CHANCE * theirs, THEIR_CHANCE * theirs, why)
                source = f"[cassagne2019aff3ct, uncoded, K = {FRAME}]"
                entries.append(_renamed(_errors(order, snr_db, theirs, rule, source, fading=fading)))
    for (order, snr_db), (bits, frames) in AFF3CT_RARE.items():
        measure = UncodedErrors(order, snr_db, 4_000_000, frame_bits=FRAME)
        for part, theirs in (("", bits), ("frames", frames)):
            entries.append(
                Entry(
                    f"modulation/aff3ct-awgn/{MODULATIONS[order].lower()}-{snr_db:g}db{'-' if part else ''}{part}",
                    f"{f'frame (of {FRAME} bits)' if part else 'bit'} error rate of {MODULATIONS[order]} over noise, "
                    f"Es/N0 {snr_db:g} dB",
                    theirs,
                    "",
                    Rule(0.1 * theirs, 0.1 * theirs, "their chance: a hundred or so wrong frames"),
                    f"[cassagne2019aff3ct, uncoded, K = {FRAME}]",
                    measure,
                    part,
                    cost="full",
                )
            )
    return entries


def _renamed(entry: Entry) -> Entry:
    return replace(entry, name=entry.name.replace("modulation/", "modulation/aff3ct-", 1))


def _calibration() -> list[Entry]:
    return [
        Entry(
            f"modulation/llr/{MODULATIONS[order].lower()}-{size:g}",
            f"share of wrong signs among LLRs of size {size:g} (+-0.1), {MODULATIONS[order]} at {snr_db:g} dB",
            1 / (1 + math.exp(size)),
            "",
            Rule(0.02 / (1 + math.exp(size)), 0.02 / (1 + math.exp(size)), "the width of the window, 2 %"),
            "[proakis2008, what a log-likelihood ratio is]",
            LlrTruth(order, snr_db, size),
        )
        for order, snr_db in ((1, 0.0), (2, 3.0), (4, 7.0), (6, 11.0), (8, 16.0), (10, 20.0))
        for size in (1.0, 3.0)
    ]


def _points() -> list[Entry]:
    return [
        Entry(
            f"modulation/points/{name.lower()}",
            f"points of {name} that are not where the standard has them",
            0.0,
            "",
            exactly("a table"),
            "[3gpp38211, 5.1]",
            Points(order),
        )
        for order, name in MODULATIONS.items()
        if order > 1
    ]


ENTRIES = (*_points(), *_closed_forms(), *_aff3ct(), *_calibration())
