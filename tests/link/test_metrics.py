"""Metrics: ours and a user's go the same way, from a scenario to rows, plots, comparisons and intervals."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml
from fake_results import Law, make
from scipy.ndimage import gaussian_filter
from sheets import costs
from terminal import TOY, semlink as command

import semlink
from semlink.errors import InterfaceError, ScenarioError, UnknownBlock
from semlink.link.compare.compare import compare
from semlink.link.metrics.draws import drawn
from semlink.link.metrics.gaussian_window import C1, C2, local_moments, similarity
from semlink.link.metrics.intervals import halfwidth
from semlink.link.metrics.registry import METRICS, Metric, metric_key, metrics_named
from semlink.link.plots.curves.model import quality_range
from semlink.link.results.finished import FinishedPoint, FinishedRun, read_run
from semlink.link.results.rows import COLUMNS

MINE = """
import numpy as np
import semlink

def sharpness(reference, received):
    return np.abs(np.diff(received, axis=-1)).mean()

def absolute_error(reference, received):
    return np.abs(reference - received).mean()

mae = semlink.Metric("mae", "mae", "MAE [gray]", 4, absolute_error, higher_is_better=False)

def broken(reference, received):
    raise RuntimeError("no such luck")

def endless(reference, received):
    return float("nan")

def psnr_ci95(reference, received):
    return 1.0

class Thing:
    pass
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A scenario in a file, with its metrics beside it, run from elsewhere."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "mine.py").write_text(MINE)
    tree = yaml.safe_load(TOY) | {"metrics": ["mine.py:sharpness", "psnr", "mine.py:mae"]}
    tree |= {"sweep": {"snr_db": [12], "budget": [0.06, 0.15]}}
    (folder / "s.yaml").write_text(yaml.safe_dump(tree))
    return semlink.run(folder / "s.yaml", folder / "out")


def test_a_users_metric_stands_at_the_end_of_the_rows_with_its_interval(ran):
    with (ran.folder / "curves.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == [*COLUMNS, "sharpness", "sharpness_ci95", "mae", "mae_ci95"]
    assert all(float(row[header.index("mae")]) > 0 for row in rows) and rows[0][header.index("ssim")] == ""
    for row in ran.table(pandas=False):
        by_trial = ran.per_clip("mae", scheme=row["scheme"], budget=row["budget"]).T
        assert row["mae"] == pytest.approx(by_trial.mean(), rel=1e-6)
        assert row["mae_ci95"] > 0
        if row["scheme"] == "direct":  # which has no blocks to lose
            assert row["mae_ci95"] == pytest.approx(halfwidth(drawn(by_trial, METRICS[0])), rel=1e-6)


def test_a_users_metric_is_what_its_function_says_of_the_frames(ran):
    frames, source = ran.frames(scheme="direct", budget=0.15, clip=1, trial=1), ran.source(1)
    assert ran.per_clip("mae", scheme="direct", budget=0.15)[1, 1] == pytest.approx(np.abs(source - frames).mean())


def test_a_point_tells_of_a_users_metric_so_that_nobody_imports_it_again(ran):
    (ran.folder.parent / "mine.py").rename(ran.folder.parent / "gone.py")
    try:
        found = {m.column: m for m in read_run(ran.folder).metrics}
        assert list(found) == ["psnr_db", "sharpness", "mae"]
        assert found["mae"].label == "MAE [gray]" and not found["mae"].higher_is_better
        assert found["sharpness"].higher_is_better and found["mae"].unit == "gray"
        with pytest.raises(InterfaceError, match="known by its column alone"):
            found["mae"].score(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)))
    finally:
        (ran.folder.parent / "gone.py").rename(ran.folder.parent / "mine.py")


def test_commands_take_it_by_name(ran, tmp_path):
    drawn = command("plot", ran.folder, "--metric", "mae", "--kind", "cost", "--out", tmp_path / "f", folder=tmp_path)
    assert drawn.code == 0 and (tmp_path / "f/mae_vs_cost.svg").exists(), drawn.err
    said = command("compare", ran.folder, "--reference", "coded", "--metric", "mae", folder=tmp_path)
    assert "Negative differences" in said.out and "difference_mae" in (ran.folder / "compare.csv").read_text()
    wrong = command("compare", ran.folder, "--reference", "coded", "--metric", "maee", folder=tmp_path)
    assert wrong.code == 2 and "metric 'maee' is in no row; the results have psnr, sharpness, mae" in wrong.err
    notes = costs(ran.run, ran.run.metric("mae"))[0].notes
    assert "Lower is better." in notes and "Lower is better." not in costs(ran.run)[0].notes


def with_error(run: FinishedRun) -> FinishedRun:
    """The run with 60 less PSNR as an error: the same curves upside down."""
    error = Metric("error", "error", "Error [dB]", 2, lambda a, b: 0.0, higher_is_better=False)
    points = []
    for point in run.points:
        clips = [clip | {"error": [60 - q for q in clip["psnr_db"]]} for clip in point.clips]
        row = replace(point.row, extra={"error": 60 - point.row.psnr_db})
        points.append(FinishedPoint(row, {**point.record, "clips": clips}))
    return FinishedRun(run.folder, tuple(points), (*run.metrics, error))


