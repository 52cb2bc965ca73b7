"""Clips in the page: played in step, wiped, with errors and lost blocks where they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_results import Law, make

import semlink
from semlink.link.films.make import film_of, source_film
from semlink.link.films.of_run import film_at, key_at, scored_db
from semlink.link.films.store import Films
from semlink.link.results.finished import read_run
from semlink.link.results.media.reception import ARRIVED, LOST, Reception, Receptions

FRAMES, SIDE, BITS = 8, 64, 4
COPY = """
const copy = Object.assign(document.createElement('canvas'), {width: 64, height: 64});
const pen = copy.getContext('2d', {willReadFrequently: true});
pen.drawImage(arguments[0], 0, 0);
const level = (x, y) => pen.getImageData(x, y, 1, 1).data[0];
"""
READ = COPY + "return [0, 1, 2, 3].reduce((number, bit) => 2 * number + (level(16 * bit + 8, 56) > 127), 0);"
ALL = (
    f"return [...document.querySelectorAll('#films canvas.picture')].map((canvas) => (function () {{{READ}}})(canvas))"
)
"""The numbers that stand in the pixels of all pictures."""


def numbered(gray: float) -> np.ndarray:
    """A clip whose frames carry their number in the lowest sixteen rows, a bit in sixteen columns."""
    clip = np.full((FRAMES, SIDE, SIDE), gray, np.float32)
    for frame in range(FRAMES):
        for bit in range(BITS):
            clip[frame, 48:, 16 * bit : 16 * bit + 16] = frame >> (BITS - 1 - bit) & 1
    return clip


def filmed(folder: Path) -> Path:
    """Three schemes at two budgets, the first of which lost a block in its second half."""
    make(folder, [Law("plain"), Law("other", base=22.0), Law("third", base=20.0)], budgets=(0.003, 0.006))
    for path in (folder / "points").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"group_frames": FRAMES // 2}))
    run, films, source = read_run(folder), Films(folder), numbered(0.3)
    films.write("source-1", source_film("clip0", source, 1))
    for number, point in enumerate(run.points):
        received = numbered(0.4 + 0.1 * number)
        received[:, 48:] = source[:, 48:]
        quality = {"psnr": [20.0 + frame for frame in range(FRAMES)], "ssim": [0.9] * FRAMES}
        film = film_of(
            "clip0", source, received, 1, source="source-1", scored_db=scored_db(point), by_frame=quality, measured=True
        )
        films.write(key_at(run, number), replace(film, blocks=4, lost=int(number == 0), counts=np.array([[1, 4]])))
    Receptions(folder).write(key_at(run, 0), lost_block())
    return folder


def lost_block() -> Reception:
    """Two bursts of two blocks; the last is lost."""
    ends = np.array([[0, 25], [25, 50], [50, 75], [75, 100]])
    none = np.zeros(0, np.float32)
    fates = np.array([ARRIVED, ARRIVED, ARRIVED, LOST])
    return Reception(
        "clip0", 100, 10.0, 10.0, 10.0, 0.0, (), None, none.astype(int), none, none, (0, 50), ends, fates, 4, 1
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = filmed(tmp_path_factory.mktemp("filmed") / "out")
    run = read_run(folder)
    assert film_at(run, 0) is not None
    return semlink.results(folder).report()


@pytest.fixture
def shown(chromium, page):
    chromium.open(page)
    chromium.run("document.getElementById('films').scrollIntoView()")
    chromium.wait("document.getElementById('films').dataset.ready", 30)
    return chromium


def press(browser, selector: str, key: str) -> None:
    browser.run(
        "const place = document.querySelector(arguments[0]); place.focus();"
        "place.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1], bubbles: true, cancelable: true}))",
        selector,
        key,
    )


def test_all_pictures_show_the_same_frame_at_every_step(shown):
    assert shown.run("return document.getElementById('films').dataset.by") == "webcodecs"
    for frame in range(FRAMES):
        assert shown.run(ALL) == [frame] * 4
        assert f"frame {frame + 1} of {FRAMES}" in shown.run("return document.querySelector('#film-bar output').value")
        press(shown, "#film-bar .play", "ArrowRight")
    assert shown.run(ALL) == [0] * 4
    press(shown, "#film-bar .play", "End")
    assert shown.run(ALL) == [FRAMES - 1] * 4
    assert shown.complaints() == [] and shown.asked_for() == []


def test_while_they_play_they_stay_in_step(shown):
    shown.run(
        "window.seen = []; document.querySelector('#film-bar .play').click();"
        f"const look = () => {{ seen.push((function () {{{ALL}}})()); requestAnimationFrame(look); }}; look();"
    )
    shown.wait("new Set(seen.map(([first]) => first)).size > 3")
    shown.run("document.querySelector('#film-bar .play').click()")
    assert all(len(set(numbers)) == 1 for numbers in shown.run("return seen"))


def test_without_webcodecs_a_video_element_gives_the_same_frames(chromium, page):
    script = {"source": "delete window.VideoDecoder"}
    added = chromium.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        chromium.open(page)
        chromium.run("document.getElementById('films').scrollIntoView()")
        chromium.wait("document.getElementById('films').dataset.ready", 60)
        assert chromium.run("return document.getElementById('films').dataset.by") == "video"
        for frame in range(FRAMES):
            assert chromium.run(ALL) == [frame] * 4
            press(chromium, "#film-bar .play", "ArrowRight")
        assert chromium.complaints() == []
    finally:
        chromium.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_the_wipe_moves_by_key_and_by_pointer_and_shows_two_pictures(shown):
    place = "return [document.getElementById('wipe-edge').getAttribute('aria-valuenow'), " \
        "document.querySelector('#wipe .over').style.clipPath]"  # fmt: skip
    assert shown.run(place) == ["50", "inset(0px 0px 0px 50%)"]
    press(shown, "#wipe-edge", "ArrowRight")
    assert shown.run(place)[0] == "52"
    press(shown, "#wipe-edge", "Home")
    assert shown.run(place) == ["0", "inset(0px 0px 0px 0%)"]
    shown.run(
        "const wipe = document.getElementById('wipe'), box = wipe.getBoundingClientRect();"
        "wipe.setPointerCapture = () => {}; wipe.dispatchEvent(new PointerEvent('pointerdown',"
        "{clientX: box.left + box.width / 4, clientY: box.top + 5, pointerId: 1, bubbles: true, cancelable: true}))"
    )
    assert shown.run(place)[0] == "25"
    gray = (
        "return [...document.querySelectorAll('#wipe canvas')].map((canvas) => "
        f"(function () {{{COPY} return level(5, 5);}})(canvas))"
    )
    left, right = shown.run(gray)
    assert left == pytest.approx(0.3 * 255, abs=3) and right > left + 15


def test_errors_stand_over_the_pictures_with_their_scale(shown):
    press(shown, "#film-bar .play", "e")
    assert shown.run("return document.getElementById('film-legend').hidden") is False
    assert "dB" in shown.run("return document.getElementById('film-legend').textContent")
    hidden = shown.run("return [...document.querySelectorAll('.film .over')].map((canvas) => canvas.hidden)")
    assert hidden == [True, False, False, False]  # the source has no error


def test_lost_blocks_are_marked(shown):
    shown.run("semlink.selectPoint('0.0')")
    shown.wait("document.querySelector('.film[data-key=\"0.0\"]')")
    words = shown.run("return document.querySelector('.film[data-key=\"0.0\"] .under').textContent")
    assert "1 of 4 blocks lost" in words and shown.run("return document.querySelectorAll('.film-air').length") == 1
    assert shown.run("return document.querySelectorAll('.film strong').length") == 1
    hit = "return [...document.querySelectorAll('.film-stage')].map((stage) => stage.classList.contains('hit'))"
    assert shown.run(hit) == [False] * 4
    press(shown, "#film-bar .play", "End")  # in the second group of frames
    assert shown.run(hit) == [False, True, False, False]


def test_the_selected_point_and_the_schemes_are_followed(shown):
    shown.run("semlink.selectPoint('0.3')")
    keys = "return [...document.querySelectorAll('.film')].map((film) => film.dataset.key)"
    assert shown.run(keys)[1:] == ["0.1", "0.3", "0.5"]
    shown.run("semlink.show(['other'], false)")
    assert shown.run(keys)[1:] == ["0.1", "0.5"]


def test_numbers_by_frame_are_a_table_too(shown):
    rows = shown.run(
        "return [...document.querySelectorAll('#film-table tbody tr')].map((row) => row.cells[1].textContent)"
    )
    assert rows == [f"{20 + frame:.2f}" for frame in range(FRAMES)]


def test_a_small_screen_has_no_sideways_scrolling(chromium, page):
    chromium.open(page, 400, 800)
    chromium.run("document.getElementById('films').scrollIntoView()")
    chromium.wait("document.getElementById('films').dataset.ready", 30)
    width = chromium.run(
        "return document.getElementById('video').scrollWidth - document.getElementById('video').clientWidth"
    )
    assert width <= 0 and chromium.complaints() == []


def test_a_clip_of_one_frame_is_a_still_in_colour(chromium, tmp_path):
    """Nothing to play, no curve over frames; the planes of the film are the colours of the picture."""
    folder = tmp_path / "stills"
    make(folder, [Law("plain")], budgets=(0.003,))
    run, films = read_run(folder), Films(folder)
    source = np.concatenate([np.full((1, SIDE, SIDE), level, np.float32) for level in (0.8, 0.5, 0.2)], 1)
    films.write("source-1", source_film("clip0", source, 3))
    given = {"source": "source-1", "by_frame": {"psnr": [30.0]}, "measured": True}
    for number, point in enumerate(run.points):
        film = film_of("clip0", source, source * 0.9, 3, scored_db=scored_db(point), **given)
        films.write(key_at(run, number), film)
    chromium.open(semlink.results(folder).report())
    chromium.run("document.getElementById('films').scrollIntoView()")
    chromium.wait("document.getElementById('films').dataset.ready", 30)
    assert chromium.run("return document.querySelector('#video h2').textContent") == "Pictures side by side"
    assert chromium.run("return document.querySelectorAll('#film-bar .play, #film-bar input[type=range]').length") == 0
    assert chromium.run("return ['film-psnr', 'film-table'].map((id) => document.getElementById(id).offsetHeight)") == [
        0,
        0,
    ]
    colours = chromium.run(
        "return [...document.querySelectorAll('#films canvas.picture')].map((canvas) => "
        "[canvas.width, canvas.height, ...canvas.getContext('2d').getImageData(20, 20, 1, 1).data.slice(0, 3)])"
    )
    assert [found[:2] for found in colours] == [[SIDE, SIDE]] * 2
    np.testing.assert_allclose([found[2:] for found in colours], 255 * np.outer([1, 0.9], [0.8, 0.5, 0.2]), atol=4)
    assert chromium.complaints() == []
