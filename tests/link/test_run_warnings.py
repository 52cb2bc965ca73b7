"""What a run tells of its clips and metrics in the manifest and on the terminal; values twice are one point."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
import yaml
from small_runs import job, rows
from terminal import TOY, semlink as command

import semlink
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.grid import grid
from semlink.link.sweep.run import run


def film(path, color_range: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.color_range = color_range
        for pts in range(4):
            planes = np.full((96, 64), 100 + pts, np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.color_range = pts, color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def scenario(tmp_path):
    film(tmp_path / "a.mkv", 1)
    film(tmp_path / "b.mkv", 2)
    tree = yaml.safe_load(TOY) | {"metrics": ["psnr", "ms_ssim"], "sweep": {"snr_db": [12], "budget": [0.15]}}
    tree["source"] = {"kind": "video", "path": str(tmp_path / "*.mkv"), "frames": 4, "clips": 2}
    tree["schemes"] = tree["schemes"][:1]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(tree))
    return tmp_path / "s.yaml"


def test_the_range_of_each_clip_stands_in_the_manifest_and_a_mix_warns(scenario):
    done = command("run", scenario, "--out", scenario.parent / "out", "--workers", 1, folder=scenario.parent)
    assert done.code == 0, done.err
    manifest = json.loads((scenario.parent / "out/manifest.json").read_text())
    assert manifest["clips"] == [
        {"name": "a@0", "motion": "slow", "range": "limited"},
        {"name": "b@0", "motion": "slow", "range": "full"},
    ]
    mixed, scales = manifest["warnings"]
    assert "clips of limited range (1, such as a@0) stand beside clips of full range" in mixed
    assert "ms_ssim: frames of 64x64 leave room for 3 of its 5 scales" in scales
    assert [f"warning: {line}" for line in (mixed, scales)] == [x for x in done.err.splitlines() if "warning" in x]


def test_converted_ranges_do_not_warn(scenario):
    done = semlink.run(semlink.load(scenario, ["source.range=full", "metrics=[psnr]"]), scenario.parent / "full")
    assert done.manifest["warnings"] == [] and done.source(0)[0, 0, 0] == pytest.approx((100 - 16) / 219)
    assert done.source(1)[0, 0, 0] == pytest.approx(100 / 255)


def test_values_that_stand_twice_are_one_point(tmp_path):
    sweep = {"snr_db": [8, 5, 8.0, 5, -0.0, 0], "budget": [0.08, 0.04, 0.08]}
    made = job(tmp_path, sweep=sweep, channel=[{"kind": "awgn"}, {"kind": "awgn"}])
    points = [(p.scheme, p.channel, p.snr_db, p.budget) for p in grid(made.scenario)]
    assert points == [(s, 0, snr, b) for s in (0, 1) for snr in (8, 5, 0) for b in (0.08, 0.04)]
    report = run(job(tmp_path, sweep={"snr_db": [8, 8.0], "budget": [0.08, 8e-2]}, channel=[{"kind": "awgn"}] * 2))
    assert report.points == report.computed == 2 == len(rows(tmp_path / "out"))


def test_rates_that_stand_twice_are_one_point(tmp_path):
    text = TOY.replace("kind: digital\n    codec", "kind: digital\n    rates: [4, 4.0, 0o4, 2]\n    codec", 1)
    (tmp_path / "s.yaml").write_text(text)
    found = [p.rate for p in grid(load_scenario(tmp_path / "s.yaml")) if p.scheme == 1 and p.snr_db == 12]
    assert found == [4.0, 2.0]
