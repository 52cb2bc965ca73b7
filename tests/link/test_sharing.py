"""One scenario shared out: shards, folders joined, runs that end in time, and how far a folder is."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
import toys
from small_runs import scenario_file
from test_workers import waiting

import semlink
from semlink.errors import NoPoints, ResultsError, ScenarioError, SemlinkError, TimeUp
from semlink.link.results.folder import Results
from semlink.link.results.lock import alone_in
from semlink.link.sweep.grid import GridPoint, Task
from semlink.link.sweep.sharing.shards import cost, dealt
from semlink.link.sweep.sharing.words import as_text
from semlink.link.sweep.time_left import TimeLeft
from semlink.link.sweep.workers.supply import Supply

DIRECT = {
    "schemes": [{"name": name, "kind": f"{toys.__file__}:Direct"} for name in ("direct", "again")],
    "sweep": {"snr_db": [5, 8], "budget": [0.04, 0.08]},
    "trials": {"min": 1, "max": 1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A scenario run whole, and in three shards."""
    folder = tmp_path_factory.mktemp("runs")
    file = scenario_file(folder, **DIRECT)
    semlink.run(file, folder / "whole")
    for number in (1, 2, 3):
        semlink.run(file, folder / f"s{number}", shard=f"{number}/3")
    return folder


def points_of(schemes: int, snrs: int, budgets: int) -> dict[GridPoint, str]:
    grid = itertools.product(range(schemes), range(snrs), range(budgets))
    return {GridPoint(s, 0, float(n), 0.01 * 2**b, None): f"{s * 7919 + n * 104729 + b * 611953:x}" for s, n, b in grid}


@pytest.mark.parametrize("count", [1, 3, 16, 200])
def test_shards_are_all_points_once_and_fair_in_every_scheme_and_in_all(count):
    keys = points_of(schemes=5, snrs=6, budgets=4)
    found = dealt(keys, count)
    assert found.keys() == set(keys.values()) and set(found.values()) <= set(range(1, count + 1))
    for scheme in range(5):
        have = Counter(found[key] for point, key in keys.items() if point.scheme == scheme)
        counts = [have[number] for number in range(1, count + 1)]
        assert max(counts) - min(counts) <= 1
    load = Counter(dict.fromkeys(range(1, count + 1), 0.0))
    for point, key in keys.items():
        load[found[key]] += cost(point)
    assert max(load.values()) - min(load.values()) <= max(map(cost, keys))


def test_no_order_of_schemes_or_values_moves_a_point_to_another_shard():
    keys = points_of(schemes=4, snrs=5, budgets=3)
    turned = {
        GridPoint(3 - p.scheme, p.channel, p.snr_db, p.budget, p.rate): key for p, key in reversed(list(keys.items()))
    }
    assert dealt(keys, 7) == dealt(turned, 7)


@pytest.mark.parametrize("text", ["0/16", "17/16", "a/b", "3/0", "3", "-1/4", "1/4/2", "", "1/1000000"])
def test_what_is_no_shard_is_refused_in_a_line(tmp_path, text):
    with pytest.raises(ScenarioError, match=r"shard: got .*need K/N with 1 <= K <= N .* such as 3/16"):
        semlink.run(scenario_file(tmp_path, **DIRECT), tmp_path / "out", shard=text)
    assert not (tmp_path / "out").exists()


def test_a_shard_says_what_it_is_and_is_done_when_it_is(runs):
    part = semlink.results(runs / "s2")
    assert part.manifest["shard"] == [2, 3] and len(part.manifest["grid"]) == 8
    assert any("of the scenario's 8 points are here, shard 2 of 3" in line for line in part.doubts)
    told = semlink.status(runs / "s2")
    assert told.is_done and told.points == len(part.table(pandas=False)) and told.shard == (2, 3)
    assert not semlink.results(runs / "whole").doubts


def test_a_shard_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert semlink.run(scenario_file(tmp_path, **DIRECT), shard="1/8").folder == Path("results/toy.shard-1-of-8")


def test_shards_joined_in_any_order_and_again_are_the_whole_run(runs, tmp_path):
    whole, manifests = (runs / "whole" / "curves.csv").read_bytes(), set()
    for number, order in enumerate(itertools.permutations((1, 2, 3))):
        out = tmp_path / str(number)
        for part in order if number % 2 else [order]:  # one after the other, or at once
            part = part if isinstance(part, tuple) else (part,)
            semlink.merge(out, [runs / f"s{shard}" for shard in part])
        assert (out / "curves.csv").read_bytes() == whole
        manifests.add((out / "manifest.json").read_bytes())
        semlink.merge(out, [out, runs / "s1", runs / "s1"])
        manifests.add((out / "manifest.json").read_bytes())
        assert (out / "curves.csv").read_bytes() == whole and not semlink.results(out).doubts
        again = semlink.run(runs / "toy.yaml", out)
        assert again.manifest["points_computed_in_this_run"] == 0
    assert len(manifests) == 1
    told = json.loads(manifests.pop())
    assert [one["shard"] for one in told["merged_from"]] == [[1, 3], [2, 3], [3, 3]]
    kept = {path.name for path in (runs / "whole" / "pictures").iterdir()}
    assert kept and kept == {path.name for path in (out / "pictures").iterdir()}


