"""The tables of modulation and coding schemes."""

from __future__ import annotations

import pytest

from semlink.phy.coding.mcs_tables import mcs_of, mcs_table


@pytest.mark.source("3gpp38214", "tables 5.1.3.1-1 to 5.1.3.1-3")
@pytest.mark.parametrize(
    ("table", "index", "bits_per_symbol", "rate_1024"),
    [(1, 0, 2, 120), (1, 9, 2, 679), (1, 10, 4, 340), (1, 17, 6, 438), (1, 28, 6, 948), (2, 0, 2, 120)]
    + [(2, 5, 4, 378), (2, 20, 8, 682.5), (2, 27, 8, 948), (3, 0, 2, 30), (3, 15, 4, 340), (3, 28, 6, 772)],
)
def test_rows_of_the_standard(table, index, bits_per_symbol, rate_1024):
    row = mcs_of(table, index)
    assert (row.bits_per_symbol, row.rate) == (bits_per_symbol, rate_1024 / 1024)


@pytest.mark.parametrize("table", [1, 2, 3])
def test_tables_are_sionnas(table):
    utils = pytest.importorskip("sionna.phy.nr.utils")
    rows = mcs_table(table)
    assert len(rows) == (28 if table == 2 else 29)
    for row in rows:
        order, rate = utils.decode_mcs_index(row.index, table_index=table, is_pusch=False)
        assert (int(order), pytest.approx(float(rate), abs=1e-6)) == (row.bits_per_symbol, row.rate)


@pytest.mark.parametrize("table", [1, 2, 3])
def test_efficiency_never_falls_along_a_table(table):
    """Where the constellation grows the standard keeps the efficiency within one step."""
    rates = [row.efficiency for row in mcs_table(table)]
    assert all(later > earlier - 0.01 for earlier, later in zip(rates, rates[1:]))


def test_bad_rows_are_named():
    with pytest.raises(ValueError, match="MCS table 7; 38.214 has 1, 2, 3"):
        mcs_table(7)
    with pytest.raises(ValueError, match=r"MCS index 28 of table 2; allowed: 0..27"):
        mcs_of(2, 28)
