"""The section on one reception: it follows the selected point, and says what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import job

import semlink
from semlink.link.sweep.run import run


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Two schemes over two channels, one of which fades."""
    folder = tmp_path_factory.mktemp("reception")
    channels = [{"kind": "awgn"}, {"kind": "rayleigh", "doppler": 0.002}]
    made = job(
        folder,
        channel=channels,
        sweep={"snr_db": [8], "budget": [0.08]},
        trials={"min": 1, "max": 1},
    )
    run(made)
    return semlink.results(made.out).report(folder / "page.html")


def traces(chromium, chart: str) -> list[dict]:
    drawn = f"document.getElementById('reception-{chart}').data"
    return chromium.run(f"return {drawn}.map((t) => ({{type: t.type || '', mode: t.mode || '', n: t.x.length}}))")


def select(chromium, scheme: str, channel: str) -> None:
    found = "semlink.points().find((p) => p.scheme === arguments[0] && p.channel.startsWith(arguments[1]))"
    chromium.run(f"semlink.selectPoint({found}.key)", scheme, channel)


def words(chromium) -> str:
    return chromium.run("return document.getElementById('reception-words').textContent")


def test_it_follows_the_selected_point(chromium, page):
    chromium.open(page)
    select(chromium, "16-QAM", "awgn")
    assert "SNR asked for 8.0" in words(chromium) and "wrong side before decoding" in words(chromium)
    right, wrong, points = traces(chromium, "constellation")
    assert points["n"] == 16 and 1000 < right["n"] + wrong["n"] <= 1500 and wrong["n"] > 0
    assert [trace["type"] for trace in traces(chromium, "llr")] == ["bar", "bar"]
    assert [trace["type"] for trace in traces(chromium, "gain")] == ["bar"]  # no gain over white noise, blocks alone
    select(chromium, "16-QAM", "rayleigh")
    assert "The gain lies between" in words(chromium)
    assert [trace["mode"] for trace in traces(chromium, "gain")][:2] == ["lines", "lines"]
    select(chromium, "direct", "awgn")
    shown = "return document.getElementById(arguments[0]).hidden"
    assert chromium.run(shown, "reception-bits") and chromium.run(shown, "reception-time")
    assert [trace["mode"] for trace in traces(chromium, "constellation")] == ["markers", "lines"]
    assert chromium.complaints() == [] and chromium.asked_for() == []


def test_the_channel_is_chosen_from_the_keyboard_and_every_chart_says_what_it_shows(chromium, page):
    chromium.open(page, 400, 900)
    select(chromium, "16-QAM", "awgn")
    chromium.run("document.getElementById('reception-channel').focus()")
    chromium.driver.switch_to.active_element.send_keys("\ue015")  # arrow down
    chromium.wait("semlink.point(semlink.selected()).channel.startsWith('rayleigh')")
    for chart in ("constellation", "llr", "gain"):
        told = chromium.run(f"return document.getElementById('reception-{chart}').getAttribute('aria-label')")
        assert any(letter.isdigit() for letter in told)
    assert chromium.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert chromium.complaints() == []
