"""Points of a results folder: loose and packed read alike, nothing is lost on the way, folders merge by copying."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import toys
from hypothesis import given, settings, strategies as st
from small_runs import job

from semlink.errors import ResultsError
from semlink.ledger import PURPOSES
from semlink.link.results.checked.records import CHECKSUM, sealed
from semlink.link.results.finished import read_run
from semlink.link.results.points import Points
from semlink.link.results.rows import Row, to_json
from semlink.link.sweep.run import run


def record(scheme: str, **row) -> dict:
    """The record of a point that could not be sent."""
    place = {"scheme": scheme, "snr_db": 1.0, "budget": 0.1, "rate": None, "bound": False}
    found = Row(**place, **{"clips": 1, "note": "infeasible", **row})
    return {**place, "row": to_json(found), "clips": [], "genie": []}


RECORDS = {f"key{n}": record(f"s{n}", note=f"{0.1 * n}") for n in range(6)}


def filled(folder, keys=RECORDS) -> Points:
    points = Points(folder)
    for key in keys:
        points.write(key, RECORDS[key])
    return points


def held(points: Points) -> dict:
    """The records without their checksums, which every one has that was written or packed."""
    keys = points.keys()
    kept = {key: points.read(key) for key in keys}
    assert all(kept[key] == sealed(key, kept[key]) for key in keys)
    return {key: {name: part for name, part in kept[key].items() if name != CHECKSUM} for key in keys}


def test_packed_and_loose_points_read_alike(tmp_path):
    points = filled(tmp_path)
    points.pack()
    (pack,) = tmp_path.iterdir()
    assert held(points) == RECORDS and points.read("other") is None
    lines = gzip.decompress(pack.read_bytes()).decode().splitlines()
    assert [json.loads(line)["key"] for line in lines] == sorted(RECORDS), "readable text, in order of keys"


@given(st.lists(st.one_of(st.sampled_from(sorted(RECORDS)), st.just("pack")), max_size=12))
@settings(max_examples=40, deadline=None)
def test_the_last_pack_depends_on_what_was_written_alone(tmp_path_factory, steps):
    points = Points(tmp_path_factory.mktemp("points"))
    for step in steps:
        if step == "pack":
            points.pack()
        else:
            points.write(step, RECORDS[step])
    points.pack()
    once = filled(tmp_path_factory.mktemp("once"), set(steps) - {"pack"})
    once.pack()
    assert {p.name: p.read_bytes() for p in points.folder.iterdir()} == {
        p.name: p.read_bytes() for p in once.folder.iterdir()
    }


def test_a_point_computed_again_wins_over_the_packed_one(tmp_path):
    points = filled(tmp_path)
    points.pack()
    points.write("key1", record("other"))
    assert held(points)["key1"] == record("other")
    points.pack()
    assert held(points) == RECORDS | {"key1": record("other")} and len(list(tmp_path.iterdir())) == 1


def test_folders_merge_by_copying(tmp_path):
    filled(tmp_path / "a", ["key0", "key1", "key2"]).pack()
    filled(tmp_path / "b", ["key2", "key3"]).pack()
    filled(tmp_path / "b", ["key4", "key5"])
    for folder in ("a", "b"):
        shutil.copytree(tmp_path / folder, tmp_path / "both", dirs_exist_ok=True)
    points = Points(tmp_path / "both")
    assert held(points) == RECORDS
    points.pack()
    assert held(points) == RECORDS and len(list(points.folder.iterdir())) == 1


def test_a_kill_between_packing_and_removing_loses_nothing(tmp_path):
    filled(tmp_path).pack()
    points = filled(tmp_path, ["key0", "key3"])  # what a killed run had not removed yet
    assert held(points) == RECORDS
    points.pack()
    assert held(points) == RECORDS and len(list(tmp_path.iterdir())) == 1


def test_damaged_points_are_named_and_not_packed(tmp_path):
    points = filled(tmp_path)
    points.path("key2").write_text('{"row": ')
    points.path("key4").write_text("[]")
    points.pack()
    for key in ("key2", "key4"):
        with pytest.raises(ResultsError, match=rf"{key}\.json: damaged record of a point \(.*run again"):
            points.read(key)
    assert points.keys() == sorted(RECORDS)
    assert sorted(p.name for p in tmp_path.glob("*.json")) == ["key2.json", "key4.json"]


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"x" + d, lambda d: gzip.compress(b"{}\n")])
def test_a_damaged_pack_is_named_and_kept(tmp_path, damage):
    points = filled(tmp_path)
    points.pack()
    (pack,) = tmp_path.iterdir()
    pack.write_bytes(damage(pack.read_bytes()))
    points.write("new", record("new"))
    for use in (points.pack, points.keys, lambda: points.read("key1")):
        with pytest.raises(ResultsError, match=pack.name):
            use()
    assert pack.exists() and points.path("new").exists()


def test_runs_side_by_side_lose_nothing(tmp_path):
    """Three writers that pack after every point, while a reader sees no point vanish that it saw before."""
    seen: set[str] = set()
    faults = []

    def write(who):
        points = Points(tmp_path)
        for n in range(25):
            points.write(f"{who}-{n}", record(f"{who}{n}"))
            points.pack()

    writers = [threading.Thread(target=write, args=(who,)) for who in "abc"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found = {key for key, record in held(Points(tmp_path)).items() if record}
        if not seen <= found:
            faults.append(seen - found)
        seen = found
    assert not faults
    Points(tmp_path).pack()
    assert len(held(Points(tmp_path))) == 75 and len(list(tmp_path.iterdir())) == 1


def numbered(key: str, psnr_db: float, **more) -> dict:
    """A point that counts: one clip, one trial."""
    costs = {"channel_uses": 4.0, "channel_uses_per_pixel": 0.1, **dict.fromkeys(PURPOSES, 0.0), "payload": 4.0}
    made = record("s", psnr_db=psnr_db, trials=1, **costs)
    clip = {"name": "c", "motion": "m", "psnr_db": [psnr_db], "channel_uses": [4.0], "psnr_by_frame": [psnr_db]}
    return {**made, "clips": [clip], "intervals": 2, "versions": {"semlink": "0.0.9", "commit": "a" * 40}, **more}


@pytest.mark.parametrize("form", ["loose and packed", "two packs", "one pack of two"])
def test_of_a_point_that_stands_twice_with_different_numbers_neither_counts(tmp_path, form):
    points = Points(tmp_path / "points")
    packs = []
    for psnr_db in (20.0, 21.0):
        made = Points(tmp_path / f"{psnr_db}")
        made.write("one", numbered("one", psnr_db))
        made.write("two", numbered("two", 20.0 + 1e-9 * psnr_db))
        made.pack()
        packs += list(made.folder.iterdir())
    points.folder.mkdir()
    if form == "one pack of two":
        (points.folder / "packed-x.jsonl.gz").write_bytes(b"".join(pack.read_bytes() for pack in packs))
    else:
        shutil.copy(packs[0], points.folder)
        if form == "two packs":
            shutil.copy(packs[1], points.folder)
        else:
            points.write("one", numbered("one", 21.0))
    (line,) = points.settle()
    assert "1 point stands here twice with different numbers, such as one (2" in line and "dB by semlink 0.0.9" in line
    assert points.keys() == ["two"] and points.settle() == []
    aside = sorted((points.folder / "damaged").iterdir())
    assert len(aside) == 2


def test_intervals_of_today_win_over_those_of_before(tmp_path):
    points = Points(tmp_path)
    points.write("one", numbered("one", 20.0, intervals=1))
    points.pack()
    points.write("one", numbered("one", 25.0))
    assert points.contradictions() == {} and points.settle() == []


def test_points_of_others_are_told_by_scenario_and_version(tmp_path):
    points = Points(tmp_path)
    points.write("mine", numbered("mine", 20.0, scenario="x"))
    for key in ("a", "b"):
        points.write(key, numbered(key, 20.0, scenario="fading"))
    points.write("c", record("s"))
    points.pack()
    told = points.strangers(["mine"])
    assert told.endswith(
        ": 3 points are of other runs: 2 of 'fading' (semlink 0.0.9, commit aaaaaaa), "
        "1 of a scenario (semlink of an unknown version)"
    )
    assert points.strangers(["mine", "a", "b", "c"]) == ""


def test_a_run_and_a_reader_tell_of_points_that_were_copied_in(tmp_path):
    """Those of another scenario stay and count nowhere; one with another's numbers under its key is computed again."""
    small = {"sweep": {"snr_db": [5], "budget": [0.08]}, "trials": {"min": 1, "max": 1}}
    schemes = [{"name": "direct", "kind": f"{toys.__file__}:Direct"}]
    ours, other = (job(tmp_path, name, schemes=schemes, **small) for name in ("ours", "other"))
    other = replace(other, scenario=other.scenario.model_copy(update={"name": "other", "seed": 7}))
    before = run(ours).rows
    run(other)
    for path in (other.out / "points").glob("packed-*"):
        shutil.copy(path, ours.out / "points")
    (doubt,) = read_run(ours.out).doubts
    assert "1 point is of other runs: 1 of 'other' (semlink" in doubt and "not used" in doubt
    said = []
    assert run(ours, warn=said.append).rows == before
    (line,) = said
    assert "1 of 'other'" in line and line.endswith("they are kept and not used")
    (key,) = json.loads((ours.out / "manifest.json").read_text())["keys"]
    strange = ours.results.read(next(iter(set(ours.results.keys()) - {key})))
    ours.results.write(key, strange)
    assert any("twice with different numbers" in doubt for doubt in read_run(ours.out).doubts)
    said.clear()
    assert run(ours, warn=said.append).rows == before and "twice with different numbers" in said[0]


def test_a_reader_tells_of_points_that_the_table_lacks(tmp_path):
    """As where `curves.csv` was cut short."""
    shutil.copytree(Path(__file__).parents[2] / "results" / "quickstart", tmp_path / "cut")
    table = tmp_path / "cut" / "curves.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-6]))
    assert read_run(tmp_path / "cut").doubts == (
        f"{tmp_path / 'cut' / 'points'}: curves.csv lacks 6 points that the folder holds; semlink run writes it again",
    )
