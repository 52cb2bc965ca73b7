"""Several processes: clips that are there once, workers that start ready, and what happens when one goes wrong."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import yaml
from small_runs import job, scenario_file

from semlink.errors import SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.clips import clip_file, load_clips
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run

DYING = """
import os, torch
class Dying:
    def transmit(self, frames, agreement, seeds):
        os._exit(9)
    def receive(self, received, agreement):
        raise AssertionError
class Failing(Dying):
    def transmit(self, frames, agreement, seeds):
        raise RuntimeError("out of symbols")
"""


def test_clips_in_a_file_are_the_clips_and_travel_as_its_name(tmp_path):
    scenario = job(tmp_path).scenario
    own = load_clips(scenario, tmp_path)
    with clip_file(wanted=True) as file:
        mapped = load_clips(scenario, tmp_path, file)
        sent = pickle.dumps(mapped)
        other = pickle.loads(sent)
        assert len(sent) < 2000 < file.stat().st_size
        assert own.digest == mapped.digest == other.digest
        assert (own.names, own.motion, own.planes) == (other.names, other.motion, other.planes)
        for a, b in zip(own.frames, other.frames, strict=True):
            np.testing.assert_array_equal(a.pixels, b.pixels)
        other.frames[0].pixels[:] = 0.25  # a process that writes into its clips changes nobody's
        np.testing.assert_array_equal(own.frames[0].pixels, mapped.frames[0].pixels)
    assert not file.exists()


def test_a_worker_is_ready_without_what_few_scenarios_need():
    """What a worker is forked with: torch, but no 3GPP channel, plot or command line."""
    code = "import sys, semlink.link.sweep.workers; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"sionna", "matplotlib", "typer", "rich", "tensorflow", "compressai"} & set(loaded)


@pytest.mark.parametrize(
    "kind, says",
    [("Dying", "a worker process died"), ("Failing", r"x, 5(\.5)? dB, budget 0\.04, awgn: .*out of symbols")],
)
def test_a_worker_that_goes_wrong_is_named_and_none_is_left(tmp_path, kind, says):
    (tmp_path / "mine.py").write_text(DYING)
    path = scenario_file(tmp_path, schemes=[{"name": "x", "kind": f"mine.py:{kind}"}])
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(content | {"sweep": {"snr_db": [5, 5.5], "budget": [0.04]}}))
    with pytest.raises(SemlinkError, match=says):
        run(Job(load_scenario(path), tmp_path / "out", tmp_path), workers=2)
    assert not list(tmp_path.rglob("*.tmp")) and not (tmp_path / "out" / "curves.csv").exists()
