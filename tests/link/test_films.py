"""Films: what a run keeps of the first clip at each point, and what it says of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import job

import semlink
from semlink.link.films.film import ERROR_STEP_DB
from semlink.link.films.h264 import coded, decoded
from semlink.link.films.make import film_of
from semlink.link.films.maps import error_map, tile
from semlink.link.films.of_run import film_at, key_at
from semlink.link.films.store import Films
from semlink.link.metrics.psnr_ssim import psnr_by_frame
from semlink.link.results.finished import read_run
from semlink.link.results.folder import Results
from semlink.link.results.pictures import Pictures
from semlink.link.sweep.run import run


def moving(planes: int = 1, rows: int = 40) -> np.ndarray:
    """A smooth wave that moves, (6, planes x rows, 50)."""
    t, y, x = np.mgrid[:6, : planes * rows, :50]
    return (0.5 + 0.4 * np.sin((x + y + 3 * t) / 7)).astype(np.float32)


def test_a_copy_is_near_and_each_sample_is_one_frame_of_the_file():
    frames = np.rint(255 * moving()).astype(np.uint8)
    made = coded(frames, measured=True)
    again = decoded(made.mp4, frames.shape)
    error = np.mean(((again.astype(float) - frames) / 255) ** 2)
    assert again.shape == frames.shape and made.copy_db > 40
    assert made.copy_db == pytest.approx(-10 * np.log10(error), abs=0.01)
    assert len(made.samples) == 6 and made.keys[0] == 0 and made.codec == f"avc1.{made.description[1:4].hex()}"
    assert all(a + size == b for (a, size), (b, _) in zip(made.samples, made.samples[1:], strict=False))
    assert coded(frames, measured=False) == replace(made, copy_db=None)  # the same bytes


def test_gray_levels_keep_their_full_range():
    flat = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[:, None, None], 64, 1).repeat(64, 2)
    np.testing.assert_allclose(decoded(coded(flat, measured=False).mp4, flat.shape), flat, atol=2)


@pytest.mark.parametrize("planes", [1, 3])
def test_an_error_map_tells_the_squared_error_of_the_frames_as_received(planes):
    reference = moving(planes)
    received = reference.copy()
    received[2, :8, :16] += 0.1
    levels, block = error_map(reference, received, planes)
    assert block == 2 and levels.shape == (6, 20, 25) and (levels[2, :4, :8] == levels[2, 0, 0]).all()
    assert -ERROR_STEP_DB * levels[2, 0, 0] == pytest.approx(10 * np.log10(0.01 / planes), abs=ERROR_STEP_DB / 2)
    assert (levels[[0, 1, 3, 4, 5]] == 255).all() and (levels[2, 4:] == 255).all()


def test_a_map_that_repeats_is_kept_as_its_tile():
    one = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(tile(np.tile(one, (5, 6))[:-1, :-1]), one)
    np.testing.assert_array_equal(tile(one), one)


def test_a_film_read_is_the_one_written_and_a_broken_one_is_none(tmp_path):
    clip = moving()
    film = film_of("a", clip, clip * 0.9, 1, source="source-1", measured=True)
    film = replace(film, blocks=4, lost=1, counts=np.eye(2, dtype=np.int64), uses=np.ones((2, 3), np.float32))
    films = Films(tmp_path)
    films.write("k", film)
    found = films.read("k")
    for name in ("errors", "counts", "uses"):
        np.testing.assert_array_equal(getattr(found, name), getattr(film, name))
    blank = {"errors": None, "counts": None, "uses": None}
    assert replace(found, **blank) == replace(film, **blank)
    np.testing.assert_allclose(found.psnr, psnr_by_frame(clip, clip * 0.9), atol=1e-3)
    whole = films.path("k").read_bytes()
    films.path("k").write_bytes(whole[: len(whole) // 2])
    assert films.read("k") is None and films.read("nothing") is None
    for wrong in ({"psnr": (1.0,)}, {"lost": -1}, {"block": 7}, {"uses": np.full((1, 1), np.nan)}, {"planes": 7}):
        films.write("k", replace(film, **wrong))
        assert films.read("k") is None, wrong


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """A run of two schemes at one place."""
    made = job(tmp_path_factory.mktemp("films"), sweep={"snr_db": [8], "budget": [0.04]})
    run(made)
    return made.out


@pytest.fixture
def out(ran, tmp_path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(ran, tmp_path / "out")


def test_a_run_keeps_a_film_of_every_point_with_the_numbers_that_it_scored(ran):
    films, results = Films(ran), Results(ran)
    keys = results.keys()
    assert len(keys) == 2
    for key in keys:
        film, clip = films.read(key), results.read(key)["clips"][0]
        assert film.clip == clip["name"] and film.psnr_db == pytest.approx(clip["psnr_db"][0], abs=1e-3)
        assert film.psnr == pytest.approx(clip["psnr_of_first_trial"], abs=1e-2) and film.source.startswith("source-")
        assert (film.blocks, film.lost) == (clip.get("blocks", [0])[0], clip.get("lost", [0])[0])
        source = films.read(film.source)
        assert source.of_source and source.coded.shape == film.coded.shape
    assert {film.name for film in (ran / "pictures").glob("*.film")} == {
        *(f"{key}.film" for key in keys),
        f"{film.source}.film",
    }


def test_clips_sent_again_give_the_films_that_the_run_kept(out, tmp_path):
    films, keys, told = Films(out), Results(out).keys(), []
    before = {key: films.read(key) for key in keys}
    Pictures(out).forget()
    results = semlink.results(out, plugins=True)
    assert "--send" in results.report(tmp_path / "without.html").read_text() and not films.has(keys[0])
    page = results.report(send=True, progress=lambda *words: told.append(words))
    assert told[0] == ("loading clips", 0, 2) and told[-1] == ("clips sent", 2, 2) and len(told) == 4
    for key, film in before.items():
        again = films.read(key)
        assert (again.coded.mp4, again.psnr, again.lost) == (film.coded.mp4, film.psnr, film.lost)
        assert again.scored_db is None and again.coded.copy_db > 35
    assert 'id="data-video"' in page.read_text()
    assert 'id="data-video"' not in results.report(tmp_path / "small.html", video=False).read_text()
    assert "2 more points have a video that is left out" in results.report(tmp_path / "tiny.html", max_mb=1).read_text()


def test_a_film_of_other_numbers_is_not_shown(out):
    finished, films = read_run(out), Films(out)
    key, film = key_at(finished, 0), film_at(finished, 0)
    assert film is not None
    films.write(key, replace(film, psnr_db=film.psnr_db + 0.3))
    assert film_at(finished, 0) is None
    films.write(key, replace(film, psnr_db=film.psnr_db + 0.3, scored_db=film.psnr_db))  # sent again, and said so
    assert film_at(finished, 0) is not None
