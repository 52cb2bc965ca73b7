"""Pictures: made from what the run kept, the same however the run went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import job

from semlink.link.chain import transmit
from semlink.link.plots.files import save
from semlink.link.plots.pictures.frames import outputs_figure
from semlink.link.results.pictures import Picture, Pictures, RateMap, in_8_bits, shown_points
from semlink.link.sweep.grid import grid, middle_points
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.run import run


def drawn(folder: Path) -> bytes:
    """`frames.png` of a folder."""
    save(outputs_figure(shown_points(folder, "middle")), folder / "frames.png")
    return (folder / "frames.png").read_bytes()


def test_one_and_two_workers_give_the_same_table_and_pictures_for_which_nothing_is_sent(tmp_path, monkeypatch):
    run(job(tmp_path, "one"))
    run(job(tmp_path, "two"), workers=2)
    assert (tmp_path / "one/curves.csv").read_bytes() == (tmp_path / "two/curves.csv").read_bytes()
    monkeypatch.setattr(transmit, "arrived", lambda *args: pytest.fail("sent again"))
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    names = [file.name for file in (tmp_path / "one/pictures").glob("*.npz")]
    assert len(names) == 10 and sum(name.endswith(".reception.npz") for name in names) == 8


def test_a_run_taken_up_shows_what_a_whole_run_shows(tmp_path, monkeypatch):
    """Half of the points come from a run before, with their pictures; those are not sent again."""
    whole = job(tmp_path, "whole")
    run(whole)
    middle = middle_points(grid(whole.scenario))
    assert len(middle) == 2
    half = job(tmp_path, "half")
    run(replace(half, scenario=half.scenario.model_copy(update={"schemes": half.scenario.schemes[:1]})))
    monkeypatch.setattr(PointRunner, "picture", lambda *args: pytest.fail("sent again"))
    assert run(half).computed == 4
    assert drawn(tmp_path / "half") == drawn(tmp_path / "whole")


def test_points_without_a_picture_get_one_and_keep_their_record(tmp_path):
    made = job(tmp_path)
    first = run(made)
    before, kept = drawn(made.out), {p.name: p.read_bytes() for p in (made.out / "points").iterdir()}
    Pictures(made.out).forget()
    assert run(made).computed == 0 and shown_points(made.out, "middle") == []  # frames.png stands
    (made.out / "frames.png").unlink()
    again = run(made)
    assert again.computed == 0 and again.rows == first.rows
    assert {p.name: p.read_bytes() for p in (made.out / "points").iterdir()} == kept
    assert drawn(made.out) == before


def test_a_point_that_does_not_fit_is_shown_as_such(tmp_path):
    made = job(tmp_path, sweep={"snr_db": [8], "budget": 0.0005})
    run(made)
    points = shown_points(made.out, "middle")
    assert [point.picture.received is None for point in points] == [True, True]
    assert all(point.clip is None and point.picture.source is not None for point in points)
    assert len(drawn(made.out)) > 1000


def test_a_picture_read_is_the_one_written(tmp_path):
    chance = np.random.default_rng(1)
    frames = in_8_bits(chance.random((3, 6, 4)) * 1.2 - 0.1)
    floats = chance.random((2, 2))
    picture = Picture(
        (2, 3, 7),
        3,
        frames,
        frames[::-1],
        3,
        (RateMap("a", frames[0], floats, floats + 1, floats * 2),),
        frames[1],
        2.5,
    )
    Pictures(tmp_path).write("k", picture)
    found = Pictures(tmp_path).read("k")
    assert (found.numbers, found.middle, found.planes, found.mean_count) == ((2, 3, 7), 3, 3, 2.5)
    for name in ("source", "received", "counts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(picture, name))
    assert found.rate_maps[0].clip == "a"
    for name in ("frame", "uses", "texture", "error"):
        np.testing.assert_array_equal(getattr(found.rate_maps[0], name), getattr(picture.rate_maps[0], name))
    (tmp_path / "pictures/k.npz").write_bytes(b"PK half")
    assert Pictures(tmp_path).read("k") is None


def test_a_value_given_twice_is_one_point(tmp_path):
    twice = job(tmp_path, sweep={"snr_db": [5, 5.0, 8], "budget": [0.04, 0.04]})
    once = job(tmp_path, sweep={"snr_db": [5, 8], "budget": [0.04]})
    assert grid(twice.scenario) == grid(once.scenario)
