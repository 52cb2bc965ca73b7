"""Modulation and coding schemes: which constellation goes with which target rate.

Source: [3gpp38214, tables 5.1.3.1-1, 5.1.3.1-2 and 5.1.3.1-3].
"""

from __future__ import annotations

from dataclasses import dataclass

# Per table: bits per symbol and target rate x 1024 of each index.
_TABLES = {
    1: (
        (2, (120, 157, 193, 251, 308, 379, 449, 526, 602, 679)),
        (4, (340, 378, 434, 490, 553, 616, 658)),
        (6, (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948)),
    ),
    2: (
        (2, (120, 193, 308, 449, 602)),
        (4, (378, 434, 490, 553, 616, 658)),
        (6, (466, 517, 567, 616, 666, 719, 772, 822, 873)),
        (8, (682.5, 711, 754, 797, 841, 885, 916.5, 948)),
    ),
    3: (
        (2, (30, 40, 50, 64, 78, 99, 120, 157, 193, 251, 308, 379, 449, 526, 602)),
        (4, (340, 378, 434, 490, 553, 616)),
        (6, (438, 466, 517, 567, 616, 666, 719, 772)),
    ),
}


@dataclass(frozen=True, slots=True)
class Mcs:
    """One row of a table: `rate` is the target code rate, information bits per coded bit."""

    table: int
    index: int
    bits_per_symbol: int
    rate: float

    @property
    def efficiency(self) -> float:
        """Information bits per channel use."""
        return self.bits_per_symbol * self.rate


def mcs_table(table: int) -> tuple[Mcs, ...]:
    """Every scheme of table 1 (up to 64-QAM), 2 (up to 256-QAM) or 3 (low rates)."""
    if table not in _TABLES:
        raise ValueError(f"MCS table {table!r}; 38.214 has {', '.join(map(str, _TABLES))}")
    pairs = [(order, rate / 1024) for order, rates in _TABLES[table] for rate in rates]
    return tuple(Mcs(table, index, order, rate) for index, (order, rate) in enumerate(pairs))


def mcs_of(table: int, index: int) -> Mcs:
    """Row `index` of table `table`."""
    rows = mcs_table(table)
    if not 0 <= index < len(rows):
        raise ValueError(f"MCS index {index} of table {table}; allowed: 0..{len(rows) - 1}")
    return rows[index]


CLASSIC_RATES = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 5 / 6)
"""Tried beside the tables' own, so that no fixed MCS of that kind beats `mcs: best` by a hair."""


def mcs_pairs(table: int | None, *, every_rate: bool) -> list[tuple[int, float]]:
    """Bits per symbol and rate of one table's rows, or of all three (None), in rising order.

    With `every_rate` each modulation goes with every rate among them, and with classic ones.
    """
    entries = [m for number in ((1, 2, 3) if table is None else (table,)) for m in mcs_table(number)]
    pairs = {(m.bits_per_symbol, m.rate) for m in entries}
    if every_rate:
        rates = {m.rate for m in entries} | set(CLASSIC_RATES)
        pairs = {(m.bits_per_symbol, rate) for m in entries for rate in rates}
    return sorted(pairs)


def mcs_name(bits_per_symbol: int, rate: float) -> str:
    """Modulation and rate as in the tables, such as `16qam 490/1024`."""
    modulation = {2: "qpsk", 4: "16qam", 6: "64qam", 8: "256qam"}[bits_per_symbol]
    return f"{modulation} {rate * 1024:g}/1024"
