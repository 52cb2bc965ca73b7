"""Block error rates of 5G LDPC over white noise against published ones.

The published points are those of Sionna's tutorials: exact sum-product with a
flooding schedule, at the number of iterations given here (k = 64 and 600: 20,
k = 512 and 2048: 40; 16-QAM behind a random interleaver). Two things are held:
our decoder at the same number of iterations is at no point worse, and the rest
of the chain (encoder, rate matching, mapper, demapper) with Sionna's decoder
gives the published value itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from semlink.link.validate.entries.ldpc import SIONNA_CURVES, SIONNA_TABLES
from semlink.link.validate.entry import Bench
from semlink.link.validate.measures.coded_link import CodedLink
from semlink.link.validate.measures.ldpc import BlockErrors
from semlink.phy.ldpc.decoder import Backend

TARGET_ERRORS = 200


@dataclass(frozen=True, slots=True)
class Published:
    """A point: Eb/N0 (or, for whole symbols, Es/N0) against the block error rate, found from `errors` errors."""

    link: CodedLink
    iterations: int
    snr_db: float
    bler: float
    errors: float
    per_symbol: bool = False

    @property
    def bits_to_run(self) -> float:
        """Information bits in which the published rate makes `TARGET_ERRORS` block errors."""
        return TARGET_ERRORS / self.bler * self.link.k

    def __str__(self) -> str:
        return f"k{self.link.k}-n{self.link.n}-{2**self.link.bits_per_symbol}qam-{self.snr_db}dB"


def points() -> list[Published]:
    """Those that `semlink validate` holds."""
    return [
        Published(link, iterations, snr_db, bler, max(errors, 2000 * bler))
        for link, iterations, errors, rates in SIONNA_CURVES
        for snr_db, bler in rates.items()
    ]


def errors_of(point: Published, backend: Backend, *, blocks: int) -> int:
    """Block errors among `blocks` of `point`."""
    measure = BlockErrors(point.link, point.snr_db, blocks, point.iterations, backend, point.per_symbol)
    return round(measure(Bench(11))[""].value * blocks)


def interval(point: Published) -> tuple[float, float]:
    """Where `TARGET_ERRORS` expected errors fall, the published rate having its own spread.

    The interval is that of 95 % for all of the 24 points together (Bonferroni): 3.08 standard deviations each.
    """
    variance = TARGET_ERRORS * (1 - point.bler) * (1 + TARGET_ERRORS / point.errors)
    return TARGET_ERRORS - 3.08 * math.sqrt(variance), TARGET_ERRORS + 3.08 * math.sqrt(variance)


def marked(point: Published, limit: float) -> object:
    """The point, marked slow where it takes more information bits than `limit`."""
    return pytest.param(point, id=str(point), marks=[pytest.mark.slow] if point.bits_to_run > limit else [])


@pytest.mark.source("hoydis2022sionna", "tutorials: 5G channel coding, evolution of FEC, BICM")
@pytest.mark.parametrize("point", [marked(point, 6e6) for point in points()])
def test_default_decoder_is_no_worse_than_published(point):
    blocks = math.ceil(TARGET_ERRORS / point.bler)
    errors = errors_of(point, "auto", blocks=blocks)
    assert errors <= interval(point)[1]


@pytest.mark.slow
@pytest.mark.source("hoydis2022sionna", "tutorials: 5G channel coding, evolution of FEC, BICM")
@pytest.mark.parametrize("point", [marked(p, 0) for p in points() if p.bits_to_run * p.iterations < 1.5e8])
def test_chain_with_flooding_sum_product_gives_the_published_rate(point):
    pytest.importorskip("sionna.phy")
    blocks = math.ceil(TARGET_ERRORS / point.bler)
    low, high = interval(point)
    assert low <= errors_of(point, "sionna", blocks=blocks) <= high


@pytest.mark.source("hoydis2022sionna", "system level: 38.214 table 1, MCS 9, code block of 500 bits")
@pytest.mark.parametrize(("snr_db", "bler"), SIONNA_TABLES[0][2].items())
def test_mcs_9_fails_and_passes_where_the_table_says(snr_db, bler):
    """QPSK at rate 679 / 1024: the cliff lies between the two points, ours not behind it."""
    blocks = 3000
    point = Published(SIONNA_TABLES[0][1], 20, snr_db, bler, blocks * bler, per_symbol=True)
    errors = errors_of(point, "auto", blocks=blocks)
    assert errors <= blocks * bler + 2 * math.sqrt(blocks * bler * (1 - bler))
    assert snr_db > 3 or errors > 0.5 * blocks
