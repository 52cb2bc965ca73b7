"""What stands in the page of `semlink report`: escaped, compared, summed up, and written over nothing."""

from __future__ import annotations

import json
import math
import re
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import pytest
from terminal import semlink as command

import semlink
from semlink.errors import ResultsError, ScenarioError
from semlink.link.compare.compare import compare
from semlink.link.compare.gaps import Comparison
from semlink.link.page.cautions import cautions
from semlink.link.page.embed import HERE, asset, script_data
from semlink.link.page.groups import groups_of
from semlink.link.page.parts import named_runs
from semlink.link.page.points import points_of
from semlink.link.page.schemes import looks
from semlink.link.page.summary import summary
from semlink.link.plots.style import COLOURS
from semlink.link.results.finished import FinishedRun, read_run
from semlink.link.results.rows import Row, write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture(scope="module")
def codecs() -> FinishedRun:
    """Three schemes at four budgets, at one of the SNRs, on three of the clips, to be quick."""
    run = read_run(RESULTS / "codecs")
    points = [point for point in run.points if point.row.snr_db == run.points[0].row.snr_db]
    fewer = [replace(p, record={**p.record, "clips": p.clips[:3]}) if p.record else p for p in points]
    return replace(run, points=tuple(fewer))


@pytest.fixture(scope="module")
def each(codecs) -> dict[str, Comparison]:
    """The comparison with each of its schemes, what is known turned round."""
    made: dict[str, Comparison] = {}
    for name in dict.fromkeys(row.scheme for row in codecs.rows):
        made[name] = compare(codecs, name, before=tuple(made.values()))
    return made


def without_points(folder: Path, *rows: Row) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(rows, folder / "curves.csv")
    return folder


A_ROW = Row("a", "awgn", 10.0, 0.01, channel_uses_per_pixel=0.01, channel_uses=100.0, psnr_db=30.0, psnr_ci95=0.1)


def test_data_cannot_end_the_script_that_holds_it():
    text = script_data({"</script>": ["<!--", "&amp;", "\u2028", math.nan, math.inf, 1.5]})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"</script>": ["<!--", "&amp;", "\u2028", None, None, 1.5]}


@pytest.mark.parametrize("name", sorted(path.name for path in (HERE / "assets").iterdir()))
def test_no_script_of_the_page_builds_marks_out_of_strings(name):
    marks = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    script = asset(name).replace("http://www.w3.org/2000/svg", "")
    assert not [word for word in (*marks, "fetch(", "http://", "https://") if word in script]


def test_templates_styles_and_scripts_are_in_the_package():
    setup = ConfigParser()
    setup.read(HERE.parents[2] / "setup.cfg")
    patterns = setup["options.package_data"]["semlink"].split()
    parts = [path for room in ("templates", "assets") for path in (HERE / room).iterdir()]
    lacking = [path.name for path in parts if not any(path.match(f"semlink/{pattern}") for pattern in patterns)]
    assert parts and not lacking


def test_a_comparison_turned_round_is_the_comparison_the_other_way(codecs, each):
    last = [*each][-1]
    direct, turned = compare(codecs, last), each[last]
    assert len(direct.points) == len(turned.points) and any(point.gap for point in direct.points)
    for one, other in zip(direct.points, turned.points):
        assert (one.row, one.note, one.by_motion.keys()) == (other.row, other.note, other.by_motion.keys())
        if one.gap and other.gap:
            ours, theirs = ((g.mean, g.clips_ci95, g.trials_ci95, *g.by_clip.values()) for g in (one.gap, other.gap))
            assert ours == pytest.approx(theirs, rel=1e-6, nan_ok=True)
    for mine, its in zip(direct.curves, turned.curves):
        assert (mine.scheme, mine.note, mine.rate.note) == (its.scheme, its.note, its.rate.note)
        ours, theirs = (
            (c.quality.value, c.quality_ci95, c.rate.value, *c.rate_ci95, *c.rate_noise_ci95) for c in (mine, its)
        )
        assert ours == pytest.approx(theirs, rel=1e-5, nan_ok=True)


def test_a_difference_is_the_mean_of_those_of_its_clips(each):
    gaps = [point.gap for made in each.values() for point in made.points if point.gap]
    assert gaps and all(gap.mean == pytest.approx(sum(gap.by_clip.values()) / gap.clips) for gap in gaps)


def test_the_summary_is_sure_of_nothing_that_its_intervals_do_not_say(codecs, each):
    said = ["".join(line) for line in summary(codecs, codecs.metric("psnr"), each)]
    best = {}
    for row in codecs.rows:
        place = (row.snr_db, row.budget)
        if row.psnr_db is not None and row.psnr_db > best.get(place, (0.0, ""))[0]:
            best[place] = (row.psnr_db, row.scheme)
    leaders = {name for _, name in best.values()}
    assert {line.split(" has the highest mean PSNR")[0] for line in said if "has the" in line} == leaders
    wide = {
        name: replace(c, points=tuple(replace(p, gap=p.gap and replace(p.gap, clips_ci95=99.0)) for p in c.points))
        for name, c in each.items()
    }
    told = " ".join("".join(line) for line in summary(codecs, codecs.metric("psnr"), wide))
    assert "not surely above" in told and not re.search(r"(?<!not )surely above", told)
    none = {
        name: replace(c, points=tuple(replace(p, gap=p.gap and replace(p.gap, mean=0.0)) for p in c.points))
        for name, c in each.items()
    }
    told = " ".join("".join(line) for line in summary(codecs, codecs.metric("psnr"), none))
    assert "level with" in told and "surely" not in told and "0.00 dB" not in told
    assert summary(codecs, codecs.metric("psnr"), {}) == []


