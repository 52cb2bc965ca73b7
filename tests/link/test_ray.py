"""A Ray cluster of two nodes on this machine: the same bytes, also where a node dies in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import toys
from small_runs import scenario_file
from test_workers import comes_true, runs, waiting

import semlink
from semlink.errors import ScenarioError, SemlinkError
from semlink.link.results.course.notes import Notes
from semlink.link.sweep.workers import address

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    small = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=small)
    made.other = made.add_node(**small)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.parametrize("on", ["slurm", "ray:", "ray://", "ray://host", "ray://a/b:1", "ray://host:port"])
def test_what_is_no_cluster_is_refused_in_a_line(tmp_path, on):
    with pytest.raises(ScenarioError, match="on: got .*need ray, ray://auto, or ray://HOST:PORT"):
        semlink.run(scenario_file(tmp_path), tmp_path / "out", on=on)


@pytest.mark.parametrize(("on", "why"), [("ray://no.invalid:1", "no host is called"), ("ray://127.0.0.1:1", "refused")])
def test_where_nobody_is_is_told_at_once_and_leaves_no_folder(tmp_path, on, why):
    started = time.monotonic()
    with pytest.raises(SemlinkError, match=f"on: .*{why}"):
        semlink.run(scenario_file(tmp_path), tmp_path / "out", on=on)
    assert time.monotonic() - started < 60 and not (tmp_path / "out").exists()


def test_what_is_not_installed_or_only_for_rays_client_is_told_with_what_to_do(tmp_path, monkeypatch):
    file, out = scenario_file(tmp_path), tmp_path / "out"
    node = "run on a node of the cluster, which `ray start --address=HOST:6379` makes this machine"
    monkeypatch.setattr(address, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        on = f"ray://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(address, "CLIENT_PORT", server.getsockname()[1])
        with pytest.raises(SemlinkError, match=f"on: no cluster answers at .*{node}"):
            semlink.run(file, out, on=on)
    with pytest.raises(SemlinkError, match=f"on: nobody answers at .*{node}"):
        semlink.run(file, out, on=on)
    monkeypatch.setenv("RAY_ADDRESS", "ray://10.0.0.1:10001")
    with pytest.raises(SemlinkError, match=f"on: RAY_ADDRESS is ray://10.0.0.1:10001; Ray's client .*{node}"):
        semlink.run(file, out, on="ray://auto")
    monkeypatch.setattr(address, "find_spec", lambda name: None)
    monkeypatch.delenv("RAY_ADDRESS")
    for on in ("ray", "ray://auto"):
        with pytest.raises(SemlinkError, match=r"on: Ray is not installed; pip install 'semlink\[ray\]'"):
            semlink.run(file, out, on=on)
    assert not out.exists()


def test_what_listens_and_is_no_cluster_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(address, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        on = f"ray://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SemlinkError, match="on: no cluster answers at .*nothing came back within"):
            semlink.run(scenario_file(tmp_path), tmp_path / "out", on=on)
    assert not (tmp_path / "out").exists()


def test_live_objects_are_refused(tmp_path):
    tree = {
        "name": "live",
        "source": {"kind": toys.Ramps, "clips": 1},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 5, "budget": 0.04},
        "schemes": [{"name": "direct", "kind": toys.Direct}],
    }
    with pytest.raises(ScenarioError, match="on: objects of Python stay in their process"):
        semlink.run(tree, tmp_path / "out", on="ray")


@pytest.mark.slow
def test_two_nodes_give_the_bytes_of_one_worker_and_tell_a_failure_alike(cluster, tmp_path):
    """User's files are sent: the node has them at another place than the scenario."""
    (tmp_path / "mine.py").write_text("from helper import Direct\n\n\nclass Mine(Direct):\n    pass\n")
    text = (Path(toys.__file__)).read_text()
    (tmp_path / "helper.py").write_text(text)
    schemes = [{"name": "mine", "kind": "mine.py:Mine"}, {"name": "soft", "kind": "softcast"}]
    file = scenario_file(tmp_path, schemes=schemes, source={"kind": "helper.py:Ramps", "clips": 2})
    semlink.run(file, tmp_path / "whole")
    told: list[tuple] = []
    done = semlink.run(file, tmp_path / "out", on=f"ray://{cluster.address}", progress=lambda *said: told.append(said))
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()
    assert [said[1:] for said in told] == [(n, 8) for n in range(9)] and done.manifest["points"] == 8
    kept = {path.name for path in (tmp_path / "whole" / "pictures").iterdir()}
    assert kept == {path.name for path in (tmp_path / "out" / "pictures").iterdir()}
    failing = waiting(tmp_path, [1.0, 2.0], fails_at_db=2.0)
    said = []
    for where in ({"workers": 2}, {"on": f"ray://{cluster.address}"}):
        with pytest.raises(SemlinkError) as fault:
            semlink.run(failing, tmp_path / f"failing-{len(said)}", **where)
        said.append(str(fault.value).partition("; all of it")[0])
    assert said[0] == said[1] and "x, 2 dB, budget 0.04, awgn: " in said[0] and "out of symbols" in said[0]


