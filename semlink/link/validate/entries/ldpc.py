"""5G LDPC: a GPU vendor's thresholds, the curves and tables of Sionna, the tables and code words of the standard.

Source: [nvidia2025aerial, cuPHY/util/ldpc/test], [hoydis2022sionna, tutorials and stored tables], [3gpp38212, 5.3.2].
"""

from __future__ import annotations

import math

from semlink.link.validate.entries.aerial import THRESHOLDS
from semlink.link.validate.entry import Cost, Entry, Rule, exactly
from semlink.link.validate.measures.coded_link import CodedLink
from semlink.link.validate.measures.ldpc import BlockErrors, CodeWords, ShiftTable, Threshold
from semlink.phy.ldpc.decoder import RuleName

__all__ = ["ENTRIES", "SIONNA_CURVES", "SIONNA_TABLES"]

SAME_RULE = Rule(0.3, 0.3, "their half-precision decoder runs a schedule that is not told")
NOT_WORSE = Rule(math.inf, 0.1, "box-plus is the better rule; 0.05 dB of chance in each of the two")
Points = dict[tuple[int, int], tuple[int, ...]]
QUICK: Points = {
    (1, 384): (4, 10, 24, 45),
    (1, 128): (12, 30),
    (1, 64): (5, 20),
    (2, 384): (4, 12, 30),
    (2, 128): (6, 20),
    (2, 112): (8, 30),
    (2, 64): (8, 30),
}
QUICK_BOX_PLUS: Points = {(1, 384): (10,), (2, 384): (12,), (2, 128): (6,)}


def _thresholds(rule: RuleName, quick: Points, how: Rule) -> list[Entry]:
    """An entry for each of the vendor's points."""
    entries = []
    for (graph, z), numbers in THRESHOLDS.items():
        for parity, theirs in enumerate(numbers, start=4):
            is_quick = parity in quick.get((graph, z), ())
            words = 200 if is_quick else 300
            entries.append(
                Entry(
                    f"ldpc/threshold/{rule}/bg{graph}-z{z}-p{parity}",
                    f"Es/N0 at which a tenth of the words is lost: base graph {graph}, Z = {z}, {parity} columns of "
                    f"parity, QPSK, {'default rule' if rule == 'box-plus' else f'{rule} minimum'}, 10 iterations",
                    theirs,
                    "dB",
                    how,
                    f"[nvidia2025aerial, ldpc_decode_BG{graph}_Z{z}_BLER0.1.txt]",
                    Threshold(graph, z, parity, theirs, rule, words),
                    cost="quick" if is_quick else "full",
                )
            )
    return entries


SIONNA_CURVES = (
    (CodedLink(64, 128), 20, 1000, {0.0: 0.864, 1.0: 0.503, 2.0: 0.155, 3.0: 0.0225, 3.5: 0.00584, 4.0: 0.00133}),
    (CodedLink(512, 1024), 40, 2000, {1.0: 0.241, 1.2: 0.103, 1.4: 0.0364, 1.6: 0.0106, 1.8: 0.00237}),
    (CodedLink(2048, 6156), 40, 500, {0.2: 0.139, 0.3: 0.0505, 0.4: 0.0143, 0.5: 0.0033}),
    (CodedLink(600, 1200), 20, 20, {1.0: 0.478, 1.25: 0.2096, 1.5: 0.058, 1.75: 0.0133, 2.0: 0.0018}),
    (CodedLink(600, 1200, 4, shuffled=True), 20, 20, {3.5: 0.274, 3.75: 0.091, 4.0: 0.034, 4.5: 0.0012}),
)
"""Of Sionna's tutorials: link, iterations, least number of block errors, block error rates by Eb/N0 in dB.

The last two tables stopped at 500 bit errors, in batches, which is some twenty blocks.
"""
SIONNA_TABLES = (
    ("table 1, MCS 9", CodedLink(500, 756), {2.14: 0.978, 3.93: 0.0097}),
    ("table 1, MCS 9", CodedLink(100, 152), {3.93: 0.099}),
    ("table 1, MCS 13", CodedLink(2000, 4180, 4), {5.71: 0.587}),
)
"""Block error rates by Es/N0 in dB of the stored tables of Sionna's system level; coded bits fill whole symbols."""
SIONNA_TABLES_FULL = (
    ("table 1, MCS 3", CodedLink(100, 408), {-1.43: 0.023}),
    ("table 1, MCS 3", CodedLink(500, 2040), {-3.21: 0.747}),
    ("table 1, MCS 6", CodedLink(500, 1142), {0.36: 0.299}),
    ("table 1, MCS 6", CodedLink(2000, 4562), {0.36: 0.209}),
    ("table 1, MCS 12", CodedLink(100, 236, 4), {5.71: 0.156}),
    ("table 1, MCS 12", CodedLink(500, 1180, 4), {5.71: 0.0203}),
    ("table 1, MCS 15", CodedLink(100, 168, 4), {7.5: 0.577, 9.29: 0.037}),
    ("table 1, MCS 15", CodedLink(2000, 3328, 4), {7.5: 0.867}),
    ("table 1, MCS 18", CodedLink(100, 222, 6), {11.07: 0.043}),
    ("table 1, MCS 18", CodedLink(2000, 4398, 6), {9.29: 0.71}),
    ("table 1, MCS 21", CodedLink(500, 834, 6), {12.86: 0.143}),
    ("table 1, MCS 21", CodedLink(2000, 3330, 6), {12.86: 0.0293}),
    ("table 1, MCS 24", CodedLink(500, 666, 6), {16.43: 0.016}),
    ("table 1, MCS 27", CodedLink(500, 564, 6), {18.21: 0.341}),
    ("table 2, MCS 9", CodedLink(500, 832, 4), {7.63: 0.57}),
    ("table 2, MCS 12", CodedLink(500, 996, 6), {10.79: 0.16}),
    ("table 2, MCS 15", CodedLink(500, 774, 6), {13.95: 0.0927}),
    ("table 2, MCS 15", CodedLink(2000, 3078, 6), {13.95: 0.0127}),
    ("table 2, MCS 18", CodedLink(500, 624, 6), {17.11: 0.0383}),
    ("table 2, MCS 21", CodedLink(500, 728, 8), {18.68: 0.406}),
    ("table 2, MCS 24", CodedLink(2000, 2440, 8), {21.84: 0.348}),
    ("table 2, MCS 27", CodedLink(500, 544, 8), {25.0: 0.221}),
    ("table 2, MCS 27", CodedLink(2000, 2168, 8), {25.0: 0.15}),
)


