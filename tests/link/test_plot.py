"""Figures: what is in them, that nothing overlaps, and that equal results give equal files."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from fake_results import BUDGETS, Law, make
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sheets import costs, snrs

from semlink import results
from semlink.errors import ResultsError, ScenarioError
from semlink.link.plots.curves.model import coincident
from semlink.link.plots.curves.panels import MAX_PANELS
from semlink.link.plots.drawing.figure import sheet_figure
from semlink.link.plots.files import save
from semlink.link.plots.pictures.crop import telling_crop
from semlink.link.plots.pictures.frame_panels import Cell, frames_figure
from semlink.link.plots.registry import folder_names
from semlink.link.plots.style import COLOURS, PLAIN, line_style
from semlink.link.results.rows import Row, write_csv

CLIFF = Law("H.264 + LDPC 16-QAM 2/3", cliff_db=8.9, least=0.005)
BEST = Law("H.264 + LDPC, best MCS", base=25)
BOUND = Law("H.264 + capacity", base=27, bound=True)
GENIE = Law("SemCom", base=26, slope=2.5, genie="csi")
FOUR = (CLIFF, BEST, BOUND, GENIE)
LONG = "A semantic scheme whose name says all about its sensor, its ratio map and its rate allocation"


def drawn(sheet, look=PLAIN):
    """The laid-out figure with a renderer."""
    with matplotlib.rc_context(look.rc):
        figure = sheet_figure(sheet, look)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return figure, canvas.get_renderer()


def lines_of(axes):
    return [line for line in axes.get_lines() if len(line.get_xdata())]


@pytest.fixture(scope="module")
def cliff(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cliff")
    return folder, make(folder, FOUR, snrs=(4.0, 6.0, 8.0, 10.0, 12.0, 14.0))


def test_a_sweep_gives_both_figures_in_both_formats(cliff):
    folder, _ = cliff
    files = results(folder).draw()
    assert [p.name for p in files] == [f"psnr_vs_{x}.{kind}" for x in ("cost", "snr") for kind in ("png", "svg")]
    for path in files:
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            assert path.read_bytes().startswith(b"\x89PNG")


def test_one_snr_gives_no_figure_over_snr(tmp_path):
    make(tmp_path, FOUR)
    assert [p.name for p in results(tmp_path).draw()] == ["psnr_vs_cost.png", "psnr_vs_cost.svg"]


def test_a_figure_that_the_run_no_more_has_goes_and_others_stay(tmp_path):
    make(tmp_path, [BEST], snrs=(4.0, 8.0))
    results(tmp_path).draw()
    (tmp_path / "psnr_vs_mine.png").write_bytes(b"")
    make(tmp_path, [BEST], snrs=(4.0,))
    results(tmp_path).draw(kinds=["cost"])
    assert (tmp_path / "psnr_vs_snr.svg").exists(), "asked for one kind alone"
    results(tmp_path).draw()
    assert {p.name for p in tmp_path.glob("*.png")} == {"psnr_vs_cost.png", "psnr_vs_mine.png"}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "pgf"])
def test_only_figures_of_ours_are_written_over(tmp_path, kind):
    make(tmp_path / "run", [BEST])
    run, out = results(tmp_path / "run"), tmp_path / "figures"
    (drawn,) = run.draw(out=out, formats=[kind])
    first = drawn.read_bytes()
    assert run.draw(out=out, formats=[kind]) == [drawn] and drawn.read_bytes() == first
    drawn.write_bytes(b"mine")
    with pytest.raises(
        ResultsError, match=f"psnr_vs_cost.{kind}: is there already and is no figure of semlink; --force"
    ):
        run.draw(out=out, formats=[kind])
    assert drawn.read_bytes() == b"mine"
    run.draw(out=out, formats=[kind], force=True)
    assert drawn.read_bytes() == first
    with pytest.raises(ScenarioError, match=f"out: .*{kind} is a file; figures need a folder"):
        run.draw(out=drawn, formats=[kind])


def test_another_metric_is_drawn_under_its_own_name(tmp_path):
    make(tmp_path, FOUR)
    assert [p.name for p in results(tmp_path).draw(metric="ssim")] == ["ssim_vs_cost.png", "ssim_vs_cost.svg"]
    with pytest.raises(ScenarioError, match="'vmaf' is in no row; the results have psnr, ssim"):
        results(tmp_path).draw(metric="vmaf")


def test_the_same_results_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        make(tmp_path / name, FOUR)
        results(tmp_path / name).draw()
    for kind in ("png", "svg"):
        one, two = ((tmp_path / n / f"psnr_vs_cost.{kind}").read_bytes() for n in ("a", "b"))
        assert one == two
    assert b"<dc:date>" not in two


def test_a_point_that_was_not_sent_is_left_out_and_said(cliff):
    sheet = costs(cliff[1])[0]
    first = sheet.panels[0].curves[0]
    assert first.label == CLIFF.name and len(first.x) == len(BUDGETS) - 1
    assert any(f"Not drawn: {CLIFF.name}, 6 points (no bitstream fits 3145 uses)." == note for note in sheet.notes)


def test_curves_hold_the_numbers_of_the_rows(cliff):
    rows = cliff[1]
    for panel, snr_db in zip(costs(rows)[0].panels, (4, 6, 8, 10, 12, 14)):
        curve = next(c for c in panel.curves if c.label == BEST.name)
        mine = [r for r in rows if r.scheme == BEST.name and r.snr_db == snr_db]
        assert curve.x == tuple(r.channel_uses_per_pixel for r in mine)
        assert curve.y == tuple(r.psnr_db for r in mine)
        assert [d.trials[1] - d.y for d in curve.dots] == pytest.approx([r.psnr_ci95 for r in mine])
    (sheet,) = snrs(rows)
    assert [p.title for p in sheet.panels] == [f"budget {b:g} uses per pixel" for b in BUDGETS]
    assert all(c.x == (4, 6, 8, 10, 12, 14) for p in sheet.panels for c in p.curves)


@pytest.mark.parametrize(("budgets", "log"), [((0.003, 0.03), False), ((0.003, 0.0301), True)])
def test_the_cost_axis_is_logarithmic_beyond_a_decade(tmp_path, budgets, log):
    sheet = costs(make(tmp_path, [BEST], budgets=budgets, records=False))[0]
    assert sheet.log_x is log
    assert drawn(sheet)[0].axes[0].get_xscale() == ("log" if log else "linear")


def test_titles_of_two_lines_stay_inside_and_off_the_panel_above(tmp_path):
    rows = make(tmp_path, [BEST], snrs=(4.0, 8.0, 12.0, 16.0), records=False)
    named = [
        replace(row, channel=f"my_channels.py:Dropouts(share=0.0{n % 2}, told=True)") for n, row in enumerate(rows)
    ]
    figure, renderer = drawn(costs(named)[0])
    titles = [axes._left_title for axes in figure.axes]
    boxes = [title.get_window_extent(renderer) for title in titles]
    assert all("\n" in title.get_text() for title in titles) and all(box.y1 <= figure.bbox.height for box in boxes)
    panels = [axes.get_tightbbox(renderer) for axes in figure.axes[:3]]
    assert all(not title.overlaps(panel) for title in boxes[3:] for panel in panels)


def test_many_snrs_are_thinned_evenly_with_both_ends(tmp_path):
    rows = make(tmp_path, [BEST], snrs=[float(s) for s in range(13)], records=False)
    sheet = costs(rows)[0]
    titles = [p.title.split("=\N{NO-BREAK SPACE}")[1] for p in sheet.panels]
    assert len(titles) == MAX_PANELS and titles[0] == "0\N{NO-BREAK SPACE}dB" and titles[-1] == "12\N{NO-BREAK SPACE}dB"
    assert any("6 of 13 panels" in note for note in sheet.notes)


def test_channels_share_the_panels(tmp_path):
    snrs = (4.0, 8.0, 12.0)
    rows = [r for name in ("awgn", "rayleigh") for r in make(tmp_path / name, [BEST], snrs=snrs, channel=name)]
    titles = [p.title for p in costs(rows)[0].panels]
    assert len(titles) == 6 and titles[0].startswith("awgn, ") and titles[3].startswith("rayleigh, ")


def test_bounds_are_dashed_and_genies_bold_and_named(tmp_path):
    figure, _ = drawn(costs(make(tmp_path, FOUR))[0])
    styles = [line.get_linestyle() for line in lines_of(figure.axes[0])]
    assert styles == ["-", "-", "--", "-"]
    texts = {t.get_text(): t.get_fontweight() for t in figure.legends[0].get_texts()}
    assert texts["SemCom (genie: csi)"] == "bold" and texts["H.264 + capacity (bound)"] == "normal"
    assert sorted(texts.values()) == ["bold", "normal", "normal", "normal"]


def test_bands_are_as_wide_as_the_intervals(tmp_path):
    sheet = costs(make(tmp_path, [BEST]))[0]
    curve = sheet.panels[0].curves[0]
    figure, _ = drawn(sheet)
    (band,) = [found for found in figure.axes[0].collections if found.get_label() != "over clips"]
    corners = {(round(x, 9), round(y, 9)) for x, y in band.get_paths()[0].vertices}
    for dot in curve.dots:
        assert dot.trials[0] < dot.y and {(round(dot.x, 9), round(end, 9)) for end in dot.trials} <= corners


def test_bands_wider_than_all_curves_are_bars_as_long(tmp_path):
    """Of two trials an interval may be 4 dB wide: bands of several schemes would lie on one another and hide all."""
    rows = [replace(row, psnr_ci95=50.0) for row in make(tmp_path, [BEST])]
    (curve,) = costs(rows)[0].panels[0].curves
    figure, _ = drawn(costs(rows)[0])
    (bars,) = figure.axes[0].containers
    lengths = [high - low for (_, low), (_, high) in bars.lines[2][0].get_segments()]
    assert len(lengths) == len(curve.x) > 1 and lengths == pytest.approx([100.0] * len(lengths))


def test_a_lone_point_has_a_bar_and_room_around_it(tmp_path):
    figure, _ = drawn(costs(make(tmp_path, [BEST], budgets=(0.012,)))[0])
    axes = figure.axes[0]
    assert len(axes.containers) == 1
    low, high = axes.get_xlim()
    assert low < 0.8 * 0.01188 and high > 1.2 * 0.01188


def test_curves_on_top_of_each_other_are_nested_and_listed(tmp_path):
    rows = make(tmp_path, [BEST, replace(BEST, name="twin"), replace(BEST, name="other", base=20)])
    sheet = costs(rows)[0]
    assert coincident(sheet.panels[0].curves, 0.01) == ((0, 1),)
    assert f"Coincide: {BEST.name} = twin." in sheet.notes
    sizes = [line.get_markersize() for line in lines_of(drawn(sheet)[0].axes[0])]
    assert sizes[0] > sizes[1] == sizes[2]


def test_curves_that_are_nearly_equal_are_not_called_equal(tmp_path):
    rows = make(tmp_path, [BEST, replace(BEST, name="twin"), replace(BEST, name="near", base=BEST.base + 0.001)])
    notes = costs(rows)[0].notes
    assert f"Coincide: {BEST.name} = twin." in notes
    assert f"Too close to be told apart here: {BEST.name}, twin, near." in notes


def test_quality_without_a_number_is_no_point(tmp_path):
    rows = [
        Row("none", snr_db=10.0, budget=0.01, note="too small"),
        Row("exact", snr_db=10.0, budget=0.01, channel_uses_per_pixel=0.01, psnr_db=math.inf),
        Row("nan", snr_db=10.0, budget=0.01, channel_uses_per_pixel=0.01, psnr_db=math.nan, note="odd"),
        Row("some", snr_db=10.0, budget=0.01, channel_uses_per_pixel=0.01, psnr_db=30.0),
    ]
    sheet = costs(rows)[0]
    assert [c.label for c in sheet.panels[0].curves] == ["some"]
    assert "Not drawn: exact, 1 point without any error." in sheet.notes
    write_csv(rows, tmp_path / "curves.csv")
    assert len(results(tmp_path).draw()) == 2


def test_where_nothing_could_be_sent_nothing_is_drawn(tmp_path):
    write_csv([Row("A", snr_db=s, budget=0.001, note="too small") for s in (4.0, 8.0)], tmp_path / "curves.csv")
    assert results(tmp_path).draw() == []


def test_a_panel_in_which_nothing_could_be_sent_says_so(tmp_path):
    figure, _ = drawn(snrs(make(tmp_path, [CLIFF], snrs=(4.0, 8.0)))[0])
    assert [t.get_text().replace("\n", " ") for t in figure.axes[0].texts] == ["nothing could be sent here"]


def test_own_rates_are_shaded_by_what_they_cost(tmp_path):
    law = replace(GENIE, own_rates=(0.003, 0.03, 0.01))
    (sheet,) = snrs(make(tmp_path, [law, replace(law, name="B")], snrs=(4.0, 8.0)))
    assert [p.title for p in sheet.panels] == ["SemCom (genie: csi)", "B (genie: csi)"]
    shades = [c.shade for c in sheet.panels[0].curves]
    assert shades == pytest.approx([0.00297, 0.0099, 0.0297])
    figure, _ = drawn(sheet)
    light = [np.mean(colors.to_rgb(line.get_color())) for line in lines_of(figure.axes[0])]
    assert light == sorted(light, reverse=True), "dearer curves are darker, in print too"


def test_sensing_alone_is_drawn_over_readings(tmp_path):
    rows = [Row("fixed", measurements_per_pixel=m / 16, psnr_db=28.0 + m) for m in (1, 2, 4, 8)]
    sheet = costs(rows)[0]
    assert sheet.xlabel == "measurements per pixel" and sheet.pixels is None and sheet.panels[0].title == ""


def test_sensing_beside_sending_gives_two_figures(tmp_path):
    """Each over its own cost, in the colours of one list of schemes; SNRs are no axis of what only senses."""
    sent = make(tmp_path, (CLIFF, BEST), snrs=(6.0, 12.0))
    sensed = [Row(n, rate=m, measurements_per_pixel=m, psnr_db=20.0 + m) for n in ("eye", "lens") for m in (1, 2, 4)]
    over_uses, over_readings = costs([*sensed[:3], *sent, *sensed[3:]])
    assert (over_uses.name, over_readings.name) == ("psnr_vs_cost", "psnr_vs_readings")
    assert [panel.title[-4:] for panel in over_uses.panels] == ["6\xa0dB", "2\xa0dB"]
    (panel,) = over_readings.panels
    assert panel.title == "" and [curve.label for curve in panel.curves] == ["eye", "lens"]
    orders = {c.label: c.order for sheet in (over_uses, over_readings) for panel in sheet.panels for c in panel.curves}
    assert orders == {"eye": 0, CLIFF.name: 1, BEST.name: 2, "lens": 3}
    (over_snr,) = snrs([*sensed, *sent])
    assert {curve.label for panel in over_snr.panels for curve in panel.curves} == {CLIFF.name, BEST.name}
    assert not any("Not drawn: eye" in note for sheet in (over_uses, over_snr) for note in sheet.notes)


def test_several_folders_are_overlaid_under_their_names(tmp_path):
    for name in ("x/run", "y/run", "z"):
        make(tmp_path / name, [BEST])
    files = results(tmp_path / "x/run", tmp_path / "z").draw(out=tmp_path / "out")
    assert [p.parent.name for p in files] == ["out", "out"]
    assert folder_names([tmp_path / "x/run", tmp_path / "z"]) == ["run", "z"]
    assert folder_names([tmp_path / "x/run", tmp_path / "y/run"]) == ["x/run", "y/run"]
    with pytest.raises(ResultsError, match="no such folder"):
        results(tmp_path / "z", tmp_path / "absent")


def test_axes_carry_names_and_units(cliff):
    figure, _ = drawn(costs(cliff[1])[0])
    bottom_left = figure.axes[3]
    assert bottom_left.get_xlabel() == "channel uses per pixel" and bottom_left.get_ylabel() == "PSNR [dB]"
    assert drawn(snrs(cliff[1])[0])[0].axes[2].get_xlabel() == r"$E_\mathrm{s}/N_0$ [dB]"


def test_the_second_scale_counts_uses_per_clip(tmp_path):
    sheet = costs(make(tmp_path, [BEST]))[0]
    assert sheet.pixels == pytest.approx(16 * 256 * 256)
    figure, _ = drawn(sheet)
    (top,) = figure.axes[0].child_axes
    assert np.array(top.get_xlim()) == pytest.approx(np.array(figure.axes[0].get_xlim()) * sheet.pixels)


def boxes_of(figure, renderer):
    """Every visible piece of text with its extent, tick labels of the panels included."""
    found = []
    for axes in [*figure.axes, *(child for parent in figure.axes for child in parent.child_axes)]:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [t for at, t in zip(axis.get_ticklocs(), axis.get_ticklabels()) if low <= at <= high]
        found += [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
    found += [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
    found = [t for t in found if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found]


def twelve():
    names = [f"scheme {n} with a name of usual length" for n in range(10)] + [LONG, LONG + ", twice"]
    return [Law(n, base=20 + i, bound=i > 9, genie="csi" if i == 3 else "") for i, n in enumerate(names)]


@pytest.mark.parametrize("case", ["one", "two", "six", "twelve", "snr", "rates", "channels"])
def test_no_text_overlaps_and_nothing_leaves_the_page(tmp_path, case):
    many = (4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
    sheets = {
        "one": lambda: costs(make(tmp_path, FOUR))[0],
        "two": lambda: costs(make(tmp_path, FOUR, snrs=many[:2]))[0],
        "six": lambda: costs(make(tmp_path, FOUR, snrs=many, budgets=(0.001, 0.01, 0.1)))[0],
        "twelve": lambda: costs(make(tmp_path, twelve(), snrs=many))[0],
        "snr": lambda: snrs(make(tmp_path, FOUR, snrs=many))[0],
        "rates": lambda: snrs(make(tmp_path, [replace(BEST, own_rates=BUDGETS)], snrs=many))[0],
        "channels": lambda: costs(make(tmp_path, [BEST], channel="x") + make(tmp_path, [BEST], channel="y"))[0],
    }
    figure, renderer = drawn(sheets[case]())
    boxes = boxes_of(figure, renderer)
    assert len(boxes) > 10
    page = figure.bbox
    for text, box in boxes:
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, f"{text!r} leaves the page"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), f"{one!r} overlaps {other!r}"
    for legend, axes in itertools.product(figure.legends, figure.axes):
        assert not legend.get_window_extent(renderer).overlaps(axes.get_window_extent(renderer))


def test_styles_differ_without_colour():
    styles = [line_style(order) for order in range(12)]
    assert len({s["marker"] for s in styles}) == 12
    assert len({(s["color"], str(s["linestyle"])) for s in styles}) == 12


def test_the_palette_is_okabe_and_itos():
    """Their published RGB triples, without yellow (240, 228, 66)."""
    published = {(0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (0, 114, 178), (213, 94, 0), (204, 121, 167)}
    assert {tuple(round(255 * c) for c in colors.to_rgb(name)) for name in COLOURS} == published


# --- frames.png


def textured(height=64, width=64):
    """Flat but for noise in the window at rows 32..48, columns 16..32."""
    frame = np.full((height, width), 0.5)
    frame[32:48, 16:32] += np.random.default_rng(0).uniform(-0.4, 0.4, (16, 16))
    return frame


def test_pixels_land_on_dots_unblended(tmp_path):
    source = textured()
    reading = np.linspace(0, 1, 32 * 32).reshape(32, 32)
    path = save(frames_figure([Cell("source", source), Cell("reading", reading, "")]), tmp_path / "f.png")
    shown = matplotlib.image.imread(path)[..., 0]
    step = 0.51 / 255
    wanted = np.kron(source, np.ones((4, 4)))
    top = next(r for r in range(shown.shape[0]) if np.allclose(shown[r, 40:90], wanted[0, 24:74], atol=step))
    area = shown[top : top + 256, 16 : 16 + 256]
    assert np.mean(np.abs(area - wanted) > step) < 0.03, "only the window's frame may differ"
    second = shown[top : top + 256, 16 + 256 + 18 : 16 + 256 + 18 + 256]
    assert np.mean(np.abs(second - np.kron(reading, np.ones((8, 8)))) > step) < 0.03
    crop = telling_crop(source)
    detail = shown[top + 256 + 6 : top + 256 + 6 + 256, 16 : 16 + 256]
    inner = np.s_[4:-4, 4:-4]
    enlarged = np.kron(crop.of(source), np.ones((16, 16)))
    assert np.abs(detail[inner] - enlarged[inner]).max() < step


def test_the_detail_is_where_the_edges_are_and_where_they_move():
    crop = telling_crop(textured())
    assert (crop.top, crop.left, crop.height, crop.width) == (32, 16, 16, 16)
    both = textured() + np.roll(textured(), (-32, 24), (0, 1)) - 0.5
    motion = np.zeros((64, 64))
    motion[0:16, 40:56] = 0.2
    moved = telling_crop(both, motion)
    assert (moved.top, moved.left) == (0, 40)


@pytest.mark.parametrize("count", [2, 5, 12])
def test_every_number_of_panels_has_a_layout(tmp_path, count):
    panels = [Cell("source", textured())] + [Cell(LONG, textured() + 0.01 * n) for n in range(count - 2)]
    path = save(frames_figure([*panels, Cell("not sent", None, "no stream fits")]), tmp_path / "f.png")
    height, width = matplotlib.image.imread(path).shape[:2]
    assert width < 1150 and height < 1900


@pytest.mark.parametrize("shape", [(32, 32), (240, 320), (1080, 1920), (33, 47)])
def test_every_size_is_shown(tmp_path, shape):
    source = np.random.default_rng(1).random(shape)
    broken = source.copy()
    broken[0, 0] = math.nan
    path = save(frames_figure([Cell("source", source), Cell("broken", broken)]), tmp_path / "f.png")
    assert matplotlib.image.imread(path).shape[1] <= 2 * 420 + 60


def test_frames_need_a_source(tmp_path):
    with pytest.raises(ValueError, match="at least a source"):
        frames_figure([Cell("source", None)])
