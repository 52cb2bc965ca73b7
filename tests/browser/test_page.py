"""The page in a browser: it works from the disk, alone, by mouse and keyboard, small, dark and printed."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import semlink
from semlink.link.results.rows import Row, write_csv

RESULTS = Path(__file__).resolve().parents[2] / "results"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<b>bold</b> & \"quoted\" 'twice' `thrice`",
    "%{x} %{customdata} &lt;i&gt;",
    "=HYPERLINK(0) {{ 7 * 7 }} {% raw %} ${7*7}",
    "long " + "x" * 195,
    "\u05e9\u05dc\u05d5\u05dd, \u4f60\u597d",
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def quickstart(folder) -> Path:
    """Three schemes, one of them a bound, at three SNRs and three budgets."""
    return semlink.results(RESULTS / "quickstart").report(folder / "quickstart.html")


@pytest.fixture(scope="session")
def page_of(folder) -> Callable[[str, Iterable[Row]], Path]:
    """Makes the page of rows without points."""

    def made(name: str, rows: Iterable[Row]) -> Path:
        (folder / name).mkdir()
        write_csv(tuple(rows), folder / name / "curves.csv")
        return semlink.results(folder / name).report()

    return made


def row(scheme: str, snr_db: float, budget: float, psnr_db: float | None = 30.0, **more) -> Row:
    sent = {"channel_uses": budget * 1e5, "channel_uses_per_pixel": budget, "payload": budget * 1e5}
    found = {} if psnr_db is None else sent | {"psnr_db": psnr_db, "psnr_ci95": 0.2, "trials": 4}
    return Row(**{"scheme": scheme, "channel": "awgn", "snr_db": snr_db, "budget": budget, "clips": 2, **found, **more})


def lines(chromium, place: str = "#curve-panels") -> list[str]:
    """Names of the curves that are drawn, in all panels."""
    return chromium.run(
        "return [...document.querySelectorAll(arguments[0] + ' .chart')].flatMap((chart) => "
        "chart.data.filter((trace) => trace.name).map((trace) => trace.name))",
        place,
    )


def rows_of(name: str) -> list[dict[str, str]]:
    with (RESULTS / name / "curves.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_page_stands_alone_and_shows_what_the_table_holds(chromium, quickstart):
    chromium.open(quickstart)
    assert chromium.complaints() == [] and chromium.asked_for() == []
    rows = rows_of("quickstart")
    drawn = chromium.run(
        "return [...document.querySelectorAll('#curve-panels .chart')].flatMap((chart) => "
        "chart.data.filter((trace) => trace.name).flatMap((trace) => trace.y))"
    )
    assert sorted(drawn) == sorted(float(row["psnr_db"]) for row in rows if row["psnr_db"])
    assert len(chromium.texts("#all-points tbody tr")) == len(rows)
    assert any("surely above" in text for text in chromium.texts("#summary p"))
    made = chromium.texts("#again pre")
    assert any("quickstart_again.yaml" in text for text in made) and any("@" in text for text in made)


def test_schemes_are_switched_everywhere(chromium, quickstart):
    chromium.open(quickstart)
    names = chromium.texts("#schemes .name")
    chromium.run("document.querySelector('#schemes input').click()")
    assert set(lines(chromium)) == set(names[1:])
    assert names[0] not in "".join(chromium.texts("#curve-gaps tbody"))
    assert not any(names[0] in text for text in chromium.texts("#all-points td:first-child"))
    chromium.run("[...document.querySelectorAll('#schemes button')].find((one) => one.textContent === 'none').click()")
    assert lines(chromium) == [] and chromium.texts("#all-points tbody tr") == []
    chromium.run("[...document.querySelectorAll('#schemes button')].find((one) => one.textContent === 'all').click()")
    assert set(lines(chromium)) == set(names) and chromium.complaints() == []


def test_axes_and_qualities_are_chosen(chromium, quickstart):
    chromium.open(quickstart)
    ask = (
        "return [...document.querySelectorAll('#curve-panels .chart')].map((chart) => "
        "[chart.layout.xaxis.title.text, chart.layout.yaxis.title.text, chart.layout.xaxis.type, "
        "chart.data.find((trace) => trace.name).x])"
    )
    chromium.run("semlink.panels.change({axis: 'snr'})")
    assert {tuple(x) for _, _, _, x in chromium.run(ask)} == {
        tuple(sorted({float(r["snr_db"]) for r in rows_of("quickstart")}))
    }
    assert all("dB" in title for title, *_ in chromium.run(ask))
    chromium.run("semlink.panels.change({axis: 'cost', metric: 'ssim', log: true})")
    assert all(found[:3] == ["channel uses per pixel", "SSIM", "log"] for found in chromium.run(ask))
    chromium.run("semlink.panels.change({snr_db: 10})")
    assert len(chromium.run(ask)) in (0, 1) and chromium.complaints() == []


def test_the_keyboard_goes_from_point_to_point(chromium, quickstart):
    from selenium.webdriver.common.keys import Keys

    chromium.open(quickstart)
    chromium.run("document.querySelector('#curve-panels .chart').focus()")
    chromium.keys(Keys.HOME, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    first = chromium.run("return semlink.point(semlink.selected())")
    chromium.keys(Keys.ARROW_RIGHT)
    second = chromium.run("return semlink.point(semlink.selected())")
    assert first["scheme"] == second["scheme"] and first["cost"] < second["cost"]
    chromium.keys(Keys.ARROW_DOWN)
    third = chromium.run("return semlink.point(semlink.selected())")
    assert third["scheme"] != second["scheme"] and third["snr_db"] == second["snr_db"]
    (card,) = chromium.texts("#point-card")
    assert third["scheme"] in card and "payload" in card
    assert chromium.texts("tr.chosen td:first-child bdi")[-1].startswith(third["scheme"])


def test_every_control_is_reached_by_tab_and_shows_it(chromium, quickstart):
    from selenium.webdriver.common.keys import Keys

    chromium.open(quickstart)
    chromium.run("document.activeElement.blur()")
    reached, outlines = [], []
    for _ in range(30):
        chromium.keys(Keys.TAB)
        name, outline = chromium.run(
            "const one = document.activeElement;"
            "return [one.className + one.tagName, getComputedStyle(one).outlineStyle]"
        )
        reached.append(name)
        outlines.append(outline)
    assert "skipA" in reached[0] and {"INPUT", "SELECT"} <= set(reached)
    assert any("chart" in name for name in reached) and set(outlines) == {"solid"}


def test_a_reference_is_chosen_and_points_are_compared_with_it(chromium, quickstart):
    chromium.open(quickstart)
    names = chromium.texts("#references option")
    made = semlink.results(RESULTS / "quickstart").compare(names[1])
    chromium.run(
        "const one = document.querySelector('#references select');"
        "one.selectedIndex = 1; one.dispatchEvent(new Event('change'))"
    )
    shown = chromium.run(
        "return [...document.querySelectorAll('#gap-panels .chart')].flatMap((chart) => "
        "chart.data.filter((trace) => trace.customdata).flatMap((trace) => trace.y))"
    )
    assert sorted(shown) == pytest.approx(sorted(point.gap.mean for point in made.points if point.gap), rel=1e-5)
    known = [curve for curve in made.curves if curve.quality.value is not None]
    assert len(chromium.texts("#curve-gaps tbody tr")) == len(known)


def test_the_table_is_sorted_and_filtered(chromium, quickstart):
    chromium.open(quickstart)
    heads = chromium.texts("#all-points th")
    column = heads.index("PSNR [dB]")
    for _ in range(2):
        chromium.run("document.querySelectorAll('#all-points th button')[arguments[0]].click()", column)
    found = chromium.texts(f"#all-points tbody td:nth-child({column + 1})")
    numbers = [float(text.split()[0]) for text in found if text]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) > 20
    chromium.run(
        "const one = document.getElementById('filter'); one.value = 'bound'; one.dispatchEvent(new Event('input'))"
    )
    assert chromium.texts("#all-points tbody tr") and all("bound" in t for t in chromium.texts("#all-points tbody tr"))


def test_small_screens_dark_rooms_and_paper(chromium, quickstart):
    chromium.open(quickstart, width=400, height=800)
    chromium.wait("document.documentElement.scrollWidth <= innerWidth")
    chromium.open(quickstart)
    ask = "const one = document.querySelector('.chart'); return [one.layout.font.color, one.layout.width || null]"
    light = chromium.run(ask)
    chromium.dark()
    try:
        chromium.wait(
            f"document.querySelector('.chart').layout.font.color !== '{light[0]}'"
        )  # the system tells it late
        dark = chromium.run(ask)
        assert light[1] is None and dark[1] is None
        chromium.run("window.dispatchEvent(new Event('beforeprint'))")
        color, width = chromium.run(ask)
        assert color == light[0] and width <= 680
        chromium.run("window.dispatchEvent(new Event('afterprint'))")
        chromium.wait(f"document.querySelector('.chart').layout.font.color === '{dark[0]}'")
        assert chromium.run(ask) == dark
    finally:
        chromium.dark(False)
    assert chromium.complaints() == []


def test_hostile_names_are_shown_as_text(chromium, page_of):
    rows = [
        row(name, 10, budget, None if number == 2 else 30 + number, note=HOSTILE[0] if number == 2 else "")
        for number, name in enumerate(HOSTILE)
        for budget in (0.01, 0.02)
    ]
    page = page_of("hostile <b> & 'x'", rows)
    chromium.open(page)
    assert chromium.complaints() == [] and chromium.asked_for() == []
    assert chromium.texts("#schemes .name") == list(HOSTILE)
    assert chromium.texts("main script, main img, header script, header img, b i") == []
    assert chromium.texts("h1") == ["hostile <b> & 'x'"]
    chromium.run("semlink.selectPoint(semlink.points()[0].key)")
    assert HOSTILE[0] in chromium.texts("#point-card")[0]
    chromium.run("Plotly.Fx.hover(document.querySelector('#curve-panels .chart'), [{curveNumber: 0, pointNumber: 0}])")
    chromium.wait("document.querySelector('#curve-panels .hoverlayer text')")
    assert HOSTILE[0] in "".join(chromium.texts("#curve-panels .hoverlayer text"))
    assert HOSTILE[0] in chromium.texts("#not-sent td.words")[0]


def test_fifteen_hundred_points_open_quickly(chromium, page_of):
    """A second or two of processor time; what is not drawn is said."""
    places = [(s, snr, b) for s in range(10) for snr in range(30) for b in (0.005, 0.01, 0.02, 0.04, 0.08)]
    page = page_of("big", (row(f"scheme {s}", snr, b, 20 + snr / 3 + s / 5 + 50 * b) for s, snr, b in places))
    chromium.open(page)
    spent = chromium.seconds_of_work()
    assert spent < 20 and chromium.complaints() == []
    assert len(chromium.texts("#all-points tbody tr")) == 100
    assert "1,500" in chromium.texts("#more-points")[0]
    assert "1,500 points are many" in "".join(chromium.texts("#comparison p"))
    assert "One of 5 budgets is drawn" in "".join(chromium.texts("#curve-notes li"))
    chromium.run("semlink.panels.change({axis: 'cost', snr_db: null})")
    assert "18 more panels are not drawn" in "".join(chromium.texts("#curve-notes li"))


@pytest.mark.slow
def test_folders_lie_over_each_other_where_their_clips_are_the_same(chromium, folder):
    for name in ("one", "two"):
        shutil.copytree(RESULTS / "quickstart", folder / name / "run", ignore=shutil.ignore_patterns("*.png", "*.svg"))
    same = semlink.results(folder / "one" / "run", folder / "two" / "run").report(folder / "same.html")
    chromium.open(same)
    alone = len(chromium.run("return semlink.panels.list().panels"))
    assert {name.split(":")[0] for name in chromium.texts("#schemes .name")} == {"one/run", "two/run"}
    assert all({name.split(":")[0] for name in panel} == {"one/run", "two/run"} for panel in _panels(chromium))
    (folder / "lone").mkdir()
    write_csv((row("only", 10, 0.01), row("only", 10, 0.02)), folder / "lone" / "curves.csv")
    folders = (folder / "one" / "run", RESULTS / "rate_maps", folder / "lone")
    other = semlink.results(*folders).report(folder / "other.html")
    chromium.open(other)
    drawn = "return [...document.querySelectorAll('#gap-panels .chart')].map((chart) => chart.data.length)"
    assert len(chromium.run(drawn)) == 4 and all(chromium.run(drawn))
    assert chromium.texts("#references span") == ["run: against", "rate_maps: against"]
    assert "lone" in chromium.texts("#comparison p.notes bdi")
    rows = set(chromium.texts("#point-gaps tbody td:first-child"))
    second = "const one = document.querySelectorAll('#references select')[1];"
    chromium.run(second + "one.selectedIndex = 1; one.dispatchEvent(new Event('change'))")
    changed = rows ^ set(chromium.texts("#point-gaps tbody td:first-child"))
    assert changed and all("rate_maps: " in name for name in changed) and all(chromium.run(drawn))
    assert all(len({name.split(":")[0] for name in panel}) == 1 for panel in _panels(chromium))
    assert "side by side" in "".join(chromium.texts("#cautions li")) and alone == 3 and chromium.complaints() == []


def _panels(chromium) -> list[list[str]]:
    return chromium.run(
        "return semlink.panels.list().panels.map((panel) => panel.lines.map((line) => line.scheme.name))"
    )
