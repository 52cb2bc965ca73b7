"""What a run tells of its clips and metrics in the manifest and on the terminal; values twice are one point."""

from __future__ import annotations

import json
import re

import av
import numpy as np
import pytest
import yaml
from small_runs import job, rows, scenario_file
from terminal import TOY, semlink as command
from toys import Ramps

import semlink
from semlink.link.metrics.draws import Draws
from semlink.link.metrics.intervals import is_within
from semlink.link.metrics.registry import PSNR, extremes_of
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.grid import doubled, grid
from semlink.link.sweep.run import run
from semlink.link.sweep.trials import StopRule


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
    assert doubled(made.scenario) == [
        f"{value} stands there more than once and is computed once"
        for value in ("sweep.snr_db: 8", "sweep.snr_db: 5", "sweep.snr_db: 0", "sweep.budget: 0.08", "channel: awgn")
    ]
    assert doubled(job(tmp_path).scenario) == []
    report = run(job(tmp_path, sweep={"snr_db": [8, 8.0], "budget": [0.08, 8e-2]}, channel=[{"kind": "awgn"}] * 2))
    assert report.points == report.computed == 2 == len(rows(tmp_path / "out"))


def test_rates_that_stand_twice_are_one_point(tmp_path):
    text = TOY.replace("kind: digital\n    codec", "kind: digital\n    rates: [4, 4.0, 0o4, 2]\n    codec", 1)
    (tmp_path / "s.yaml").write_text(text)
    found = [p.rate for p in grid(load_scenario(tmp_path / "s.yaml")) if p.scheme == 1 and p.snr_db == 12]
    assert found == [4.0, 2.0]


# --- a stop rule that cannot be met


def said_of_trials(folder, trials, schemes=(0, 1)) -> list[str]:
    """Each line about the trials that a run tells, with how many points were finished then; it has no others."""
    tree = yaml.safe_load(scenario_file(folder, sweep={"snr_db": [8], "budget": [0.04]}).read_text())
    tree |= {"trials": trials, "schemes": [tree["schemes"][n] for n in schemes]}
    told, finished = [], []
    kept = semlink.run(
        {key: value for key, value in tree.items() if value is not None},
        folder / "out",
        progress=lambda name, done, total: finished.append(done) if done else None,
        warn=lambda line: told.append((line, len(finished))),
    )
    assert [line for line, _ in told] == kept.manifest["warnings"] and all(done == 0 for _, done in told) and finished
    return [line for line, _ in told]


def test_trials_that_cannot_give_the_width_are_said_before_any_work(tmp_path):
    (line,) = said_of_trials(tmp_path, {"min": 2, "max": 6, "ci_halfwidth_db": 0.2})
    assert line.startswith(
        "trials: max: 6 with 2 clips cannot give ci_halfwidth_db: 0.2 where blocks can be lost: even"
    )
    damage = 30 - np.mean([extremes_of(PSNR, Ramps().clip(number))[0] for number in range(2)])
    assert f"30 dB stay uncertain by {damage * (1 - (0.05 / 2) ** (1 / 12)):.2g} dB" in line
    most = int(re.search(r"max: (\d+) could", line)[1])
    assert not clean_run_ends(damage, StopRule(2, round(0.97 * most), 0.2))
    assert clean_run_ends(damage, StopRule(2, round(1.03 * most), 0.2))


def clean_run_ends(damage, rule) -> bool:
    """Whether trials of two clips without any loss meet a rule at its last look."""
    draws = Draws(np.full((rule.max, 2), damage), np.zeros((rule.max, 2), bool), np.zeros(2), np.full(2, damage))
    return is_within(draws, rule.ci_halfwidth_db, rule.error(rule.max))


@pytest.mark.parametrize(
    "trials, schemes",
    [
        (None, (0, 1)),  # nothing was asked for
        ({"min": 3, "max": 3, "ci_halfwidth_db": 0.001}, (0, 1)),  # a fixed number of trials
        ({"min": 2, "max": 3, "ci_halfwidth_db": 9.0}, (0, 1)),  # they are enough
        ({"min": 2, "max": 3, "ci_halfwidth_db": 0.001}, (1,)),  # no block can be lost
    ],
)
def test_trials_that_may_give_the_width_are_not_spoken_of(tmp_path, trials, schemes):
    assert said_of_trials(tmp_path, trials, schemes) == []
