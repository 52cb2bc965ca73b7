"""Figures for papers: styles, formats, choices, both intervals, differences, and lines for bad input."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from fake_results import Law, make
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sheets import costs, run_of, snrs

from semlink import results
from semlink.errors import ScenarioError
from semlink.link.compare.compare import compare
from semlink.link.plots.choice import Choice
from semlink.link.plots.curves.panels import informative
from semlink.link.plots.curves.quantity import judged
from semlink.link.plots.drawing.axes import style_of
from semlink.link.plots.drawing.figure import sheet_figure
from semlink.link.plots.drawing.legend import label_of
from semlink.link.plots.files import rendered
from semlink.link.plots.pgf import as_pgf, for_latex
from semlink.link.plots.pictures.crop import crop_at, telling_crop
from semlink.link.plots.style import COLOURS, LOOKS, inches, look_named, wrap
from semlink.link.results.finished import read_run
from semlink.link.results.labels import bound_words
from semlink.link.results.rows import Row, write_csv

A, B, C = Law("A"), Law("B", base=25), Law("capacity_50%", base=27, bound=True)
IEEE = look_named("ieee")


def shown(figure):
    """The figure with everything placed."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


# --- what is drawn


def test_the_interval_over_clips_stands_beside_the_one_over_trials(tmp_path):
    rows = [replace(row, psnr_clips_ci95=1.5) for row in make(tmp_path, [A, B], records=False)]
    (sheet,) = costs(rows)
    for dot in sheet.dots:
        assert dot.clips == pytest.approx((dot.y - 1.5, dot.y + 1.5))
    lines = [c for c in sheet_figure(sheet).axes[0].collections if c.get_label() == "over clips"]
    assert [len(found.get_segments()) for found in lines] == [4, 4]
    assert all(np.ptp(segment[:, 1]) == pytest.approx(3.0) for found in lines for segment in found.get_segments())
    assert any("Light lines: the same over clips, ±1.5 to 1.5" in note for note in sheet.notes)


def test_of_other_metrics_the_interval_over_clips_follows_from_the_points(tmp_path):
    make(tmp_path, [A])
    run = read_run(tmp_path)
    (sheet,) = costs(run, run.metric("ssim"))
    means = [np.mean(clip["ssim"]) for clip in run.records[0]["clips"]]
    wanted = 2.5706 * np.std(means, ddof=1) / math.sqrt(6)  # Student's t with 5 degrees of freedom
    dot = next(iter(sheet.dots))
    assert dot.clips[1] - dot.y == pytest.approx(wanted, rel=1e-3)


def test_one_budget_at_many_snrs_is_drawn_over_the_snr(tmp_path):
    rows = make(tmp_path, [A, B], snrs=[0.0, 5.0, 10.0], budgets=(0.06,), records=False)
    assert costs(rows) == [] and len(costs(rows, kinds=["cost"])) == 1
    (sheet,) = snrs(rows)
    assert [curve.x for curve in sheet.curves] == [(0.0, 5.0, 10.0)] * 2
    write_csv(rows, tmp_path / "curves.csv")
    assert [path.name for path in results(tmp_path).draw(formats=["svg"])] == ["psnr_vs_snr.svg"]


def test_panels_are_chosen_where_schemes_differ_and_where_curves_bend():
    """Flat on either side of a cliff between 9 and 10: both of its ends are among the three that are kept."""
    levels = [float(n) for n in range(4, 15)]
    table = {level: {("fixed", 0): 10.0 if level < 10 else 30.0, ("best", 0): 30.0} for level in levels}
    kept = informative(levels, table, 3)
    assert {9.0, 10.0} <= set(kept) and table[kept[0]]["fixed", 0] == 10.0
    assert informative(levels, table, 11) == tuple(levels) and informative(levels, {}, 2)


def test_what_has_no_panel_is_named_and_can_be_chosen(tmp_path):
    rows = make(tmp_path, [A, Law("C", cliff_db=8.9)], snrs=[4.0, 6.0, 8.0, 9.0, 10.0, 12.0, 14.0], records=False)
    (sheet,) = costs(rows)
    (note,) = [note for note in sheet.notes if "6 of 7 panels" in note]
    (left,) = re.findall(r"left out: (\d+) dB\. --snr chooses", note)
    titles = [panel.title for panel in sheet.panels]
    assert left != "9" and not any(title.endswith(f"=\xa0{left}\xa0dB") for title in titles)
    (chosen,) = costs(rows, snr=[float(left), 9])
    shown_at = [float(panel.title.split("=\xa0")[1].removesuffix("\xa0dB")) for panel in chosen.panels]
    assert shown_at == sorted([9.0, float(left)])
    assert not any("left out" in note for note in chosen.notes)


