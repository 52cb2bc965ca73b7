"""Error curves that come with the package: the built-in LDPC codings with their decoder's default options.

Measured by `benchmarks/error_curves.py` at a few lengths; what lies between is
read on straight lines over 1 / sqrt(length), as the normal approximation has
the gap to capacity shrink.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np

from semlink.phy.error_curves.waterfall import Waterfall

PATH = Path(__file__).with_name("ldpc.csv")
LENGTHS = (256, 512, 1024, 2048, 3800, 3900, 4600, 5600, 6900, 8192)
"""Information bits with CRC; between 3800 and 3900 the base graph changes."""
LEAST_RATES = {2: 0.0, 4: 0.25, 6: 0.25, 8: 0.33}
"""Below these a smaller constellation carries the same bits better."""


def worth_it(bits_per_symbol: int, rate: float) -> bool:
    """Whether no smaller constellation carries the same bits better."""
    return rate >= LEAST_RATES.get(bits_per_symbol, 0.0)


def symbols_of(info_bits: int, bits_per_symbol: int, rate: float) -> int:
    """Channel uses of a block of `info_bits` information bits with CRC."""
    return max(round(info_bits / (bits_per_symbol * rate)), 1)


def shipped(bits_per_symbol: int, rate: float, symbols: int) -> Waterfall | None:
    """The curve of a transport block of `symbols` channel uses; None where it has to be measured."""
    info_bits = symbols * bits_per_symbol * rate
    rows = _table().get((bits_per_symbol, round(rate * 10240)))
    if rows is None or not rows[0, 0] <= info_bits <= rows[-1, 0] + bits_per_symbol:
        return None
    length, middle_db, width_db = rows[::-1].T
    at, over = 1 / np.sqrt(info_bits), 1 / np.sqrt(length)
    return Waterfall(float(np.interp(at, over, middle_db)), float(np.interp(at, over, width_db)))


@lru_cache(maxsize=1)
def _table() -> dict[tuple[int, int], np.ndarray]:
    """Rows of length, middle and width for each modulation and rate (times 10240), lengths rising."""
    measured: dict[tuple[int, int], list[tuple[int, float, float]]] = defaultdict(list)
    with PATH.open(encoding="ascii", newline="") as text:
        for row in csv.DictReader(text):
            key = int(row["bits_per_symbol"]), int(row["info_bits"])
            measured[key].append((round(float(row["rate"]) * 10), float(row["middle_db"]), float(row["width_db"])))
    rows: dict[tuple[int, int], list[tuple[float, float, float]]] = defaultdict(list)
    for (order, info_bits), found in sorted(measured.items()):
        rates, middles_db, widths_db = zip(*sorted(found))
        for rate, middle_db, width_db in zip(rates, middles_db, _pooled(np.array(widths_db))):
            rows[order, rate].append((info_bits, middle_db, width_db))
    return {key: np.array(lengths) for key, lengths in rows.items()}


def _pooled(widths_db: np.ndarray) -> np.ndarray:
    """Each width averaged with those of the rates beside it: they change little, and what was counted adds up."""
    return np.array([np.exp(np.log(widths_db[max(n - 2, 0) : n + 3]).mean()) for n in range(len(widths_db))])