@pytest.mark.slow
def test_sixteen_shards_joined_in_random_orders_heaps_and_again_are_the_whole_run(tmp_path):
    """Also heaps of heaps that have shards in common, and folders that lie there twice."""
    sweep = {"snr_db": [2, 4, 6, 8, 10, 12], "budget": [0.02, 0.04, 0.08]}
    file = scenario_file(tmp_path, **(DIRECT | {"sweep": sweep}))
    semlink.run(file, tmp_path / "whole")
    parts = [tmp_path / f"s{number}" for number in range(1, 17)]
    for number, part in enumerate(parts, start=1):
        semlink.run(file, part, shard=f"{number}/16")
    whole, manifests = (tmp_path / "whole" / "curves.csv").read_bytes(), set()
    for seed in range(6):
        chance, out = random.Random(seed), tmp_path / f"out{seed}"
        order, heaps = chance.sample(parts, 16), []
        while order:
            heap = tmp_path / f"heap{seed}-{len(heaps)}"
            taken, order = order[: chance.randint(1, 6)], order[chance.randint(1, 6) :]
            semlink.merge(heap, taken)
            heaps.append(heap)
        rest = chance.sample(parts, 16)  # what fell between two heaps among them
        for heap in [*heaps, *chance.sample(heaps, len(heaps))]:
            semlink.merge(out, [heap])
        semlink.merge(out, rest)
        for _ in range(2):
            assert (out / "curves.csv").read_bytes() == whole and not semlink.results(out).doubts
            manifests.add((out / "manifest.json").read_bytes())
            semlink.merge(out, [chance.choice(heaps), out, chance.choice(parts)])
        assert semlink.status(out).is_done
    assert len(manifests) == 1


def test_more_shards_than_points_are_no_fault(runs, tmp_path):
    """An array of tasks need not know how many points there are."""
    file, folders = runs / "toy.yaml", [tmp_path / str(number) for number in range(1, 12)]
    empty = 0
    for number, folder in enumerate(folders, start=1):
        try:
            semlink.run(file, folder, shard=f"{number}/11")
        except NoPoints as fault:
            assert "has no points" in str(fault) and semlink.status(folder).is_done
            empty += 1
    assert empty == 3
    semlink.merge(tmp_path / "out", reversed(folders))
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (runs / "whole" / "curves.csv").read_bytes()
    with pytest.raises(ResultsError, match="no point is finished in any"):
        semlink.merge(tmp_path / "none", [folder for folder in folders if not list((folder / "points").iterdir())])


def test_what_is_missing_is_told_and_the_next_run_computes_it(runs, tmp_path):
    part = semlink.merge(tmp_path / "out", [runs / "s3", runs / "s1"])
    assert any("of the scenario's 8 points are here" in line for line in part.doubts)
    told = semlink.status(tmp_path / "out")
    assert not told.is_done and told.done == len(part.manifest["keys"]) and told.seconds_left is not None
    assert f"missing: {told.missing[0]}" in as_text(told) and told.missing[0].startswith(("direct, ", "again, "))
    rest = semlink.run(runs / "toy.yaml", tmp_path / "out")
    assert rest.manifest["points_computed_in_this_run"] == len(told.missing)
    assert (tmp_path / "out" / "curves.csv").read_bytes() == (runs / "whole" / "curves.csv").read_bytes()
    assert semlink.status(tmp_path / "out").is_done and not rest.doubts


@pytest.mark.parametrize("change, why", [({"seed": 2}, "seed is 2 there and 1 here"), ({"trials.max": 2}, "trials is")])
def test_a_folder_of_another_scenario_is_refused_by_name(runs, tmp_path, change, why):
    semlink.run(semlink.load(runs / "toy.yaml", change), tmp_path / "other", shard="1/3")
    says = rf"other: 8 of its 8 points are of another scenario or version than .*s1, such as direct, .*\(\w+\): {why}"
    with pytest.raises(ResultsError, match=says):
        semlink.merge(tmp_path / "out", [runs / "s1", tmp_path / "other"])
    assert not (tmp_path / "out").exists()


def test_a_single_point_of_another_scenario_is_refused_by_name(runs, tmp_path):
    shutil.copytree(runs / "s1", tmp_path / "mixed")
    semlink.run(semlink.load(runs / "toy.yaml", {"seed": 2, "name": "stranger"}), tmp_path / "other", shard="1/8")
    (pack,) = (tmp_path / "other" / "points").glob("*.gz")
    shutil.copy(pack, tmp_path / "mixed" / "points" / f"x{pack.name}")
    with pytest.raises(ResultsError, match=r"mixed.points: 1 point is of other runs: 1 of 'stranger' .*such as \w+"):
        semlink.merge(tmp_path / "out", [runs / "s2", tmp_path / "mixed"])
    assert not (tmp_path / "out").exists() and semlink.status(tmp_path / "mixed").stale == 1


