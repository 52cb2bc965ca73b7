"""Sensors in the link: sensing alone, and video coded after reconstruction."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from semlink.errors import ScenarioError, SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

SOURCE = {"kind": "scenes", "clips": 2, "size": [64, 64], "seed": 5}


def report(folder: Path, **content):
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump({"name": "s", "source": SOURCE, "trials": {"min": 2, "max": 2}} | content))
    return run(Job(load_scenario(path), folder / "out", folder))


def sensing(name: str, kind: str, **sensor):
    sensor = {"kind": "programmable", **sensor}
    return {"name": name, "kind": "sensing", "sensor": sensor, "reconstruction": {"kind": kind}}


def test_sensing_alone_needs_no_channel_and_costs_measurements(tmp_path):
    made = report(
        tmp_path,
        schemes=[
            sensing("fixed, initial", "initial") | {"rates": [1, 4]},
            sensing("fixed, GAP-TV", "gap-tv") | {"rates": [1, 4]},
            sensing("tiled", "initial", ratio_map="tiled", tile=[[1, 2], [4, 1]]),
        ],
    )
    costs = {(r.scheme, r.rate): r.measurements_per_pixel for r in made.rows}
    assert costs["fixed, initial", 1] == 1 and costs["fixed, initial", 4] == 4 and costs["tiled", None] == 2
    assert all(r.channel_uses is None and r.snr_db is None and r.channel == "" for r in made.rows)
    quality = {(r.scheme, r.rate): r.psnr_db for r in made.rows}
    assert quality["fixed, GAP-TV", 4] > quality["fixed, initial", 4] + 0.5
    assert all(r.psnr_ci95 > 0 for r in made.rows), "sensor noise differs from trial to trial"


def test_a_digital_scheme_codes_what_the_sensor_saw(tmp_path):
    digital = {"kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "capacity"}}
    camera = {"sensor": {"kind": "programmable", "mean_ratio": 0.25}, "reconstruction": {"kind": "gap-tv"}}
    made = report(
        tmp_path,
        channel={"kind": "awgn"},
        sweep={"snr_db": 10, "budget": 0.1},
        schemes=[
            {"name": "clean", **digital},
            {"name": "sensed", **digital, **camera},
            sensing("camera", "gap-tv", mean_count=4),
        ],
    )
    clean, sensed, eye_only = made.rows
    assert sensed.measurements_per_pixel == 4 and clean.measurements_per_pixel is None
    assert sensed.psnr_db < min(clean.psnr_db, eye_only.psnr_db + 0.2)
    assert sensed.channel_uses_per_pixel <= 0.1 and sensed.bound


@pytest.mark.parametrize(
    "scheme, says",
    [
        (sensing("x", "initial"), "ratio_map fixed needs mean_count, mean_ratio or rates"),
        (sensing("x", "initial", mean_count=3), "not on offer|allowed"),
        (sensing("x", "initial", mean_count=1.5), "one whole count"),
        (sensing("x", "initial", ratio_map="tiled"), "ratio_map tiled needs tile"),
        (sensing("x", "initial", mean_count=1, mean_ratio=0.1), "not both"),
        (
            sensing("x", "initial", ratio_map="learned", weights="nothing", mean_count=2),
            "weights 'nothing': no such file",
        ),
        (
            {"name": "x", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "capacity"}, "rates": [30]},
            "no channel is given",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, scheme, says):
    with pytest.raises((ScenarioError, SemlinkError), match=says):
        report(tmp_path, schemes=[scheme])


def test_a_window_that_cannot_be_halved(tmp_path):
    with pytest.raises(SemlinkError, match="power of two"):
        report(tmp_path, source=SOURCE | {"frames": 12}, schemes=[sensing("x", "initial", mean_count=1)])
