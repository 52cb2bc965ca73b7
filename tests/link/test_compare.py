"""Comparisons against closed forms and other implementations, and the tables that show them."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from fake_results import BUDGETS, MOTIONS, Law, make
from hypothesis import given, settings, strategies as st
from scipy import stats

from semlink.errors import ResultsError, ScenarioError
from semlink.link.compare.bd_rate import Average, bd_quality, bd_rate
from semlink.link.compare.compare import compare
from semlink.link.compare.gaps import CurveGap, reason_of
from semlink.link.compare.paired import ClipScores, gap
from semlink.link.metrics.registry import PSNR
from semlink.link.report import comparison_table as compare_text, results_table as table
from semlink.link.results.finished import read_run
from semlink.link.results.rows import Row, from_json, write_csv

REF = Law("reference")
COSTS = (100.0, 220.0, 410.0, 900.0)


def line(slope=3.0, base=20.0, costs=COSTS, factor=1.0):
    """Quality linear in log2 cost; `factor` shifts the costs."""
    return [(cost * factor, base + slope * math.log2(cost)) for cost in costs]


# --- Bjontegaard


@pytest.mark.source("bjontegaard2001", "both averages, on curves whose distance is known")
@given(st.floats(-5, 5), st.floats(0.5, 2.0), st.floats(0.5, 6.0))
@settings(max_examples=25, deadline=None)
def test_parallel_curves_have_their_distance(offset, factor, slope):
    assert bd_quality(line(slope), line(slope, 20 + offset)).value == pytest.approx(offset, abs=1e-9)
    shifted = line(slope, factor=factor)
    assert bd_rate(line(slope), shifted).value == pytest.approx(100 * (factor - 1), abs=1e-7)
    assert bd_quality(line(slope), shifted).value == pytest.approx(-slope * math.log2(factor), abs=1e-9)


@pytest.mark.source("bjontegaard2001", "third-order polynomial through four points")
def test_smooth_curves_agree_with_the_original_polynomial():
    reference = [(90, 27.1), (180, 29.6), (370, 32.4), (750, 35.0)]
    test = [(80, 27.3), (170, 30.1), (330, 32.6), (700, 35.5)]
    log_costs = [np.log10([c for c, _ in points]) for points in (reference, test)]
    fits = [np.polyint(np.polyfit(x, [q for _, q in p], 3)) for x, p in zip(log_costs, (reference, test))]
    low, high = max(x[0] for x in log_costs), min(x[-1] for x in log_costs)
    areas = [np.polyval(fit, high) - np.polyval(fit, low) for fit in fits]
    expected = (areas[1] - areas[0]) / (high - low)
    assert bd_quality(reference, test).value == pytest.approx(expected, abs=0.03)


def test_the_average_runs_over_what_both_cover():
    found = bd_quality(line(), line(3.0, 21.0, costs=(300.0, 600.0, 1800.0)))
    assert (found.low, found.high) == pytest.approx((300.0, 900.0)) and found.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("test", "note"),
    [
        (line(costs=(1000.0, 2000.0)), "the curves share no cost range"),
        (line(costs=(800.0, 1600.0, 3200.0)), "the curves share only 8% of the shorter cost range; needs 25%"),
        (line(costs=(300.0,)), "the scheme has 1 usable operating point; needs 2"),
        ([], "the scheme has no usable operating points; needs 2"),
    ],
)
def test_too_little_overlap_gives_a_reason_instead_of_a_number(test, note):
    found = bd_quality(line(), test)
    assert found.value is None and found.note == note


def test_a_reason_names_its_column_and_the_scheme():
    few = Average(note="the scheme has 1 usable operating point; needs 2")
    none = Average(note="2 dominated points left out")
    also = replace(few, note=few.note.replace("usable", "undominated"))
    gap = CurveGap("mine", "awgn", 8.0, few, math.nan, also, (math.nan, math.nan))
    assert reason_of(gap, "SSIM") == "BD-SSIM and BD-rate: 'mine' has 1 usable operating point; needs 2"
    gap = replace(gap, quality=Average(1.0), rate=none, note="2 clips: no interval")
    assert reason_of(gap, "PSNR") == "BD-rate: 2 dominated points left out; 2 clips: no interval"
    assert reason_of(replace(gap, rate=Average(1.0), note=""), "PSNR") == ""


def test_points_in_any_order_and_twice_change_nothing():
    plain = bd_rate(line(), line(3.0, 21.0))
    assert bd_rate(line()[::-1], [*line(3.0, 21.0), line(3.0, 21.0)[0]]).value == pytest.approx(plain.value)


def test_dominated_points_have_no_part_in_the_rate():
    found = bd_rate(line(), [*line(3.0, 21.0), (1800.0, 30.0)])
    assert found.value == pytest.approx(bd_rate(line(), line(3.0, 21.0)).value)
    assert found.note == "1 dominated points left out"


# --- paired differences


def clips_of(table, **extra):
    return [
        ClipScores(f"clip{n}", "slow", np.array(values), np.ones(len(values)), **extra)
        for n, values in enumerate(table)
    ]


@pytest.mark.source("satterthwaite1946", "one degree of freedom for each trial but one of each clip")
@given(st.integers(2, 7), st.integers(2, 9), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_intervals_are_not_below_those_of_paired_t_tests(clips, trials, seed):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(30, 1, (2, clips, trials))
    found = gap(clips_of(ours), clips_of(theirs), PSNR)
    over_clips = stats.ttest_rel(ours.mean(1), theirs.mean(1)).confidence_interval(0.95)
    variances = (ours - theirs).var(1, ddof=1)
    freedom = variances.sum() ** 2 / (variances**2).sum() * (trials - 1)
    least = stats.t.ppf(0.975, freedom) * math.sqrt(variances.sum() / trials) / clips
    assert found.mean == pytest.approx((ours - theirs).mean())
    assert found.trials_ci95 >= least * (1 - 1e-9)
    assert found.clips_ci95 == pytest.approx(max((over_clips.high - over_clips.low) / 2, found.trials_ci95))


def test_trials_pair_by_number_and_surplus_ones_are_not_used():
    noise = np.arange(6.0)
    found = gap(clips_of([noise[:4] + 1.0]), clips_of([noise]), PSNR)
    assert (found.mean, found.trials, found.clips) == (1.0, 4, 1) and math.isnan(found.clips_ci95)
    assert found.trials_ci95 == pytest.approx(0) and found.note == "one clip: no interval over clips"


def test_two_schemes_that_never_lost_a_block_may_still_differ_otherwise():
    """Nothing lost in 12 transmissions: by Clopper and Pearson a loss rate of 0.22 is not excluded on either side."""
    ours, theirs = (
        clips_of(np.full((3, 4), quality), lost=np.zeros(4), extremes=(12.0, 40.0)) for quality in (31.0, 30.0)
    )
    found = gap(ours, theirs, PSNR)
    rate = 1 - 0.025 ** (1 / 12)
    assert rate * 18 < found.trials_ci95 < rate * 19.5


def test_common_noise_and_content_cancel(tmp_path):
    make(tmp_path, [REF, replace(REF, name="better", base=24.7)], snrs=(4.0, 10.0))
    found = compare(read_run(tmp_path), "reference")
    assert len(found.points) == 8
    for point in found.points:
        assert point.gap.mean == pytest.approx(0.7) and point.gap.clips == len(MOTIONS) and point.gap.trials == 8
        assert point.gap.clips_ci95 == pytest.approx(0, abs=1e-9)
    for curve in found.curves:
        assert curve.quality.value == pytest.approx(0.7, abs=1e-6) and curve.quality_ci95 == pytest.approx(0, abs=1e-9)
        assert curve.rate.value == pytest.approx(100 * (2 ** (-0.7 / 3) - 1), abs=1.0)


def test_motion_classes_are_told_apart(tmp_path):
    make(tmp_path, [REF, replace(REF, name="shy of motion", fast_db=-1.2)])
    point = compare(read_run(tmp_path), "reference").points[0]
    means = {motion: g.mean for motion, g in point.by_motion.items()}
    assert means == pytest.approx({"slow": 0.0, "medium": 0.0, "fast": -1.2}, abs=1e-9)
    assert point.by_motion["fast"].clips == 3 and math.isnan(point.by_motion["medium"].clips_ci95)
    assert point.gap.mean == pytest.approx(-0.6)


def test_a_bound_without_noise_meets_every_trial(tmp_path):
    make(tmp_path, [REF, Law("bound", base=26, bound=True)])
    point = compare(read_run(tmp_path), "reference").points[0]
    assert point.gap.trials == 8 and point.gap.mean == pytest.approx(2.0, abs=0.3) and point.gap.trials_ci95 > 0
    back = compare(read_run(tmp_path), "bound").points[0]
    assert back.gap.mean == pytest.approx(-point.gap.mean) and back.gap.trials == 8


def test_own_rates_meet_the_reference_at_their_own_cost(tmp_path):
    """Both laws are linear in log cost, so interpolation is exact and the gap is that of the laws."""
    quiet = replace(REF, noise_db=0.0)
    own = Law("own", base=25, slope=2, noise_db=0.0, own_rates=(0.001, 0.004, 0.01, 0.02, 0.05))
    make(tmp_path, [quiet, own])
    points = compare(read_run(tmp_path), "reference").points
    assert [p.gap is None for p in points] == [True, False, False, False, True]
    assert points[0].note == "cost outside the reference's curve"
    for point in points[1:4]:
        octaves = math.log2(point.cost / 0.003)
        assert point.gap.mean == pytest.approx(25 + 2 * octaves - 24 - 3 * octaves)
        assert point.reference_cost == point.cost


def test_what_is_left_of_a_budget_is_no_loss(tmp_path):
    """On one law, a scheme that spends 82 % of its budget is as good as one that spends 99 %, at the same cost.

    At the least budget the reference's curve does not reach so low: there its lead of 3 log2(99 / 82) dB stays.
    """
    make(tmp_path, [Law("reference", noise_db=0), Law("thrifty", share=0.82, noise_db=0)])
    first, *others = compare(read_run(tmp_path), "reference").points
    assert [p.gap.mean for p in others] == pytest.approx([0] * 3, abs=1e-6)
    assert [p.cost for p in others] == pytest.approx([0.82 * b for b in BUDGETS[1:]])
    assert all(p.note == "at equal cost: spends 83 % of what the reference does" for p in others)
    assert first.gap.mean == pytest.approx(3 * math.log2(0.82 / 0.99)) and first.note.startswith("not at equal cost")


@pytest.mark.parametrize("share", [0.97, 1.0])
def test_schemes_that_fill_their_budgets_meet_at_the_budget(share, tmp_path):
    make(tmp_path, [Law("reference", noise_db=0), Law("other", share=share, noise_db=0)])
    points = compare(read_run(tmp_path), "reference").points
    assert [(p.gap.mean, p.note) for p in points] == [(pytest.approx(3 * math.log2(share / 0.99)), "")] * len(BUDGETS)


def test_clips_beyond_the_reference_are_left_out_and_counted(tmp_path):
    make(tmp_path, [replace(REF, noise_db=0.0), Law("own", noise_db=0.0, own_rates=(0.01,))])
    record = next(p for p in (tmp_path / "points").iterdir() if '"own"' in p.read_text())
    content = json.loads(record.read_text())
    uses = content["row"]["channel_uses"]
    content["clips"][0]["channel_uses"], content["clips"][1]["channel_uses"] = [1.0] * 8, [2 * uses - 1.0] * 8
    record.write_text(json.dumps(content))
    (point,) = compare(read_run(tmp_path), "reference").points
    assert point.gap.clips == 5 and point.note == "1 of 6 clips outside the curve"


def test_the_jackknife_is_the_t_interval_where_the_average_is_linear(tmp_path):
    """Two points at equal cost: BD-PSNR is a mean over clips, whose interval is known."""
    make(tmp_path, [REF, replace(REF, name="uneven", base=25, fast_db=-1.0)], budgets=BUDGETS[:2])
    found = compare(read_run(tmp_path), "reference")
    per_clip = [1.0 - 1.0 * (motion == "fast") for motion in MOTIONS]
    interval = stats.ttest_1samp(per_clip, 0).confidence_interval(0.95)
    assert found.curves[0].quality.value == pytest.approx(np.mean(per_clip))
    assert found.curves[0].quality_ci95 == pytest.approx((interval.high - interval.low) / 2)
    low, high = found.curves[0].rate_ci95
    assert low < found.curves[0].rate.value < high


def test_points_that_could_not_be_sent_carry_their_reason(tmp_path):
    make(tmp_path, [REF, Law("big", least=0.005)])
    assert compare(read_run(tmp_path), "reference").points[0].note == "no bitstream fits 3145 uses"
    assert compare(read_run(tmp_path), "big").points[0].note == "reference: no bitstream fits 3145 uses"


def test_records_of_an_earlier_run_are_passed_over(tmp_path):
    make(tmp_path, [REF, replace(REF, name="better", base=25)])
    stale = json.loads((tmp_path / "points" / "0005.json").read_text())
    stale["row"]["seed"] = 2
    stale["clips"][0]["psnr_db"] = [0.0] * 8
    stale["row"]["psnr_db"] = float(np.mean([clip["psnr_db"] for clip in stale["clips"]]))
    (tmp_path / "points" / "0009.json").write_text(json.dumps(stale))
    assert from_json(stale["row"]).scheme == "better"
    assert compare(read_run(tmp_path), "reference").points[0].gap.mean == pytest.approx(1.0)


def test_without_records_whole_curves_are_still_compared(tmp_path):
    make(tmp_path, [REF, replace(REF, name="better", base=25)], records=False)
    found = compare(read_run(tmp_path), "reference")
    assert found.curves[0].quality.value == pytest.approx(1.0, abs=0.01) and math.isnan(found.curves[0].quality_ci95)
    assert found.notes and not any(p.gap for p in found.points)


# --- faults


@pytest.mark.parametrize(
    ("laws", "reference", "message"),
    [
        ([REF, BUDGETS], "refrence", "no scheme 'refrence'; did you mean 'reference'? schemes: 'reference', 'other'"),
        ([REF, BUDGETS], "qqqq", "no scheme 'qqqq'; schemes: 'reference', 'other'"),
        ([REF], "reference", "'reference' is the only scheme; a comparison needs a second one"),
        ([REF, (0.5,)], "reference", "nothing can be compared with 'reference': "),
    ],
)
def test_a_comparison_that_cannot_be_made_says_why_in_a_line(tmp_path, laws, reference, message):
    laws = [law if isinstance(law, Law) else Law("other", own_rates=law) for law in laws]
    make(tmp_path, laws)
    with pytest.raises(ScenarioError) as caught:
        compare(read_run(tmp_path), reference)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_only_senses_is_compared_with_its_like(tmp_path):
    rows = make(tmp_path, [REF, Law("other", own_rates=BUDGETS)])
    sensed = [Row(n, rate=m, measurements_per_pixel=m, psnr_db=20.0 + m) for n in ("eye", "lens") for m in (1, 2, 4)]
    write_csv([*rows, *sensed], tmp_path / "curves.csv")
    for reference, others, unlike in (
        ("reference", {"other"}, "'eye', 'lens'"),
        ("eye", {"lens"}, "'reference', 'other'"),
    ):
        found = compare(read_run(tmp_path), reference)
        assert {gap.scheme for gap in found.curves} == others and any(unlike in note for note in found.notes)
    write_csv([*rows, *sensed[:3]], tmp_path / "curves.csv")
    with pytest.raises(
        ScenarioError, match="'eye' only senses; nothing else there does, and 'reference', 'other' send"
    ):
        compare(read_run(tmp_path), "eye")


def test_folders_and_records_that_are_broken_are_named(tmp_path):
    with pytest.raises(ResultsError, match="no such folder"):
        compare(read_run(tmp_path / "absent"), "reference")
    with pytest.raises(ResultsError, match=r"holds no curves\.csv"):
        compare(read_run(tmp_path), "reference")
    make(tmp_path, [REF, replace(REF, name="other")])
    (tmp_path / "points" / "0001.json").write_text("{")
    with pytest.raises(ResultsError, match=r"0001\.json: damaged record .* delete it, or run again"):
        compare(read_run(tmp_path), "reference")


# --- tables


@pytest.fixture
def crowded(tmp_path):
    laws = [
        Law("H.264 + LDPC, best MCS", base=25),
        Law("H.264 + LDPC 16-QAM 2/3", cliff_db=8.9, least=0.005),
        Law("H.264 + capacity", base=27, bound=True),
        Law(
            "SemCom [beta] with a name that does not fit into its column", base=26, genie="csi", own_rates=(0.004, 0.02)
        ),
    ]
    return tmp_path, make(tmp_path, laws, snrs=(6.0, 10.0))


def test_the_results_table_fits_a_hundred_columns_without_codes(crowded):
    text = table.as_text(crowded[1])
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 100
    for words in ("[beta]", "(genie:", "(bound)", "(1) no bitstream fits 3145 uses", "rate 20", "25.00 ±0.09"):
        assert words in text
    numbers = [line for line in text.splitlines() if line.rstrip().endswith("8") and "±" in line]
    assert len(numbers) == 2 * (4 + 3 + 2), "every measured point has its line"


def test_genies_are_bold_and_bounds_slanted_in_a_terminal(crowded):
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=100, force_terminal=True, color_system="standard", no_color=False).print(
        table.results_table(crowded[1])
    )
    lines = out.getvalue().splitlines()
    (bold,) = {"\x1b[1m" in line for line in lines if "SemCom" in line}
    (slanted,) = {"\x1b[3m" in line for line in lines if "capacity" in line}
    plain = [line for line in lines if "best MCS" in line]
    assert bold and slanted and not any("\x1b[1m" in line or "\x1b[3m" in line for line in plain)


def test_a_table_without_sending_shows_readings():
    text = table.as_text([Row("fixed", measurements_per_pixel=0.125, psnr_db=30.0)])
    assert text.splitlines()[2].split() == ["scheme", "readings/pixel", "PSNR", "dB"]
    assert text.splitlines()[4].split() == ["fixed", "0.125", "30.00"]


def test_printing_into_a_pipe_gives_plain_text(crowded, capsys):
    table.show(table.results_table(crowded[1]))
    table.show(compare_text.tables(compare(read_run(crowded[0]), "H.264 + LDPC, best MCS")))
    text = capsys.readouterr().out
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 100
    assert "Over whole curves, against H.264 + LDPC, best MCS" in text and "[beta]" in text


def test_the_comparison_as_text_keeps_every_column(crowded):
    text = compare_text.as_text(compare(read_run(crowded[0]), "H.264 + LDPC, best MCS"))
    assert max(map(len, text.splitlines())) <= 100
    for words in ("BD-PSNR dB", "BD-rate %", "noise", "slow", "medium", "fast", "note", "+2.0"):
        assert words in text


def test_the_csv_holds_what_the_comparison_found(crowded, tmp_path):
    found = compare(read_run(crowded[0]), "H.264 + LDPC, best MCS")
    compare_text.write_compare_csv(found, tmp_path / "compare.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "compare.csv").read_text())))
    averages = [r for r in lines if r["quantity"] == "bd_psnr_db"]
    assert [float(r["value"]) if r["value"] else None for r in averages] == pytest.approx(
        [c.quality.value for c in found.curves], rel=1e-5
    )
    whole = [r for r in lines if r["motion"] == "all"]
    assert len(whole) == len(found.points)
    for row, point in zip(whole, found.points):
        if point.gap is None:
            assert row["value"] == "" and row["note"] == point.note
        else:
            assert float(row["value"]) == pytest.approx(point.gap.mean, rel=1e-5, abs=1e-6)
            half = (float(row["ci95_high"]) - float(row["ci95_low"])) / 2
            assert half == pytest.approx(point.gap.clips_ci95, rel=1e-3, abs=1e-4)