def test_points_say_what_they_cost_and_how_they_were_sent():
    run = read_run(RESULTS / "cliff")
    points = points_of(named_runs([("cliff", run)]))
    assert len(points) == len(run.rows)
    assert {point["mcs"] for point in points if point["scheme"] == "H.264 + LDPC 16-QAM 2/3"} == {"16-QAM 2/3"}
    for point, row in zip(points, run.rows):
        if row.channel_uses is not None:
            assert sum(point["ledger"].values()) == pytest.approx(row.channel_uses, rel=1e-4)
        assert "mcs " not in point.get("note", "") and point.get("psnr_db") == row.psnr_db


def test_folders_are_compared_only_where_their_clips_are_the_same():
    fig13, other, slow = (read_run(RESULTS / name) for name in ("fig13", "fig13_12k", "fading"))
    named = named_runs([("a", fig13), ("b", other), ("c", slow)])
    groups = groups_of(named)
    same = fig13.manifest["clips_digest"] == other.manifest["clips_digest"]
    assert (groups[0] == groups[1]) == same and groups[2] not in groups[:2]


def test_a_folder_without_points_is_shown_and_says_so(tmp_path):
    page = semlink.results(without_points(tmp_path / "run", A_ROW)).report()
    text = page.read_text()
    assert "holds curves.csv without its points" in text and "there is no manifest" in text


def test_points_of_another_version_are_said():
    run = read_run(RESULTS / "rate_maps")
    old = [replace(p, record={**p.record, "versions": {"semlink": "0.0.9", "commit": "f" * 40}}) for p in run.points]
    found = cautions(named_runs([("rate_maps", replace(run, points=tuple(old[:2]) + run.points[2:]))]))
    assert any(line.startswith("points were computed by semlink 0.0.9; this page was made by") for line in found)
    mixed = {**run.manifest, "clips": [{"name": "a", "range": "full"}, {"name": "b", "range": "limited"}]}
    assert "full and limited range of luma are mixed" in "".join(
        cautions(named_runs([("x", replace(run, manifest=mixed))]))
    )


def test_bad_input_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    done = command("report", tmp_path / "empty", folder=tmp_path)
    assert done.code == 2 and len(done.err.splitlines()) == 1 and "holds no curves.csv" in done.err
    run = without_points(tmp_path / "run", A_ROW)
    (tmp_path / "mine.html").write_text("my own")
    done = command("report", run, "--out", "mine.html", folder=tmp_path)
    assert done.code == 2 and "mine.html: is there already; --force" in done.err
    assert (tmp_path / "mine.html").read_text() == "my own"
    done = command("report", run, "--out", "mine.html", "--force", folder=tmp_path)
    assert done.code == 0 and done.out == "mine.html\n"
    done = command("report", run, "--reference", "b", folder=tmp_path)
    assert done.code == 2 and "no scheme 'b'" in done.err
    done = command("report", run, "--metric", "ssim", "--force", folder=tmp_path)
    assert done.code == 2 and "metric 'ssim' is in no row" in done.err
    with pytest.raises(ScenarioError, match="max_mb: got nan, expected 1 or more"):
        semlink.results(run).report(tmp_path / "page.html", max_mb=math.nan)
    with pytest.raises(ResultsError, match="cannot be written"):
        semlink.results(run).report(tmp_path / "mine.html" / "page.html")


def test_a_row_that_only_senses_has_no_point_over_snr(tmp_path):
    sensed = Row("b", measurements_per_pixel=2.0, psnr_db=31.0, rate=2.0)
    run = read_run(without_points(tmp_path / "run", A_ROW, sensed))
    one, two = points_of(named_runs([("run", run)]))
    assert one["cost"] == 0.01 and "senses" not in one and two["senses"] and two["cost"] == 2.0


def test_schemes_look_as_in_figures_and_bounds_say_what_they_are_on():
    found = {look["name"]: look for look in looks(named_runs([("fading", read_run(RESULTS / "fading"))]))}
    assert [look["colour"] for look in found.values()][:7] == list(COLOURS) and len(found) == 9
    outage = found["10 % outage capacity"]
    assert outage["bound"] == "bound in 90 % of fades" and outage["dash"] == "dot" and "open" in outage["symbol"]
    assert found["adaptive, SNR known ahead"]["genie"] == "snr_ahead" and found["QPSK 1/2"]["bound"] == ""
    pairs = {(look["colour"], look["symbol"], look["dash"]) for look in found.values()}
    assert len(pairs) == len(found)
