"""Several processes: clips that are there once, workers that start ready, and what happens when one goes wrong."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
class Endless(Dying):
    def transmit(self, frames, agreement, seeds):
        import pathlib, time
        (pathlib.Path(__file__).parent / f"{os.getpid()}.pid").touch()
        time.sleep(600)
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


def test_workers_end_with_a_run_that_is_killed_in_the_middle_of_a_point(tmp_path):
    (tmp_path / "mine.py").write_text(DYING)
    file = scenario_file(tmp_path, schemes=[{"name": "x", "kind": "mine.py:Endless"}])
    command = [sys.executable, "-m", "semlink.cli", "run", str(file), "--workers", "2", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        comes_true(lambda: len(list(tmp_path.glob("*.pid"))) == 2, within_s=60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    comes_true(lambda: not any(map(runs, workers)), within_s=20)


def comes_true(is_so: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {within_s:g} s"
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended, waited for or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
