"""Several runs in one folder: each point claimed by one, and what happens when one is gone or sleeps."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import toys
from small_runs import scenario_file
from test_workers import comes_true, waiting

import semlink
from semlink.errors import ScenarioError, SemlinkError
from semlink.files import write_atomic
from semlink.link.results.course.claims import Claims, claimed
from semlink.link.results.course.holders import Presence, holders
from semlink.link.results.course.notes import Notes
from semlink.link.results.folder import Results
from semlink.link.results.lock import LOCK, alone_in, is_held, together_in
from semlink.link.sweep.workers import supply


@pytest.fixture
def present(tmp_path):
    """Runs in a folder that say they are there, with their claims."""
    made: list[Presence] = []
    (tmp_path / "points").mkdir()

    def join(**options) -> Claims:
        made.append(Presence(tmp_path, **options))
        made[-1].begin()
        return Claims(tmp_path / "points", made[-1])

    yield join
    for presence in made:
        presence.end()


def never() -> bool:
    return False


def is_dead(claims: Claims) -> None:
    """As if the process of these claims were killed."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    about = json.loads(claims.presence.path.read_text())
    claims.presence.path.write_text(json.dumps(about | {"pid": int(gone.stdout)}))


def test_of_many_that_claim_a_point_at_once_one_gets_it(present):
    runs = [present() for _ in range(8)]
    start, got = threading.Barrier(len(runs)), []

    def claim(run: Claims) -> None:
        start.wait()
        got.extend((key, run) for key in map(str, range(50)) if run.take(key, never))

    threads = [threading.Thread(target=claim, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(key for key, _ in got) == dict.fromkeys(map(str, range(50)), 1)
    for run in runs:
        run.give_up_all()
    assert not list(claimed(runs[0].points)) and not list(runs[0].points.iterdir())


def test_a_point_that_was_done_meanwhile_is_not_begun(present):
    run, answers = present(), iter([False, True])
    assert run.take("a", lambda: next(answers)) is None
    assert not run.held and not list(claimed(run.points))
    assert run.take("a", lambda: True) is None


def test_what_a_dead_run_claimed_is_claimed_once_again(present):
    dead, one, other = present(), present(), present()
    assert dead.take("a", never) and one.take("a", never) is False
    is_dead(dead)
    assert one.take("a", never) and other.take("a", never) is False
    dead.give_up_all()  # it only slept: the claim that came after stays
    assert [key for key, _ in claimed(one.points)] == ["a", "a"] and other.take("a", never) is False
    one.give_up("a")
    assert not list(claimed(one.points)) and other.take("a", never)


@pytest.mark.parametrize("ahead_s", [-7200.0, -240.0, 0.0, 240.0, 7200.0])
def test_silence_is_told_by_our_own_watch_whatever_the_clocks_say(present, monkeypatch, ahead_s):
    """Files are stamped by a server, or by the machine that writes them; no two of their clocks need agree."""
    other, us = present(beat_s=3600.0), present(stale_s=100.0)
    watch = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: watch)
    monkeypatch.setattr(time, "time", lambda: 9e9)
    stamp = other.presence.path.stat().st_mtime + ahead_s
    assert other.take("a", never)
    for beat in range(5):
        os.utime(other.presence.path, (stamp + beat, stamp + beat))
        assert us.take("a", never) is False
        watch += 90.0
    assert us.take("a", never) is False
    watch += 20.0
    assert us.take("a", never)


def test_a_claim_whose_answer_was_lost_on_the_way_is_ours(present, monkeypatch):
    """NFS asks the server twice, which then says of what it has just made that it is there."""
    run, other, link = present(), present(), os.link

    def says_it_is_there(source, target):
        link(source, target)
        raise FileExistsError

    monkeypatch.setattr(os, "link", says_it_is_there)
    assert run.take("a", never)
    assert other.take("a", never) is False and other.take("b", never)


def test_without_locks_and_links_runs_share_all_the_same(tmp_path, monkeypatch):
    """As on some network disks: nobody is then taken for alone, so that claims of others stay."""

    def refused(*given):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(supply, "LOOKS_EVERY_S", 0.02)
    file, out = waiting(tmp_path, [1.0, 2.0, 3.0]), tmp_path / "out"
    keys = semlink.run(file, tmp_path / "whole").manifest["keys"]
    with together_in(out, say=pytest.fail) as place:
        place.open_up()
        other = Presence(out)
        other.begin()
        claims = Claims(out / "points", other)
        claims.points.mkdir(parents=True)
        assert claims.take(keys[0], never)
        late = threading.Timer(0.1, claims.give_up, [keys[0]])
        Results(out).write(keys[0], Results(tmp_path / "whole").read(keys[0]))
        late.start()
        semlink.run(file, out, share=True)
        late.join()
        other.end()
    assert Counter(key for key, _ in Notes(out).all_times()) == dict.fromkeys(keys[1:], 1)
    assert (out / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()


class Host(Claims):
    """A run on a machine that sees the folder as it was some time ago, but after it has itself changed it there."""

    def __init__(self, points: Path, presence: Presence, chance: random.Random, ahead_s: float) -> None:
        super().__init__(points, presence)
        self.chance, self.ahead_s, self.at = chance, ahead_s, None
        self.look()

    def look(self) -> None:
        self.seen = {path.name: path.read_text() for path in self.points.iterdir()}

    def beat(self, now: float) -> None:
        os.utime(self.presence.path, (now + self.ahead_s, now + self.ahead_s))

    def step(self, keys: list[str], computed: Counter[str]) -> None:
        """Begin a point, or end the one that was begun."""
        if self.chance.random() < 0.1:
            self.look()
        if self.at is None:
            key = self.chance.choice(keys)
            if self.take(key, lambda: f"{key}.json" in self.seen):
                self.at = key
        elif self.chance.random() < 0.2:
            write_atomic(self.points / f"{self.at}.json", b"the same wherever it is computed", durable=False)
            computed[self.at] += 1
            self.look()
            self.give_up(self.at)
            self.at = None

    def _holder(self, key: str, number: int) -> str | None:
        return self.seen.get(self._path(key, number).name)

    def _make(self, key: str, number: int) -> bool:
        made = super()._make(key, number)
        self.look()
        return made


@pytest.mark.parametrize("sleeps", [False, True])
def test_hosts_with_old_listings_and_other_clocks_lose_nothing_and_compute_a_point_twice_only_after_a_sleep(
    present, monkeypatch, sleeps
):
    now = 1e9
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for seed in range(3):
        chance, computed = random.Random(seed), Counter[str]()
        keys = [f"{seed}-{number}" for number in range(8)]
        plain = [present(beat_s=3600.0) for _ in range(3)]
        hosts = [Host(one.points, one.presence, chance, chance.choice([-600, 0, 600])) for one in plain]
        slept = 0
        while any(f"{key}.json" not in host.seen for host in hosts for key in keys) or any(h.at for h in hosts):
            now += 1.0
            assert now < 1e9 + 2e4, "a point is lost"
            for number, host in enumerate(hosts):
                if sleeps and number == 0 and host.at and slept < 300:  # longer than silence is borne
                    slept += 1
                    continue
                host.beat(now)
                host.step(keys, computed)
        assert set(computed) == set(keys) and not list(claimed(plain[0].points))
        assert sorted(computed.values()) == [1] * 7 + [2 if sleeps else 1]
        now = 1e9


def test_a_run_says_again_and_again_that_it_is_there(present):
    run = present(beat_s=0.01)
    os.utime(run.presence.path, (1e9, 1e9))
    comes_true(lambda: run.presence.path.stat().st_mtime > 1e9, within_s=200)


def test_those_that_share_are_in_together_and_others_wait(tmp_path):
    said: list[str] = []
    with together_in(tmp_path / "out", say=said.append) as first:
        assert first.is_alone
        first.open_up()
        with together_in(tmp_path / "out", say=said.append) as second:
            assert not second.is_alone and not second.close() and is_held(tmp_path / "out" / LOCK)
        other = threading.Thread(target=lambda: alone_in(tmp_path / "out", fresh=False, say=said.append).__enter__())
        other.start()
        comes_true(lambda: bool(said), within_s=200)
        assert "is at work here; waiting until it has ended" in said[0] and other.is_alive()
        first.close()
    other.join(200)
    assert not other.is_alive()


def test_a_run_leaves_what_others_are_at_waits_for_it_and_takes_over_from_the_dead(tmp_path):
    file = waiting(tmp_path, [float(n) for n in range(6)])
    whole, out = semlink.run(file, tmp_path / "whole"), tmp_path / "out"
    keys = whole.manifest["keys"]
    kept = Results(tmp_path / "whole")
    (out / "points").mkdir(parents=True)

    def beside() -> None:
        """Another run, at two points, of which it ends one; then it is killed."""
        with together_in(out, say=pytest.fail) as place:
            place.open_up()
            presence = Presence(out)
            presence.begin()
            claims = Claims(out / "points", presence)
            assert all(claims.take(key, never) for key in keys[:2])
            is_there.set()
            comes_true(lambda: len(list((out / "points").glob("[!.]*.json"))) == 4, within_s=50)
            told.append(semlink.status(out))
            Results(out).write(keys[0], kept.read(keys[0]))
            claims.give_up(keys[0])
            is_dead(claims)

    told: list = []
    is_there = threading.Event()
    other = threading.Thread(target=beside)
    other.start()
    assert is_there.wait(20)
    done = semlink.run(file, out, share=True)
    other.join(200)
    assert (out / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()
    assert done.manifest["points_computed_in_this_run"] == 5
    assert Counter(key for key, _ in Notes(out).all_times()) == dict.fromkeys(keys[1:], 1)
    assert [len(one.points) for one in told[0].at_work if set(one.points) == set(keys[:2])] == [2]
    assert semlink.status(out).is_done and not list(claimed(out / "points"))


def test_a_failure_beside_others_gives_its_point_up(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SemlinkError, match="out of symbols"):
        semlink.run(waiting(tmp_path, [1, 2], fails_at_db=2.0), out, share=True)
    assert not list(claimed(out / "points")) and not list(holders(out)) and not is_held(out / LOCK)
    assert len(semlink.status(out).failed) == 1


def test_fresh_beside_others_is_refused(tmp_path):
    file = scenario_file(tmp_path, schemes=[{"name": "direct", "kind": f"{toys.__file__}:Direct"}])
    with pytest.raises(ScenarioError, match="fresh: would take away what others compute"):
        semlink.run(file, tmp_path / "out", share=True, fresh=True)


@pytest.mark.slow
def test_three_processes_share_a_folder_and_one_is_killed_in_the_middle(tmp_path):
    file, out = waiting(tmp_path, [float(n) for n in range(24)], seconds=0.4), tmp_path / "out"
    whole = semlink.run(file, tmp_path / "whole")
    command = [sys.executable, "-m", "semlink.cli", "run", str(file), "--share", "--workers", "1", "--out", str(out)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(3)]
    notes = Notes(out)

    def are_all_at_it() -> bool:
        return len(list(notes.folder.glob("took-*.txt"))) == 3

    comes_true(are_all_at_it, within_s=100)
    told = semlink.status(out)
    assert {one.pid for one in told.at_work} <= {run.pid for run in runs} and told.missing
    runs[0].send_signal(signal.SIGKILL)
    texts = [run.communicate(timeout=200)[0] for run in runs]
    assert [run.returncode for run in runs] == [-signal.SIGKILL, 0, 0]
    times = Counter(key for key, _ in notes.all_times())
    assert times == dict.fromkeys(whole.manifest["keys"], 1)
    said = [int(re.search(r"^(\d+) points? computed", text, re.M)[1]) for text in texts[1:]]
    assert all(said) and sum(said) < 24  # the rest was computed by the one that was killed
    assert (out / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()
    assert not list(Path(out).rglob("*.tmp")) and not list(claimed(out / "points"))