def test_the_same_point_with_other_numbers_is_refused_and_a_changed_one_too(runs, tmp_path):
    shutil.copytree(runs / "s1", tmp_path / "forged")
    store = Results(tmp_path / "forged").points
    key = store.keys()[0]
    record = store.read(key)
    clips = [clip | {"ssim": [value * 0.99 for value in clip["ssim"]]} for clip in record["clips"]]
    row = record["row"] | {"ssim": record["row"]["ssim"] * 0.99}
    store.write(key, record | {"clips": clips, "row": row})
    next((tmp_path / "forged" / "points").glob("*.gz")).unlink()
    for folders in (["s1", "forged"], ["forged", "s1"]):
        places = [runs / name if name == "s1" else tmp_path / name for name in folders]
        with pytest.raises(ResultsError, match=rf"{key}\) has other numbers than in"):
            semlink.merge(tmp_path / "out", places)
    path = store.path(key)
    path.write_text(path.read_text().replace('"trials": 1', '"trials": 2'))
    with pytest.raises(ResultsError, match="damaged record of a point"):
        semlink.merge(tmp_path / "out", [runs / "s2", tmp_path / "forged"])
    assert not (tmp_path / "out").exists()


def test_no_folder_is_left_where_nothing_is_joined(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    with pytest.raises(ResultsError, match="new: no such folder"):
        semlink.merge("new", ["new", "new"])
    with pytest.raises(ResultsError, match="in: holds no points"):
        semlink.merge("step/../../out", ["in"])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    semlink.merge("step/../in/out", [runs / "s1"])
    assert [path.name for path in (tmp_path).iterdir()] == ["in"] and (tmp_path / "in" / "out" / "curves.csv").exists()


def test_nothing_to_join_is_said(runs, tmp_path):
    with pytest.raises(ResultsError, match="nowhere: no such folder"):
        semlink.merge(tmp_path / "out", [runs / "s1", tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="empty: holds no points of a run"):
        semlink.merge(tmp_path / "out", [tmp_path / "empty"])
    with pytest.raises(ResultsError, match="empty: no run has noted what it is to hold"):
        semlink.status(tmp_path / "empty")


def test_a_failed_point_stands_in_the_status_until_it_is_computed(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SemlinkError, match="out of symbols"):
        semlink.run(waiting(tmp_path, [1, 2, 3], fails_at_db=2.0), out)
    told = semlink.status(out)
    assert [one.point for one in told.failed] == ["x, 2 dB, budget 0.04"] and "out of symbols" in told.failed[0].told
    assert f"  failed: x, 2 dB, budget 0.04: {told.failed[0].told}\n" in as_text(told)
    assert told.done + len(told.missing) == 3 and told.as_json()["failed"][0]["told"] == told.failed[0].told
    assert "nobody is at work" in as_text(told)
    with alone_in(out, fresh=False, say=pytest.fail):
        (who,) = semlink.status(out).at_work
        assert who.pid == os.getpid() and f"at work: process {os.getpid()} on {who.host}" in as_text(
            semlink.status(out)
        )


def test_a_run_ends_in_time_with_what_it_has_and_goes_on_later(tmp_path):
    file = waiting(tmp_path, [1, 2, 3], seconds=600.0)
    text = file.read_text()
    with pytest.raises(TimeUp, match="no point ended within 0.03 min; 0 of 3 points"):
        semlink.run(file, tmp_path / "out", max_minutes=0.03)
    assert len(list(tmp_path.glob("*.pid"))) <= 1 and not list(tmp_path.rglob("*.tmp"))
    file.write_text(text.replace("seconds: 600.0", "seconds: 0.0"))
    assert semlink.run(file, tmp_path / "out").manifest["points_computed_in_this_run"] == 3
    assert not semlink.results(tmp_path / "out").doubts and semlink.status(tmp_path / "out").is_done


def test_nothing_is_begun_that_would_not_end_in_time():
    tasks = [Task(str(n), GridPoint(n % 2, 0, float(n), 0.1, None), "") for n in range(6)]
    took = {0: 40.0, 1: 1.0}
    left = TimeLeft()
    left.begin(tasks, 1)
    supply = Supply.of(tasks, left, until=time.monotonic() + 50)
    for _ in range(2):
        task = supply.take()
        left.started(task)
        left.finished(task, took[task.point.scheme])
        supply.finish(task)
    supply.until = time.monotonic() + 30
    rest = [supply.take(), supply.take(), supply.take()]
    assert [task and task.key for task in rest] == ["3", "5", None]  # those of the scheme that takes a second
    assert not supply.is_late and not supply.may_come and 0 < supply.patience(is_free=True) <= 30
    supply.until = time.monotonic()
    assert supply.is_late and supply.take() is None


@pytest.mark.parametrize("minutes", [0, -1.0, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_refused(tmp_path, minutes):
    with pytest.raises(ScenarioError, match="max_minutes: got .*; need more than 0"):
        semlink.run(scenario_file(tmp_path, **DIRECT), tmp_path / "out", max_minutes=minutes)