def test_an_error_compares_as_the_quality_it_mirrors(tmp_path):
    """Turned upside down, differences and BD gaps change their sign, rates and all half widths stay."""
    make(tmp_path, [Law("reference"), Law("better", base=25.5, slope=3.4, share=0.9)])
    run = with_error(read_run(tmp_path))
    quality, error = compare(run, "reference", "psnr_db"), compare(run, "reference", "error")
    (up,), (down,) = quality.curves, error.curves
    assert up.quality.value > 1 and down.quality.value == pytest.approx(-up.quality.value)
    assert down.rate.value == pytest.approx(up.rate.value) and up.rate.value < 0
    np.testing.assert_allclose(down.rate_ci95, up.rate_ci95)
    assert down.quality_ci95 == pytest.approx(up.quality_ci95) and up.quality_ci95 > 0
    assert (down.rate.low, down.rate.high) == pytest.approx((60 - up.rate.high, 60 - up.rate.low))
    for ours, theirs in zip(quality.points, error.points):
        assert theirs.gap.mean == pytest.approx(-ours.gap.mean)
        assert theirs.gap.clips_ci95 == pytest.approx(ours.gap.clips_ci95)


def test_wide_bands_do_not_flatten_the_curves(tmp_path):
    narrow = make(tmp_path, [Law("a")])
    wide = [replace(row, psnr_ci95=90.0) for row in narrow]
    assert quality_range(costs(narrow)[0]) is None
    low, high = quality_range(costs(wide)[0])
    qualities = [row.psnr_db for row in wide]
    span = max(qualities) - min(qualities)
    assert (low, high) == pytest.approx((min(qualities) - span / 2, max(qualities) + span / 2))
    assert any("cut off" in note for note in costs(wide)[0].notes)


def test_every_metric_of_ours_is_scored_and_has_a_name_of_its_own():
    rng = np.random.default_rng(0)
    clip = rng.random((2, 32, 32)).astype(np.float32)
    near, far = (np.clip(clip + s * rng.standard_normal(clip.shape), 0, 1).astype(np.float32) for s in (0.02, 0.2))
    for metric in METRICS:
        if metric.sees == "ycbcr":
            continue
        assert metric.score(clip, near) > metric.score(clip, far), metric.name
        if metric.by_frame is not None:
            each = metric.by_frame(clip, near)
            assert each.shape == (2,) and each[0] == pytest.approx(metric.score(clip[:1], near[:1]))
    for names in zip(*((m.name, m.column, m.label, m.interval) for m in METRICS)):
        assert len(set(names)) == len(METRICS)


def test_psnr_is_always_there_and_nothing_twice(tmp_path):
    assert [m.name for m in metrics_named(["ms_ssim", "ms_ssim"])] == ["psnr", "ms_ssim"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("mine.py:absent", UnknownBlock, "mine.py has no 'absent'"),
        ("gone.py:f", UnknownBlock, "no file 'gone.py'"),
        ("mine.py:Thing", InterfaceError, r"metric mine.py:Thing: is Thing; need a function \(reference, received\)"),
        ("mine.py:psnr_ci95", ScenarioError, "metric mine.py:psnr_ci95: column 'psnr_ci95' is taken"),
    ],
)
def test_a_metric_that_cannot_be_had_is_named(tmp_path, name, kind, message):
    (tmp_path / "mine.py").write_text(MINE)
    tree = yaml.safe_load(TOY) | {"metrics": ["psnr", name]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(kind, match=message) as caught:
        semlink.run(tmp_path / "s.yaml", tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out/curves.csv").exists()


@pytest.mark.parametrize(
    ("function", "message"),
    [("broken", "raised RuntimeError: no such luck"), ("endless", "gave nan; need a finite number")],
)
def test_a_metric_that_fails_stops_the_run_with_its_name(tmp_path, function, message):
    (tmp_path / "mine.py").write_text(MINE)
    tree = yaml.safe_load(TOY) | {"metrics": [f"mine.py:{function}"]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(InterfaceError, match=f"direct, [0-9]+ dB, .*metric mine.py:{function}: {message}"):
        semlink.run(tmp_path / "s.yaml", tmp_path / "out")


def test_an_edit_of_a_metric_makes_its_points_stale(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    before = metric_key("mine.py:sharpness", tmp_path)
    (tmp_path / "mine.py").write_text(MINE + "\n# edited\n")
    assert metric_key("mine.py:sharpness", tmp_path) != before and metric_key("psnr") == "psnr"


def test_an_installed_package_offers_a_metric(tmp_path, monkeypatch):
    """Under the entry point `metric.<name>`; found by name, scored, and named in the list of what is allowed."""
    (tmp_path / "lab_metrics.py").write_text(MINE)
    info = tmp_path / "lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[semlink.blocks]\nmetric.gray-error = lab_metrics:mae\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    psnr, ours = metrics_named(["gray-error"])
    assert psnr.name == "psnr" and ours.column == "mae" and ours.score(np.zeros((1, 4, 4)), np.ones((1, 4, 4))) == 1.0
    with pytest.raises(ScenarioError, match="expected one of .*'gray-error'.* did you mean 'psnr'"):
        semlink.load(yaml.safe_load(TOY), {"metrics": ["psnrr"]})


@pytest.mark.parametrize("shape", [(3, 40, 57), (2, 3, 4), (1, 1, 1), (1, 11, 200)])
def test_the_compiled_window_gives_every_digit_of_scipys(shape):
    """Also where frames are smaller than the window, which mirrors them several times."""
    rng = np.random.default_rng(7)
    x, y = rng.random(shape), rng.random(shape)

    def blurred(frames):
        return gaussian_filter(frames, (0.0, 1.5, 1.5), truncate=3.5, mode="reflect")

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    cov = blurred(x * y) - mean_x * mean_y
    assert np.array_equal(local_moments(x, y), [mean_x, mean_y, var_x, var_y, cov])
    top = (2 * mean_x * mean_y + C1) * (2 * cov + C2)
    assert np.array_equal(similarity(x, y), top / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2)))
