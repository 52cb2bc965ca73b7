"""Two runs in one folder, and what killed ones left there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
from small_runs import job, rows

from semlink.errors import ResultsError
from semlink.files import drop_spares, write_atomic
from semlink.link.results import code
from semlink.link.results.lock import LOCK, alone_in, is_held
from semlink.link.sweep.run import run

SMALL = {"sweep": {"snr_db": [5], "budget": [0.04]}}


def hold(folder, say=lambda line: None, fresh=False):
    return alone_in(folder, fresh=fresh, say=say)


def test_the_second_waits_says_for_whom_and_comes_next(tmp_path):
    said, order = [], []

    def second() -> None:
        with hold(tmp_path / "out", say=said.append):
            order.append("second")

    with hold(tmp_path / "out"):
        other = threading.Thread(target=second)
        other.start()
        while not said:
            other.join(0.05)
        assert not order and other.is_alive()
        order.append("first")
    other.join(200)
    assert order == ["first", "second"]
    assert len(said) == 1 and f"process {os.getpid()} on " in said[0] and "waiting until it has ended" in said[0]
    assert not (tmp_path / "out").exists()  # neither left anything


def test_fresh_beside_a_running_one_is_refused_and_takes_nothing(tmp_path):
    made = job(tmp_path, **SMALL)
    run(made)
    before = sorted(path.relative_to(made.out) for path in made.out.rglob("*"))
    says = rf"process {os.getpid()} on .* --fresh would take its points away"
    with hold(made.out), pytest.raises(ResultsError, match=says):
        run(made, fresh=True)
    assert sorted(path.relative_to(made.out) for path in made.out.rglob("*")) == before


def test_a_lock_left_by_a_killed_run_locks_nobody_out(tmp_path):
    code = "import os, sys; from pathlib import Path; from semlink.link.results.lock import alone_in\n"
    code += "with alone_in(Path(sys.argv[1]), fresh=False, say=print): os.kill(os.getpid(), 9)"
    (tmp_path / "curves.csv").touch()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    left = json.loads((tmp_path / LOCK).read_text())
    assert left["pid"] != os.getpid() and not is_held(tmp_path / LOCK)
    for text in (json.dumps(left | {"pid": os.getppid()}), "", "[1]", "\0"):  # whoever it names
        (tmp_path / LOCK).write_text(text)
        with hold(tmp_path, say=pytest.fail):
            assert is_held(tmp_path / LOCK)


def test_a_run_beside_another_gives_its_table_afterwards(tmp_path):
    said, made = [], job(tmp_path, **SMALL)
    with hold(made.out):
        other = threading.Thread(target=lambda: run(made, warn=said.append))
        other.start()
        while not said:
            other.join(0.05)
        assert not (made.out / "points").exists()
    other.join(300)
    assert len(rows(made.out)) == 2 and not (made.out / LOCK).exists()


def test_what_killed_writers_left_goes_with_the_next_run_whatever_its_age(tmp_path):
    made = job(tmp_path, **SMALL)
    run(made)
    places = [made.out / "points", made.out / "pictures", made.out / ".cache", made.out / ".cache" / "ab", made.out]
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    for place in places:
        place.mkdir(exist_ok=True)
        path = place / "x.json"
        write_atomic(path, b"{}")
        (spare_of(path, os.getpid())).rename(spare_of(path, int(gone.stdout)))
    mine = spare_of(made.out / "curve.svg", os.getpid())  # a figure that another process is drawing
    run(made)
    assert list(made.out.rglob("*.tmp")) == [mine]
    drop_spares(made.out, is_ours=True)
    assert not mine.exists()


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit(143), MemoryError])
def test_who_is_interrupted_while_writing_leaves_nothing_half_written(tmp_path, monkeypatch, fault):
    def interrupted(*given):
        raise fault

    (tmp_path / "x.json").write_text("before")
    for step in ("fsync", "replace"):
        with monkeypatch.context() as changed, pytest.raises((KeyboardInterrupt, SystemExit, MemoryError)):
            changed.setattr(os, step, interrupted)
            write_atomic(tmp_path / "x.json", b"after")
        assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "before"


def spare_of(path, process: int):
    """A temporary file as `process` would leave it, with that of this process as the pattern."""
    seen = []
    replace = os.replace
    os.replace = lambda spare, target: seen.append(spare)
    try:
        write_atomic(path, b"half")
    finally:
        os.replace = replace
    (spare,) = seen
    other = path.parent / os.path.basename(spare).replace(f"-{os.getpid()}.", f"-{process}.")
    os.rename(spare, other)
    return other


def test_asking_for_the_commit_writes_nothing_into_the_repository(tmp_path, monkeypatch):
    """What is killed while git writes leaves a lock that stops the user's own git."""
    source = tmp_path / "semlink" / "link" / "results" / "code.py"
    source.parent.mkdir(parents=True)
    source.write_text("")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    os.utime(source, (1e9, 1e9))  # git would note the new time
    before = (tmp_path / ".git" / "index").read_bytes()
    monkeypatch.setattr(code, "__file__", str(source))
    assert len(code.commit.__wrapped__()) == 40
    assert (tmp_path / ".git" / "index").read_bytes() == before
    subprocess.run(["git", "-C", tmp_path, "status"], check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / ".git" / "index").read_bytes() != before