def test_costs_that_change_with_the_snr_are_told_as_a_range(tmp_path):
    rows = make(tmp_path, [replace(A, own_rates=(0.01, 0.02))], snrs=[5.0, 10.0], records=False)
    rows = [replace(r, channel_uses_per_pixel=r.channel_uses_per_pixel * (2 if r.snr_db == 5 else 1)) for r in rows]
    (sheet,) = snrs(rows)
    figure = sheet_figure(sheet)
    shown(figure)
    ticks = [t.get_text() for t in figure.axes[-1].get_yticklabels()]
    assert ticks == ["0.0099 to 0.0198", "0.0198 to 0.0396"]


def test_block_error_rates_have_a_log_axis_their_intervals_and_arrows_where_nothing_was_lost():
    ends = {4.0: (0.5, 0.4, 0.6), 6.0: (0.01, 0.002, 0.03), 8.0: (0.0, 0.0, 0.008)}
    rows = [
        Row("A", "awgn", s, 0.01, psnr_db=30.0, bler=y, bler_ci95_low=low, bler_ci95_high=high)
        for s, (y, low, high) in ends.items()
    ]
    with pytest.raises(ScenarioError, match="'vmaf' is in no row; the results have psnr, and bler"):
        judged(run_of(rows), "vmaf")
    (sheet,) = snrs(rows, judged(run_of(rows), "bler"))
    assert (
        sheet.log_y and sheet.name == "bler_vs_snr" and [d.trials for d in sheet.dots] == [e[1:] for e in ends.values()]
    )
    axes = sheet_figure(sheet).axes[0]
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] <= 0.002
    (bars,) = axes.containers
    segments = bars.lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], [(0.4, 0.6), (0.002, 0.03)])
    (arrow,) = axes.texts
    assert arrow.xyann == (8.0, 0.008) and any(note.startswith("Arrows: nothing was lost") for note in sheet.notes)