@pytest.mark.slow
def test_trials_of_one_point_side_by_side_are_the_trials_of_one_after_the_other(cluster, tmp_path):
    changes = {"trials": {"min": 3, "max": 12, "ci_halfwidth_db": 0.001}, "sweep": {"snr_db": [5], "budget": [0.04]}}
    schemes = [{"name": "direct", "kind": f"{toys.__file__}:Direct"}]
    file = scenario_file(tmp_path, schemes=schemes, **changes)
    semlink.run(file, tmp_path / "whole")
    semlink.run(file, tmp_path / "out", on=f"ray://{cluster.address}")
    whole, out = (semlink.results(tmp_path / name) for name in ("whole", "out"))
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()
    a, b = ({**run.run.records[0], "versions": 0, "checksum": 0} for run in (whole, out))
    assert a == b and a["row"]["trials"] > 3


@pytest.mark.slow
def test_a_node_that_is_killed_in_the_middle_costs_its_points_and_they_are_given_to_others(cluster, tmp_path):
    file, out = waiting(tmp_path, [float(n) for n in range(10)], seconds=0.5), tmp_path / "out"
    semlink.run(file, tmp_path / "whole")
    extra = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    killed = threading.Event()

    def kill(name: str, done: int, total: int) -> None:
        if done == 3 and not killed.is_set():
            cluster.remove_node(extra, allow_graceful=False)
            killed.set()

    semlink.run(file, out, on=f"ray://{cluster.address}", progress=kill)
    assert killed.is_set()
    assert (out / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()
    assert len(list(Notes(out).all_times())) == 10


@pytest.mark.slow
def test_a_cluster_of_this_run_is_started_whatever_else_runs_here(cluster, tmp_path, monkeypatch):
    """Ray alone would go to the cluster of RAY_ADDRESS, or to the one it finds, and refuse `num_cpus` there."""
    file = scenario_file(tmp_path, schemes=[{"name": "direct", "kind": f"{toys.__file__}:Direct"}])
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    done = semlink.run(file, tmp_path / "out", on="ray", workers=1)
    assert done.manifest["points_computed_in_this_run"] == 4


@pytest.mark.slow
def test_ctrl_c_cancels_and_keeps_what_is_finished(tmp_path):
    file, out = waiting(tmp_path, [float(n) for n in range(6)], seconds=1.0), tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "semlink.cli",
        "run",
        str(file),
        "--on",
        "ray",
        "--workers",
        "1",
        "--out",
        str(out),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    comes_true(lambda: len(list((out / "points").glob("[!.]*.json"))) >= 1, within_s=150)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=200)[1].decode()
    assert process.returncode == 130 and time.monotonic() - started < 60, told
    assert "finished points are kept" in told
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    comes_true(lambda: not any(map(runs, workers)), within_s=200)
    assert semlink.status(out).done >= 1
