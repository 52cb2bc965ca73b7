"""Frames around a gap, as each scheme fills it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from small_runs import records

from semlink.link.plots.pictures.frames import as_picture
from semlink.link.plots.pictures.skipped_frames import strip_figure
from semlink.link.results.pictures import gap, in_8_bits, shown_points
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

SKIPPING = {"kind": "random", "operator": "identity", "skip": [3, 4, 7]}


def made(folder, sensor: dict):
    schemes = [
        {"name": method, "kind": "sensing", "sensor": sensor, "reconstruction": {"kind": "fill", "method": method}}
        for method in ("nearest", "linear")
    ]
    source = {"kind": "digits", "frames": 9, "clips": 1}
    content = {"name": "s", "source": source, "schemes": schemes, "metrics": ["psnr"], "table": {}}
    (folder / "s.yaml").write_text(yaml.safe_dump(content))
    return run(Job(load_scenario(folder / "s.yaml"), folder / "out", folder))


def test_the_first_gap_and_its_neighbours_are_shown(tmp_path):
    made(tmp_path, SKIPPING)
    shown = shown_points(tmp_path / "out", "middle")
    assert [gap(point.record["frame_kinds"]) for point in shown] == [(2, 3, 4, 5)] * 2
    assert len(strip_figure(shown).axes) == 3 * 4


def test_nothing_is_drawn_where_all_frames_are_read(tmp_path):
    made(tmp_path, {"kind": "random", "operator": "identity"})
    assert strip_figure(shown_points(tmp_path / "out", "middle")) is None


def test_records_of_earlier_versions_say_nothing_of_skipped_frames(tmp_path):
    made(tmp_path, SKIPPING)
    shown = shown_points(tmp_path / "out", "middle")
    old = [replace(p, record={k: v for k, v in p.record.items() if k != "frame_kinds"}) for p in shown]
    assert strip_figure(old) is None


def test_frames_that_are_read_are_exact_and_skipped_ones_stand_apart(tmp_path):
    rows = made(tmp_path, SKIPPING).rows
    assert {row.scheme: row.psnr_db < 60 for row in rows} == {"nearest": True, "linear": True}
    record, *_ = records(tmp_path / "out")
    assert record["frame_kinds"] == ["skipped" if t in SKIPPING["skip"] else "read" for t in range(9)]
    by_frame = record["clips"][0]["psnr_by_frame"]
    assert min(by_frame[t] for t in range(9) if t not in SKIPPING["skip"]) > 90
    assert max(by_frame[t] for t in SKIPPING["skip"]) < 60


@pytest.mark.parametrize("planes", [1, 3])
def test_planes_become_colours(planes):
    frame = np.random.default_rng(0).random((6, 4))
    shown = as_picture(in_8_bits(frame * 1.5), planes)
    assert shown.max() <= 1
    if planes == 3:
        np.testing.assert_allclose(shown[1, 2], np.clip(1.5 * frame[[1, 3, 5], 2], 0, 1), atol=0.5 / 255)


def test_frames_are_shown_in_colour(tmp_path):
    """A red picture is red on the page: every dot of it, enlarged, and nothing else is."""
    from PIL import Image

    from semlink.link.plots.files import save
    from semlink.link.plots.pictures.frame_panels import Cell, frames_figure

    red = np.zeros((32, 32, 3))
    red[..., 0] = 1
    save(frames_figure([Cell("source", red, ""), Cell("gray", np.full((32, 32), 0.5), "")]), tmp_path / "f.png")
    page = np.asarray(Image.open(tmp_path / "f.png").convert("RGB"))
    dots = (page == [255, 0, 0]).all(2).sum()
    assert dots >= 0.9 * 256 * 256 and ((page == [128, 128, 128]).all(2)).sum() >= 0.9 * 256 * 256