def test_differences_are_those_of_compare_with_a_line_at_zero(tmp_path):
    make(tmp_path, [A, B, C])
    run = read_run(tmp_path)
    (sheet,) = costs(run, reference="A")
    gaps = {(p.row.scheme, p.row.budget): p.gap for p in compare(run, "A").points}
    for curve in sheet.curves:
        mine = [gap for (scheme, _), gap in gaps.items() if scheme == curve.label]
        assert curve.y == tuple(gap.mean for gap in mine)
        assert [d.clips[1] - d.y for d in curve.dots] == pytest.approx([gap.clips_ci95 for gap in mine])
        assert [d.trials[1] - d.y for d in curve.dots] == pytest.approx([gap.trials_ci95 for gap in mine])
    figure = sheet_figure(sheet)
    assert {"B", "A (reference)"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    assert any(list(line.get_ydata()) == [0.0, 0.0] for line in figure.axes[0].get_lines())
    assert sheet.name == "psnr_difference_vs_cost" and sheet.ylabel == "PSNR difference [dB]"


def test_a_bound_says_what_it_bounds(tmp_path):
    def manifest(kind):
        codings = {
            "limit": {"kind": "capacity"},
            "outage": {"kind": "outage-capacity", "outage": 0.1},
            "coded": {"kind": "ldpc", "mcs": "best"},
        }
        schemes = [{"name": name, "kind": "digital", "coding": coding} for name, coding in codings.items()]
        return {"scenario": {"channel": [{"kind": kind}], "schemes": schemes}}

    assert bound_words(manifest("awgn")) == {"limit": "bound", "outage": "bound"}
    words = bound_words(manifest("rayleigh"))
    assert words == {"limit": "bound on the mean rate", "outage": "bound in 90 % of fades"}
    make(tmp_path, [Law("limit", bound=True), Law("outage", base=25, bound=True), Law("coded", base=22)])
    (sheet,) = costs(replace(read_run(tmp_path), bounds={**words, "limit": "bound"}))
    limit, outage, coded = sheet.curves
    assert label_of(outage) == "outage (bound in 90 % of fades)" and label_of(coded) == "coded"
    styles = [style_of(curve, IEEE)["linestyle"] for curve in (limit, outage, coded)]
    assert styles[0] == "--" and styles[2] == "-" and len(set(map(str, styles))) == 3
    assert "Dotted: outage, a bound in 90 % of fades, none on the PSNR that is drawn." in sheet.notes


def test_an_overlay_has_one_colour_for_a_scheme_and_one_marker_for_a_folder(tmp_path):
    for name in ("x", "y"):
        make(tmp_path / name, [A, B])
    both = results(tmp_path / "x", tmp_path / "y")
    figure = both.plot("cost")
    looks = [(line.get_color(), line.get_marker()) for line in figure.axes[0].get_lines()]
    assert sorted(looks) == sorted(itertools.product(COLOURS[:2], "os"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B", "x", "y"]
    with pytest.raises(ScenarioError, match="out: needed for figures of several folders"):
        both.draw()
    assert [p.parent for p in both.draw(kinds=["cost"], out=tmp_path / "z", formats=["svg"])] == [tmp_path / "z"]


# --- what is chosen


def test_names_patterns_and_numbers_choose(tmp_path):
    rows = make(tmp_path, [Law("H.264, best"), Law("H.265"), A], snrs=[6.0, 9.0], records=False)
    for given, wanted in (("H.264, best", 1), ("h.26*", 2), (["A", "H.265"], 2), ("A, H.265", 2)):
        assert len(list(costs(rows, schemes=given, snr="6")[0].curves)) == wanted
    (sheet,) = costs(rows, snr="9.0", budget=["0.006,0.012"])
    assert {curve.x for curve in sheet.curves} == {(0.00594, 0.01188)} and len(sheet.panels) == 1


def test_a_chosen_scheme_keeps_its_colour_unless_two_would_share_one(tmp_path):
    rows = make(tmp_path, [Law(f"s{n}", base=20 + n) for n in range(9)], records=False)
    assert [curve.order for curve in costs(rows, schemes=["s2", "s5"])[0].curves] == [2, 5]
    assert [curve.order for curve in costs(rows, schemes=["s0", "s7", "s8"])[0].curves] == [0, 1, 2]


BAD = [
    ({"style": "ieeee"}, r"style: got 'ieeee', expected one of plain, ieee, slides"),
    ({"formats": ["eps"]}, r"format: got 'eps', expected one of png, svg, pdf, pgf"),
    ({"width": "3.5"}, r"width: got '3.5', expected a number with its unit: in, cm, mm or pt, such as 3.5in"),
    ({"width": "3.5em"}, r"width: got '3.5em', expected a number with its unit"),
    ({"width": "900in"}, r"width: got '900in', expected 1.5in to 40in"),
    ({"schemes": "C"}, r"schemes: no 'C' in these results; there are 'A', 'B'"),
    ({"channel": "rain"}, r"channel: no 'rain' in these results; there are 'awgn'"),
    ({"snr": 7}, r"snr: no 7 dB in these results; there are 10 dB"),
    ({"budget": "0.5"}, r"budget: no 0.5 in these results; there are 0.003, 0.006, 0.012, 0.024"),
    ({"snr": "loud"}, r"snr: got 'loud', expected numbers, such as 6 or 6,9,12"),
    ({"metric": "vmaf"}, r"metric 'vmaf' is in no row; the results have psnr, ssim$"),
    ({"kinds": ["pie"]}, r"no plot 'pie'; there are cost, snr, difference"),
    ({"kinds": ["difference"]}, r"reference: needed for differences and not given, expected one of 'A', 'B'"),
    ({"at": "middle"}, r"at: got 'middle', expected a pixel X,Y from the left and from the top"),
    ({"point": "9"}, r"point: got '9', expected snr, budget, rate and channel with their values, such as snr=9"),
]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    make(folder, [A, B])
    return results(folder)


@pytest.mark.parametrize(("given", "line"), BAD, ids=[str(given) for given, _ in BAD])
def test_a_wrong_choice_is_one_line_that_says_what_is_allowed(two, given, line):
    with pytest.raises(ScenarioError, match=line) as told:
        two.draw(**{"kinds": ["cost"], **given})
    assert "\n" not in str(told.value) and not list(two.folder.glob("psnr*"))


def test_nothing_given_is_everything():
    assert Choice.of() == Choice()


# --- how it looks


@pytest.mark.parametrize(("length", "found"), [("3.5in", 3.5), ("88.9mm", 3.5), ("8.89 cm", 3.5), ("252.945pt", 3.5)])
def test_lengths_have_units(length, found):
    assert inches(length) == pytest.approx(found)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
@pytest.mark.parametrize("width", ["3.5in", "7.16in"])
def test_figures_are_as_wide_as_asked_and_their_text_stays_inside(tmp_path, look, width):
    rows = make(
        tmp_path, [A, B, C, Law("a scheme with a long name, best MCS", base=21)], snrs=[4.0, 8.0], records=False
    )
    wanted = look_named(look.name, width)
    (sheet,) = costs(rows)
    figure = sheet_figure(sheet, wanted)
    renderer = shown(figure)
    assert figure.get_size_inches()[0] == pytest.approx(inches(width))
    page, axes = figure.bbox, figure.axes
    texts = [t for a in axes for t in (a._left_title, a.xaxis.label, a.yaxis.label)]
    texts += [t for legend in figure.legends for t in legend.get_texts()]
    for text in filter(lambda t: t.get_text(), texts):
        box = text.get_window_extent(renderer)
        assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, text.get_text()
        assert text.get_fontsize() >= 8
    legend = figure.legends[0].get_window_extent(renderer)
    assert not any(legend.overlaps(a.get_tightbbox(renderer)) for a in axes)
    assert bool([t for t in figure.texts if t.get_text()]) is look.notes


def test_without_notes_the_caption_gets_them(two, tmp_path):
    said = []
    two.draw(kinds=["cost"], style="ieee", formats=["svg"], out=tmp_path, say=said.append)
    assert any(line.startswith("psnr_vs_cost: Bands and bars: 95 %") for line in said)
    said.clear()
    two.draw(kinds=["cost"], formats=["svg"], out=tmp_path, say=said.append)
    assert said == []


def test_text_is_text_and_fonts_are_embedded(two, tmp_path):
    files = two.draw(kinds=["cost"], style="ieee", formats=["svg", "pdf", "pgf"], out=tmp_path)
    svg, pdf, pgf = (path.read_bytes() for path in files)
    assert b">channel uses per pixel</text>" in svg
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    assert b"channel uses per pixel" in pgf and b"CreationDate" not in pdf
    again = two.draw(kinds=["cost"], style="ieee", formats=["svg", "pdf", "pgf"], out=tmp_path / "again")
    assert [path.read_bytes() for path in again] == [svg, pdf, pgf]


def test_signs_that_latex_would_misread_are_escaped(tmp_path):
    assert for_latex(r"50% a_b & #1 {x} \$2 $E_s$ ~") == r"50% a\_b \& \#1 \{x\} \$2 $E_s$ \textasciitilde{}"
    (sheet,) = costs(make(tmp_path, [C], records=False))
    assert r"capacity\_50" in as_pgf(sheet_figure(sheet, IEEE))


def test_pictures_are_not_written_as_pgf(tmp_path):
    figure = sheet_figure(costs(make(tmp_path, [A], records=False))[0])
    figure.figimage(np.zeros((4, 4)))
    with pytest.raises(ScenarioError, match="pgf holds no pictures; take pdf, svg or png"):
        as_pgf(figure)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_sets_the_figure(two, tmp_path):
    two.draw(kinds=["cost"], style="ieee", formats=["pgf"], out=tmp_path)
    head = r"\documentclass{article}\usepackage{pgf}\begin{document}\input{psnr_vs_cost.pgf}\end{document}"
    (tmp_path / "paper.tex").write_text(head)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and "Overfull" not in done.stdout, done.stdout[-2000:]


def test_labels_break_between_words_and_else_after_a_sign():
    assert wrap("urban street at 30 km/h", 12) == "urban street\nat 30 km/h"
    assert wrap("dropouts.py:Dropouts(share=0.03, told=True)", 24) == "dropouts.py:Dropouts(\nshare=0.03, told=True)"
    assert wrap("half-rate", 6) == "half-\nrate" and wrap("x" * 9, 6) == "xxxxxx\nxxx"
    assert wrap("9\xa0dB and more", 6).splitlines()[0] == "9\xa0dB"


# --- frames


def test_the_detail_is_where_schemes_differ_most():
    frame = np.full((64, 64), 0.5)
    frame[0:16, 0:16] += np.random.default_rng(0).uniform(-0.4, 0.4, (16, 16))  # edges, which all have alike
    one, other = frame.copy(), frame.copy()
    other[40:52, 36:44] += 0.2
    crop = telling_crop(frame, None, [one, other])
    assert crop.top <= 40 and crop.top + crop.height >= 52 and crop.left <= 36 and crop.left + crop.width >= 44
    lost = np.full((64, 64), 0.0)
    assert telling_crop(frame, None, [one, other, lost]) == crop, "a scheme that lost all does not draw it elsewhere"
    assert telling_crop(frame, None, [one, one]) == telling_crop(frame)


def test_the_detail_stays_inside_the_frame():
    for x, y in ((0, 0), (63, 63), (30, 20)):
        crop = crop_at(x, y, (64, 64))
        assert 0 <= crop.top <= 48 and 0 <= crop.left <= 48 and crop.height == crop.width == 16
        assert crop.left <= x < crop.left + 16 and crop.top <= y < crop.top + 16


def test_a_name_in_letters_that_the_font_lacks_is_drawn_without_a_warning():
    figure = Figure()
    figure.text(0.5, 0.5, "\u6f22\u5b57")
    assert rendered(figure, "png").startswith(b"\x89PNG")
