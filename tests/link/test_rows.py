"""Rows of results: exact text, nothing lost on the way, nothing half-written."""

from __future__ import annotations

import json
import math
import os
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

from semlink.errors import ResultsError, ScenarioError
from semlink.link.metrics.registry import METRICS
from semlink.link.report.results_table import as_text
from semlink.link.results.finished import FinishedPoint, FinishedRun, metrics_of
from semlink.link.results.labels import chosen_coding, in_words
from semlink.link.results.rows import (
    COLUMNS,
    Row,
    cells,
    cost_column,
    from_json,
    read_csv,
    read_folder,
    to_json,
    value,
    write_csv,
)


def test_a_coding_reads_as_one_writes_it():
    """Files keep what is exact; two thirds are no row of a table."""
    assert in_words("mcs 16qam 682.667/1024; 3 blocks") == "MCS 16-QAM 2/3; 3 blocks"
    assert (
        in_words("mcs qpsk 341.333/1024") == "MCS QPSK 1/3" and chosen_coding("mcs 64qam 853.333/1024") == "64-QAM 5/6"
    )
    assert in_words("mcs 256qam 682.5/1024") == "MCS 256-QAM 682.5/1024" and chosen_coding("spends 9 %") == ""
    rows = [Row("best", "awgn", 8.0, 0.1, psnr_db=30.0, note="mcs 16qam 682.667/1024")]
    assert "(1) MCS 16-QAM 2/3" in as_text(rows)


DESIGN_ORDER = (
    *("scheme", "channel", "snr_db", "budget", "rate", "channel_uses", "channel_uses_per_pixel"),
    *("payload", "parity", "crc", "pilot", "header", "side_info"),
    *("psnr_db", "psnr_ci95", "ssim", "ssim_ci95", "bler", "trials", "clips", "seed", "genie", "note"),
)


def test_columns_stand_in_the_order_of_the_contract():
    assert [name for name in COLUMNS if name in DESIGN_ORDER] == list(DESIGN_ORDER)


def test_a_row_is_written_with_fixed_precision(tmp_path):
    costs = {"channel_uses": Fraction(18433, 3), "channel_uses_per_pixel": 6144 / 2**20, "payload": Fraction(4096)}
    row = Row("A, b", "awgn", 10.0, 0.003, **costs, psnr_db=31.23456)
    write_csv([row], tmp_path / "curves.csv")
    line = (tmp_path / "curves.csv").read_text().splitlines()[1]
    assert line.startswith('"A, b",awgn,10,0.003,,6144.33,0.005859375,,4096,,')
    assert ",31.2346," in line


@given(
    st.floats(-20, 120, allow_nan=False),
    st.floats(0, 1e7, allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(str.strip),
)
@settings(max_examples=15, deadline=None)
def test_writing_what_was_read_gives_the_same_bytes(tmp_path_factory, quality, uses, name):
    folder = tmp_path_factory.mktemp("rows")
    row = Row(name, snr_db=quality / 3, channel_uses=uses, psnr_db=quality, bler=uses / 1e8, bound=True, genie="csi")
    write_csv([row], folder / "a.csv")
    write_csv(read_csv(folder / "a.csv"), folder / "b.csv")
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    assert cells(from_json(json.loads(json.dumps(to_json(row))))) == cells(row)


def test_nothing_and_not_a_number_are_empty_infinity_is_named(tmp_path):
    write_csv([Row("A", psnr_db=math.nan, ssim=math.inf, note="two\nlines")], tmp_path / "c.csv")
    (row,) = read_csv(tmp_path / "c.csv")
    assert row.psnr_db is None and row.ssim == math.inf and row.note == "two lines" and row.bound is False
    assert json.loads(json.dumps(to_json(row), allow_nan=False))["ssim"] == "inf"


def test_columns_of_a_users_metric_ride_along(tmp_path):
    rows = [Row("A", psnr_db=30.0, extra={"lpips": 0.25, "lpips_ci95": 0.01}), Row("B", extra={"lpips": 0.5})]
    write_csv(rows, tmp_path / "c.csv")
    read = read_csv(tmp_path / "c.csv")
    assert [value(r, "lpips") for r in read] == [0.25, 0.5] and value(read[1], "lpips_ci95") is None
    found = metrics_of(read, [])
    assert [(m.column, m.interval) for m in found] == [("psnr_db", "psnr_ci95"), ("lpips", "lpips_ci95")]
    with pytest.raises(ScenarioError, match="'msssim' is in no row; the results have psnr, lpips"):
        FinishedRun(tmp_path, tuple(map(FinishedPoint, read)), found).metric("msssim")


def test_cost_is_readings_only_where_nothing_is_sent():
    sensed = Row("A", measurements_per_pixel=0.1)
    assert cost_column([sensed]) == "measurements_per_pixel"
    assert cost_column([sensed, Row("B", channel_uses_per_pixel=0.1)]) == "channel_uses_per_pixel"


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "curves.csv"
    write_csv([Row("old")], target)
    before = target.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ResultsError, match="curves.csv: cannot be written .no space left"):
        write_csv([Row("new")], target)
    assert target.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["curves.csv"]


def test_the_file_has_the_rights_the_user_asked_for(tmp_path):
    mask = os.umask(0o027)
    try:
        write_csv([Row("A")], tmp_path / "c.csv")
    finally:
        os.umask(mask)
    assert (tmp_path / "c.csv").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", ":1: no column 'scheme'"),
        ("scheme,snr_db\nA,ten\n", ":2: snr_db: got 'ten', expected a number"),
        ("scheme,trials\nA,3\nB,4.5\n", ":3: trials: got '4.5', expected a whole number"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "curves.csv").write_text(text)
    with pytest.raises(ResultsError) as caught:
        read_csv(tmp_path / "curves.csv")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_results_says_what_to_do(tmp_path):
    with pytest.raises(ResultsError, match="no such folder"):
        read_folder(tmp_path / "absent")
    with pytest.raises(ResultsError, match=r"holds no curves\.csv; finish `semlink run`"):
        read_folder(tmp_path)
    write_csv([], tmp_path / "curves.csv")
    with pytest.raises(ResultsError, match="no rows"):
        read_folder(tmp_path)


def test_a_narrow_table_loses_no_column_and_cuts_no_number():
    """Five qualities need more than 100 columns: as many are taken as are needed, and every note has its mark."""
    columns = {"xpsnr_db": 24.28, "vmaf": 73.3, "ms_ssim": 0.9503}
    rows = [
        Row(
            scheme=name,
            channel="awgn",
            snr_db=9.0,
            budget=0.05,
            channel_uses=1614.0,
            channel_uses_per_pixel=0.05,
            psnr_db=31.03,
            psnr_ci95=6.61,
            ssim=0.8523,
            bler=0.0,
            trials=3,
            clips=2,
            seed=1,
            note=note,
            extra=columns,
        )
        for name, note in (("H.264 + LDPC 16-QAM 2/3", ""), ("H.264 + LDPC, best MCS", "MCS 16-QAM 2/3"))
    ]
    text = as_text(rows, width=60, metrics=METRICS)
    head = next(line for line in text.splitlines() if "scheme" in line)
    heads = "scheme SNR dB point uses PSNR dB SSIM MS-SSIM XPSNR dB VMAF BLER trials note"
    assert " ".join(head.split()) == heads
    assert "…" not in text and text.count("31.03 ±6.61") == 2 and text.count("(1)") == 2
