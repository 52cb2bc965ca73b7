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

import numpy as np
import pytest
from ldpc_links import CodedLink

from semlink.phy.ldpc.decoder import Backend, decode_blocks

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
    def es_n0_db(self) -> float:
        return self.snr_db if self.per_symbol else self.link.es_n0_db(self.snr_db)

    @property
    def bits_to_run(self) -> float:
        """Information bits in which the published rate makes `TARGET_ERRORS` block errors."""
        return TARGET_ERRORS / self.bler * self.link.k

    def __str__(self) -> str:
        return f"k{self.link.k}-n{self.link.n}-{2**self.link.bits_per_symbol}qam-{self.snr_db}dB"


def points() -> list[Published]:
    """The tutorials stopped at 1000, 2000 and 500 block errors; the last two tables at 500 bit errors, in batches."""
    tables = (
        (CodedLink(64, 128), 20, 1000, {2.0: 0.155, 3.0: 0.0225, 3.5: 0.00584, 4.0: 0.00133}),
        (CodedLink(512, 1024), 40, 2000, {1.0: 0.241, 1.2: 0.103, 1.4: 0.0364, 1.6: 0.0106, 1.8: 0.00237}),
        (CodedLink(2048, 6156), 40, 500, {0.2: 0.139, 0.3: 0.0505, 0.4: 0.0143, 0.5: 0.0033}),
        (CodedLink(600, 1200), 20, 20, {1.0: 0.478, 1.5: 0.058, 1.75: 0.0133, 2.0: 0.0018}),
        (CodedLink(600, 1200, 4, shuffled=True), 20, 20, {3.5: 0.274, 3.75: 0.091, 4.0: 0.034, 4.5: 0.0012}),
    )
    return [
        Published(link, iterations, snr_db, bler, max(errors, 2000 * bler))
        for link, iterations, errors, rates in tables
        for snr_db, bler in rates.items()
    ]


def errors_of(point: Published, backend: Backend, *, blocks: int) -> int:
    """Block errors among `blocks` of `point`."""
    rng, errors, batch = np.random.default_rng(11), 0, min(blocks, max(16, int(2e6 / point.link.n)))
    for start in range(0, blocks, batch):
        num = min(batch, blocks - start)
        bits, buffers = point.link.heard(num, point.es_n0_db, rng)
        words = decode_blocks(point.link.code, buffers, iterations=point.iterations, backend=backend)
        errors += int((words.hard != bits).any(axis=1).sum())
    return errors


def interval(point: Published) -> tuple[float, float]:
    """Where `TARGET_ERRORS` expected errors fall, the published rate having its own spread.

    The interval is that of 95 % for all of the 21 points together (Bonferroni): 3.03 standard deviations each.
    """
    variance = TARGET_ERRORS * (1 - point.bler) * (1 + TARGET_ERRORS / point.errors)
    return TARGET_ERRORS - 3.03 * math.sqrt(variance), TARGET_ERRORS + 3.03 * math.sqrt(variance)


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
@pytest.mark.parametrize(("snr_db", "bler"), [(2.14, 0.978), (3.93, 0.0097)])
def test_mcs_9_fails_and_passes_where_the_table_says(snr_db, bler):
    """QPSK at rate 679 / 1024: the cliff lies between the two points, ours not behind it."""
    blocks = 3000
    point = Published(CodedLink(500, 754), 20, snr_db, bler, blocks * bler, per_symbol=True)
    errors = errors_of(point, "auto", blocks=blocks)
    assert errors <= blocks * bler + 2 * math.sqrt(blocks * bler * (1 - bler))
    assert snr_db > 3 or errors > 0.5 * blocks
