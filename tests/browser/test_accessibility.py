"""The page by ear and on paper: what a screen reader finds, and what a printer gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_runs import job

import semlink
from semlink.link.sweep.run import run

CONTROLS = {"button", "combobox", "checkbox", "slider", "searchbox", "link", "table", "toolbar", "image", "Canvas"}
"""Roles of which each needs a name."""
PAPER = 688
"""Pixels between the margins of A4."""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Two schemes with films and receptions, and a point that could not be sent."""
    folder = tmp_path_factory.mktemp("ear")
    made = job(folder, sweep={"snr_db": [8], "budget": [0.0004, 0.08]}, trials={"min": 1, "max": 1})
    run(made)
    return semlink.results(made.out).report(folder / "page.html")


@pytest.fixture
def opened(chromium, page):
    """The page with its films decoded and all that is folded up open."""
    chromium.open(page)
    chromium.run("document.getElementById('films').scrollIntoView()")
    chromium.wait("document.getElementById('films').dataset.ready")
    chromium.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return chromium


def heard(chromium) -> Iterator[tuple[str, str]]:
    """Role and name of all that a screen reader meets."""
    for node in chromium.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
        if not node["ignored"]:
            yield node["role"]["value"], node.get("name", {}).get("value", "").strip()


def test_a_screen_reader_finds_a_name_for_everything(opened):
    nodes = list(heard(opened))
    assert {role for role, _ in nodes} >= CONTROLS - {"Canvas", "link", "toolbar"}
    assert [(role, name) for role, name in nodes if role in CONTROLS and not name] == []
    charts = opened.run(
        "return [...document.querySelectorAll('.js-plotly-plot')].filter((one) => one.checkVisibility())"
        ".map((one) => one.getAttribute('aria-label'))"
    )
    assert len(charts) >= 6 and all(charts)
    assert all(("image", name) in nodes for name in charts)
    assert not any(role == "StaticText" and name == "channel uses per pixel" for role, name in nodes)


def test_headings_go_down_by_one(opened):
    levels = opened.run("return [...document.querySelectorAll('h1,h2,h3,h4,h5')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_a_selection_is_told_in_one_sentence_and_a_playing_film_not_at_all(opened):
    heard_of = ("[aria-live]:not([aria-live=off])", "[role=status]", "output:not([aria-live=off])")
    live = f"[...document.querySelectorAll('{', '.join(heard_of)}')]"
    opened.run(
        f"window.told = []; {live}.forEach((one) => new MutationObserver(() => told.push(one.textContent))"
        ".observe(one, {childList: true, characterData: true, subtree: true}))"
    )
    opened.run("document.querySelector('#film-bar [aria-label=\"one frame on\"]').click()")
    opened.wait("document.getElementById('films').dataset.frame === '1'")
    assert opened.run("return told") == []
    opened.run("semlink.selectPoint(semlink.points().find((one) => one.key !== semlink.selected()).key)")
    opened.wait("told.length")
    sentences = [text for text in opened.run("return told") if text and text != "decoding"]
    assert len(sentences) == 1 and len(sentences[0]) < 120


def test_nothing_is_wider_than_the_paper_and_notes_stand_below_their_points(opened):
    driver = opened.driver
    whole = {"width": PAPER, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.run("window.dispatchEvent(new Event('beforeprint'))")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", whole)
    try:
        assert opened.run("return document.documentElement.scrollWidth") <= PAPER
        assert opened.run("return document.querySelector('#film-psnr').getBoundingClientRect().width") <= PAPER
        notes = opened.texts("#all-points tr.note")
        assert any(note.startswith("infeasible") for note in notes)
        assert opened.run("return document.querySelectorAll('#all-points th button').length") == 0
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        opened.run("window.dispatchEvent(new Event('afterprint'))")
    assert opened.texts("#all-points tr.note") == []
    assert opened.complaints() == []
