"""Numbers of the 5G standard itself, and bits on the wire as another implementation sends them.

Source: [3gpp38214, tables 5.1.3.1-1 to 5.1.3.1-3], [3gpp38212, 5.1 to 5.5], [3gpp38211, 7.3.1.1].
"""

from __future__ import annotations

from semlink.link.validate.entry import Entry, exactly
from semlink.link.validate.measures.standard import McsRows, RedundancyVersions, TransportBlocks

__all__ = ["ENTRIES"]

LAST_EFFICIENCY = {1: 5.5547, 2: 7.4063, 3: 4.5234}
"""Of the highest MCS of each table."""
BLOCKS = ((24, 200, 0.2, 2), (320, 480, 0.8, 4), (1032, 1800, 0.6, 6), (20496, 41000, 0.5, 4))
"""Information bits, coded bits, rate, bits a symbol."""
BIT_FOR_BIT = exactly("bit for bit")

ENTRIES = (
    *(
        Entry(f"standard/mcs/table-{table}", f"rows of MCS table {table} that are not Sionna's", 0.0, "",
              exactly("a table"), "[3gpp38214, tables 5.1.3.1-1 to 5.1.3.1-3]", McsRows(table))
        for table in LAST_EFFICIENCY
    ),
    *(
        Entry(f"standard/mcs/efficiency-{table}", f"bits a use of the highest MCS of table {table}", efficiency, "bit",
              exactly("digits told", 5e-5), "[3gpp38214, tables 5.1.3.1-1 to 5.1.3.1-3]", McsRows(table), "last")
        for table, efficiency in LAST_EFFICIENCY.items()
    ),
    *(
        Entry(f"standard/transport-block/{bits}-{coded}", f"transport blocks of {bits:,} bits in {coded:,}, "
              f"{order} bits a symbol, that Sionna would send otherwise", 0.0, "", BIT_FOR_BIT,
              "[3gpp38212, 5.1 to 5.5], [3gpp38211, 7.3.1.1]", TransportBlocks(bits, coded, rate, order))
        for bits, coded, rate, order in BLOCKS
    ),
    *(
        Entry(f"standard/redundancy-version/bg{graph}", f"redundancy versions of {k} bits in {n}, 16-QAM, that Sionna "
              "would send otherwise", 0.0, "", BIT_FOR_BIT, "[3gpp38212, 5.4.2]", RedundancyVersions(graph, k, n))
        for graph, k, n in ((2, 400, 900), (1, 1000, 1600))
    ),
)  # fmt: skip
