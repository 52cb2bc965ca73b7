"""Sweeps: the same bytes for any number of workers, after a kill, and beside other schemes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import toys
import yaml
from small_runs import job, rows, scenario_file, unpacked

from semlink.errors import ResultsError, ScenarioError, SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run


def test_rows_stand_in_the_order_of_the_grid_and_pay_for_everything(tmp_path):
    report = run(job(tmp_path))
    assert report.points == report.computed == 8
    table = rows(tmp_path / "out")
    assert [(r["scheme"], r["snr_db"], r["budget"]) for r in table] == [
        (s, snr, b) for s in ("16-QAM", "direct") for snr in ("5", "8") for b in ("0.04", "0.08")
    ]
    for row in table:
        parts = sum(float(row[k]) for k in ("payload", "parity", "crc", "pilot", "header", "side_info"))
        assert parts == pytest.approx(float(row["channel_uses"]), abs=0.02)
        assert float(row["channel_uses"]) <= float(row["budget"]) * 4 * 64 * 64
        assert row["clips"] == "2" and row["seed"] == "1" and row["genie"] == ""


def test_a_scheme_does_not_feel_its_neighbours(tmp_path):
    both = run(job(tmp_path, "both"))
    alone = job(tmp_path, "alone")
    alone = Job(alone.scenario.model_copy(update={"schemes": alone.scenario.schemes[1:]}), alone.out, alone.folder)
    assert run(alone).rows == tuple(r for r in both.rows if r.scheme == "direct")


def test_a_rerun_computes_only_what_is_missing_or_damaged(tmp_path):
    first = run(job(tmp_path))
    files = unpacked(tmp_path / "out")
    files[0].unlink()
    files[1].write_text("{half")
    again = run(job(tmp_path))
    assert again.computed == 2 and again.rows == first.rows
    assert run(job(tmp_path)).computed == 0
    assert run(job(tmp_path), fresh=True).computed == 8
    assert run(job(tmp_path, seed=2)).computed == 8


def test_more_points_keep_the_old_ones(tmp_path):
    run(job(tmp_path))
    assert run(job(tmp_path, sweep={"snr_db": [5, 8, 11], "budget": [0.04, 0.08]})).computed == 4


def test_an_infeasible_point_stays_with_its_reason(tmp_path):
    report = run(job(tmp_path, sweep={"snr_db": [8], "budget": [0.0005, 0.04]}))
    bad, good = (r for r in report.rows if r.scheme == "16-QAM")
    assert bad.psnr_db is None and "infeasible" in bad.note and good.psnr_db is not None


def test_own_rates_stand_in_for_a_budget(tmp_path):
    file = scenario_file(tmp_path)
    content = yaml.safe_load(file.read_text())
    content["schemes"][0]["rates"] = [4, 8]
    content["schemes"] = content["schemes"][:1]
    del content["sweep"]["budget"]
    file.write_text(yaml.safe_dump(content))
    table = run(Job(load_scenario(file), tmp_path / "out", tmp_path)).rows
    assert [r.rate for r in table] == [4, 8, 4, 8] and table[0].channel_uses > 3 * table[1].channel_uses


def test_a_killed_run_is_taken_up(tmp_path):
    file = scenario_file(tmp_path, trials={"min": 20, "max": 20})
    command = [sys.executable, "-m", "semlink.cli", "run", str(file), "--workers", "1", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    points = tmp_path / "out" / "points"
    deadline = time.monotonic() + 200
    while not list(points.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(points.glob("*.json")))
    assert done
    resumed = run(Job(load_scenario(file), tmp_path / "out", tmp_path))
    assert resumed.computed == 8 - done
    run(Job(load_scenario(file), tmp_path / "whole", tmp_path))
    (pack,) = points.glob("[!.]*")  # a hidden file is what the kill left of a write
    assert pack.read_bytes() == next((tmp_path / "whole" / "points").iterdir()).read_bytes()
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()


def test_a_folder_that_cannot_be_written_is_said_first(tmp_path):
    (tmp_path / "file").write_text("")
    made = job(tmp_path)
    with pytest.raises(ResultsError, match="cannot be written"):
        run(Job(made.scenario, tmp_path / "file" / "out", tmp_path))


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"channel": {"kind": "toys_nowhere.py:X"}}, "no file 'toys_nowhere.py'"),
        ({"channel": {"kind": f"{toys.__file__}:Nothing"}}, "has no 'Nothing'; it defines"),
        ({"channel": {"kind": f"{toys.__file__}:Broken"}}, "option 'how' is needed"),
        ({"channel": {"kind": f"{toys.__file__}:Quiet", "loud": 1}}, "unknown option 'loud'"),
        ({"channel": {"kind": f"{toys.__file__}:Broken", "how": "nan"}}, "NaN or infinite"),
        ({"channel": {"kind": "no.such.module:X"}}, "no module named 'no'"),
        ({"schemes": [{"name": "x", "kind": f"{toys.__file__}:Peeper"}]}, "did not reach its antenna"),
    ],
)
def test_user_blocks_that_are_wrong_are_named(tmp_path, changes, says):
    with pytest.raises((ScenarioError, SemlinkError), match=says.replace("'", ".")):
        run(job(tmp_path, **changes))