def _curves() -> list[Entry]:
    """Sionna's tutorials: our decoder is not worse, and theirs behind our chain gives the same, where it is quick."""
    entries = []
    for link, iterations, errors, rates in SIONNA_CURVES:
        for snr_db, bler in rates.items():
            name = f"k{link.k}-n{link.n}-{2**link.bits_per_symbol}qam-{snr_db:g}db"
            sent = f"{link.k} bits in {link.n}, {_modulation(link)}"
            what = f"block error rate, {sent}, Eb/N0 {snr_db:g} dB, {iterations} iterations"
            slack = 4 * bler / math.sqrt(max(errors, 2000 * bler))
            blocks = math.ceil(200 / bler)
            seconds = blocks * link.k / 6e6
            source = "[hoydis2022sionna, tutorials: 5G channel coding, evolution of FEC, BICM]"
            entries.append(
                Entry(
                    f"ldpc/sionna/{name}",
                    what,
                    bler,
                    "",
                    Rule(math.inf, slack, "ours is layered, theirs flooding, which needs more iterations"),
                    source,
                    BlockErrors(link, snr_db, blocks, iterations),
                    cost="quick" if seconds < 0.6 else "full",
                )
            )
            if blocks * link.k * iterations < 6e7:
                entries.append(
                    Entry(
                        f"ldpc/sionna-decoder/{name}",
                        f"{what}, our chain with Sionna's decoder",
                        bler,
                        "",
                        Rule(slack, slack, "four standard deviations of the published rate"),
                        source,
                        BlockErrors(link, snr_db, blocks, iterations, "sionna"),
                        cost="full",
                    )
                )
    return entries


def _tables() -> list[Entry]:
    costs: dict[Cost, tuple] = {"quick": SIONNA_TABLES, "full": SIONNA_TABLES_FULL}
    return [
        Entry(
            f"ldpc/sionna-table/k{link.k}-n{link.n}-{2**link.bits_per_symbol}qam-{snr_db:g}db",
            f"block error rate, {where}, {link.k} bits, {_modulation(link)}, Es/N0 {snr_db:g} dB",
            bler,
            "",
            Rule(math.inf, 4 * math.sqrt(bler * (1 - bler) / min(3000, 100 / bler)), "their hundred errors, at most"),
            f"[hoydis2022sionna, sys/bler_tables: PDSCH, {where}]",
            BlockErrors(link, snr_db, 2000, 20, per_symbol=True),
            cost=cost,
        )
        for cost, tables in costs.items()
        for where, link, rates in tables
        for snr_db, bler in rates.items()
    ]


LARGEST_Z = (256, 384, 320, 224, 288, 352, 208, 240)
"""Of the eight sets of shifts."""
WORDS = (
    *((1, 22 * z, 66 * z) for z in LARGEST_Z),
    *((2, 10 * z, 50 * z) for z in LARGEST_Z),
    *((1, 3000, 6000), (2, 640, 2000), (2, 600, 1500), (2, 100, 300)),
)
"""Graph, information bits, coded bits: all columns of each set at its largest Z, and blocks with fillers."""


def _modulation(link: CodedLink) -> str:
    return "QPSK" if link.bits_per_symbol == 2 else f"{2**link.bits_per_symbol}-QAM"


def _of_the_standard() -> list[Entry]:
    table, words = "[3gpp38212, tables 5.3.2-2 and 5.3.2-3, as Sionna ships them]", "[3gpp38212, 5.3.2]"
    entries = [
        Entry(f"ldpc/table/bg{graph}", f"shifts of base graph {graph} that are not the standard's", 0, "",
              exactly("a table"), table, ShiftTable(graph))
        for graph in (1, 2)
    ]  # fmt: skip
    entries += [
        Entry(f"ldpc/edges/bg{graph}", f"edges of base graph {graph}", edges, "", exactly("a table"), table,
              ShiftTable(graph), "edges")
        for graph, edges in ((1, 316), (2, 197))
    ]  # fmt: skip
    entries += [
        Entry(f"ldpc/words/bg{graph}-k{k}-n{n}", f"words of {k} bits in {n} on base graph {graph} that are not "
              "those of Sionna's encoder", 0, "", exactly("bit for bit"), words, CodeWords(graph, k, n))
        for graph, k, n in WORDS
    ]  # fmt: skip
    return entries


ENTRIES = (
    *_of_the_standard(),
    *_thresholds("normalised", QUICK, SAME_RULE),
    *_thresholds("box-plus", QUICK_BOX_PLUS, NOT_WORSE),
    *_curves(),
    *_tables(),
)
