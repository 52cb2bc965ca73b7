"""The page of one transmission: its stages, the block asked for, frames in motion, and what each stage cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import job

import semlink
from semlink.link.page.replay import write_replay
from semlink.link.sweep.run import run


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    made = job(folder, sweep={"snr_db": [8], "budget": [0.08]}, trials={"min": 2, "max": 2})
    run(made)
    done = semlink.results(made.out, plugins=True)
    key = next(point.key for point in done.run.points if point.row.scheme == "16-QAM")
    return write_replay(done.replay(key, clip=1, trial=1, block=0), done.run, folder / "replay.html")


def test_all_of_it_is_drawn_and_nothing_is_fetched(chromium, page):
    chromium.open(page)
    assert chromium.texts("nav a") == [
        "Stage by stage", "How it was received", "Block 0", "Video side by side", "What each stage cost"
    ]  # fmt: skip
    assert chromium.run("return document.getElementById('reception-llr').data.length") == 2
    assert len(chromium.texts("#block-charts figure")) == 2
    chromium.run("document.getElementById('video').scrollIntoView()")
    chromium.wait("document.querySelectorAll('#films canvas.picture').length === 2")
    chromium.wait("document.querySelectorAll('#film-table tbody tr').length === 4")
    assert "trial 1" in chromium.texts("#reception-words")[0] and not chromium.run(
        "return document.getElementById('schemes').checkVisibility()"
    )
    rows = chromium.texts("table.blame tbody th")
    assert rows[0] == "as it was" and "no channel" in rows
    assert chromium.complaints() == [] and chromium.asked_for() == []


def test_it_fits_a_small_screen(chromium, page):
    chromium.open(page, 400, 900)
    assert chromium.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert chromium.complaints() == []
