"""Several processes: clips that are there once, workers that start ready, and what happens when one goes wrong."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import toys
import yaml
from small_runs import job, rows, scenario_file

from semlink.errors import SemlinkError
from semlink.link.results.finished import read_run
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.clips import CLIPS_OF_A_RUN, clip_file, load_clips
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.link.sweep.workers.crew import PRELOADED

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
WAITING = f"{Path(toys.__file__).parent / 'waiting.py'}:Slow"


def test_clips_in_a_file_are_the_clips_and_travel_as_its_name(tmp_path):
    scenario = job(tmp_path).scenario
    own = load_clips(scenario, tmp_path)
    with clip_file(wanted=True) as file:
        mapped = load_clips(scenario, tmp_path, file)
        sent = pickle.dumps(mapped)
        other = pickle.loads(sent)
        assert len(sent) < 2000 < file.stat().st_size
        assert own.digest == mapped.digest == other.digest
        assert (own.names, own.motion, own.look) == (other.names, other.motion, other.look)
        for a, b in zip(own.frames, other.frames, strict=True):
            np.testing.assert_array_equal(a.pixels, b.pixels)
        other.frames[0].pixels[:] = 0.25  # a process that writes into its clips changes nobody's
        np.testing.assert_array_equal(own.frames[0].pixels, mapped.frames[0].pixels)
    assert not file.exists()


def test_a_worker_is_ready_without_what_few_scenarios_need():
    """What a worker is forked with: torch and numba's own, but no 3GPP channel, plot or command line."""
    code = f"import gc, sys, {', '.join(PRELOADED)}; print(gc.get_freeze_count(), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    frozen, *loaded = done.stdout.split()
    assert int(frozen) > 100_000 and {"torch", "numba.cpython.unicode"} <= set(loaded)
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


def waiting(folder: Path, snr_db: list[float], **options) -> Path:
    """A scenario of a scheme that takes its time; it says in `folder` what processes it works in."""
    scheme = {"name": "x", "kind": WAITING, "told": str(folder), **options}
    changes = {"sweep": {"snr_db": snr_db, "budget": [0.04]}, "trials": {"min": 1, "max": 1}, "schemes": [scheme]}
    return scenario_file(folder, **changes)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_ends_a_run_and_leaves_the_table_of_what_is_finished(tmp_path, workers):
    out = tmp_path / "out"
    run(Job(load_scenario(waiting(tmp_path, [1], fails_at_db=2.0)), out, tmp_path))
    whole = read_run(out)
    failing = load_scenario(waiting(tmp_path, [1, 2, 3, 4], fails_at_db=2.0))
    with pytest.raises(SemlinkError, match="x, 2 dB, budget 0.04, awgn: .*out of symbols"):
        run(Job(failing, out, tmp_path), workers=workers)
    kept = read_run(out)
    assert [row.snr_db for row in kept.rows][0] == 1 and 2 not in [row.snr_db for row in kept.rows]
    assert kept.rows[0] == whole.rows[0] and len(kept.records) == len(kept.rows)
    assert "out of symbols" in kept.manifest["warnings"][-1]
    assert not list(tmp_path.rglob("*.tmp")) and not (out / ".lock").exists()


def test_a_failure_waits_for_no_other_worker(tmp_path):
    file = waiting(tmp_path, [1, 2], fails_at_db=2.0, seconds=3000.0)
    started = time.monotonic()
    with pytest.raises(SemlinkError, match="out of symbols"):
        run(Job(load_scenario(file), tmp_path / "out", tmp_path), workers=2)
    assert time.monotonic() - started < 600
    comes_true(lambda: not any(runs(int(path.stem)) for path in tmp_path.glob("*.pid")), within_s=200)


@pytest.mark.parametrize(
    "number, code",
    [
        (signal.SIGKILL, -signal.SIGKILL),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_workers_end_with_a_run_that_is_ended_in_the_middle_of_a_point(tmp_path, number, code):
    """Among them the processes in which receivers work again, busy in a user's class."""
    file = waiting(tmp_path, [1, 2], seconds=600.0)
    command = [sys.executable, "-m", "semlink.cli", "run", str(file), "--workers", "2", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        comes_true(lambda: len(list(tmp_path.glob("*.pid"))) >= 2, within_s=100)
    finally:
        process.send_signal(number)
        assert process.wait(200) == code
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    comes_true(lambda: not any(map(runs, workers)), within_s=200)
    assert bool(list(tmp_path.glob("semlink-clips-*"))) == (number == signal.SIGKILL)


SCRIPT = """
import semlink
scheme = {"name": "x", "kind": "waiting.py:Slow", "told": "."}
scenario = {"name": "x", "source": {"kind": "scenes", "clips": 1, "frames": 2, "size": [16, 16]}, "schemes": [scheme]}
scenario |= {"channel": {"kind": "awgn"}, "sweep": {"snr_db": [1, 2], "budget": [1]}, "metrics": ["psnr"]}
semlink.run(scenario, "out", workers=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("from_input", [False, True])
def test_workers_do_not_run_the_script_that_starts_them(tmp_path, from_input):
    """As `multiprocessing` has it they would, and without a guard around the call end at once."""
    (tmp_path / "script.py").write_text(SCRIPT)
    shutil.copy(Path(toys.__file__).parent / "waiting.py", tmp_path)
    command = [sys.executable, "-" if from_input else "script.py"]
    done = subprocess.run(command, input=SCRIPT if from_input else "", text=True, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "out")) == 2 and len(list(tmp_path.glob("*.pid"))) == 2


@pytest.mark.slow
def test_runs_in_threads_of_one_process_take_turns_and_end(tmp_path):
    """They once waited for each other for ever: the process in which receivers work again has one line."""
    jobs = [Job(load_scenario(waiting(tmp_path, [1, 2, 3, 4])), tmp_path / name, tmp_path) for name in "abc"]
    told: list[str] = []
    threads = [Thread(target=run, args=(job,), kwargs={"warn": told.append}, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    tables = {(job.out / "curves.csv").read_bytes() for job in jobs}
    assert len(tables) == 1 and any("another run is at work in this process" in line for line in told)


@pytest.mark.parametrize("end, why", [(KeyboardInterrupt(), "interrupted"), (SystemExit(143), "told to end")])
def test_a_run_that_is_ended_leaves_the_table_of_what_is_finished(tmp_path, end, why):
    def tell(name: str, done: int, total: int) -> None:
        if done == 2:
            raise end

    with pytest.raises(type(end)):
        run(Job(load_scenario(waiting(tmp_path, [1, 2, 3])), tmp_path / "out", tmp_path), progress=tell)
    kept = read_run(tmp_path / "out")
    assert len(kept.rows) == 2 and kept.manifest["warnings"][-1].endswith(why)


def test_clips_of_killed_runs_go_with_the_next_and_those_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / f"{CLIPS_OF_A_RUN}dead"
    dead.mkdir()
    (dead / "clips.f32").write_bytes(b"pixels")
    (dead / ".lock").write_text("{}")
    with clip_file(wanted=True) as other:
        assert not dead.exists()
        other.write_bytes(b"pixels")
        with clip_file(wanted=True) as file:
            assert other.exists() and file.parent != other.parent
    assert not list(tmp_path.iterdir())


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
