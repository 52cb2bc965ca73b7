"""Somebody else's folder: what is falsified is found, what is refused does not run, and nothing is written there."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import job

import semlink
from semlink.errors import ResultsError, ScenarioError
from semlink.files import write_atomic
from semlink.link.metrics.registry import METRICS
from semlink.link.results.folder import Results
from semlink.link.results.rows import Row, from_json, read_csv, to_json, write_csv
from semlink.link.sweep.run import run
from semlink.link.verify.compare import differences
from semlink.link.verify.sample import drawn
from semlink.link.verify.told import as_json, as_text

SOFT = [{"name": "soft", "kind": "softcast"}]
PLAIN = {
    "name": "small",
    "source": {"kind": "digits", "frames": 2, "clips": 2, "motion": "bouncing", "path": "digits.npz"},
    "channel": {"kind": "awgn"},
    "sweep": {"snr_db": [4, 9], "budget": [0.7]},
    "schemes": [
        {"name": "soft", "kind": "softcast"},
        {"name": "raw", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "capacity"}},
    ],
    "metrics": ["psnr"],
    "trials": {"min": 3, "max": 3},
}


def digits(folder: Path, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256 // seed, (6, 28, 28)).astype(np.uint8)
    np.savez(folder / "digits.npz", images=images)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    digits(folder, 1)
    (folder / "small.yaml").write_text(json.dumps(PLAIN))
    semlink.run(folder / "small.yaml", folder / "out")
    return folder


@pytest.fixture
def theirs(made, tmp_path) -> Path:
    """A copy of a finished folder, with its scenario and its clips beside it."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "out"


def verify(folder: Path, points: int | str = "all", **how):
    return semlink.verify(folder, points, seed=1, **how)


def rewrite(folder: Path, change, *, only: int | None = 0) -> None:
    """Change records as somebody would who knows the format: checksums and the table follow."""
    store = Results(folder).points
    manifest = json.loads((folder / "manifest.json").read_text())
    records = dict(zip(manifest["keys"], store.records(manifest["keys"])))
    for path in (folder / "points").iterdir():
        path.unlink()
    for number, (key, record) in enumerate(records.items()):
        if only in (None, number):
            change(record)
        record.pop("checksum", None)
        store.write(key, record)
    store.pack()
    write_csv([from_json(record["row"]) for record in records.values()], folder / "curves.csv")


def better(record, by: float = 1.0, half: float | None = None) -> None:
    """Every transmission of a point is so much better, and all that follows from it."""
    for clip in record["clips"]:
        for name in ("psnr_db", "psnr_by_frame", "psnr_of_first_trial"):
            clip[name] = [level + by for level in clip[name]]
    record["row"]["psnr_db"] += by
    record["row"]["psnr_ci95"] = record["row"]["psnr_ci95"] if half is None else half


def test_what_a_run_left_holds_to_the_last_digit_and_stays_as_it_was(theirs):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in theirs.rglob("*") if path.is_file()}
    found = verify(theirs, 2)
    assert {point.place.split(",")[0] for point in found.points} == {"soft", "raw"}
    assert [point.verdict for point in found.points] == ["same", "same"] and found.code == 0
    assert "4 of 4 keys follow from the scenario, the clips that it names and the code here" in found.said
    assert as_text(found).endswith("holds: 2 of 2 points, 2 of them to the last digit\n")
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in theirs.rglob("*") if path.is_file()}
    assert before == after


def test_a_number_of_the_table_that_its_point_does_not_have(theirs):
    rows = list(read_csv(theirs / "curves.csv"))
    rows[1] = Row(**{**{n: getattr(rows[1], n) for n in Row.__dataclass_fields__}, "psnr_db": 55.0})
    write_csv(rows, theirs / "curves.csv")
    found = verify(theirs, 1)
    assert found.code == 1 and len(found.wrong) == 1
    assert found.wrong[0].startswith("curves.csv: soft, awgn, 9 dB, budget 0.7: psnr_db is 55.0000, and its point has")


def test_rows_that_no_point_supports_and_that_no_scenario_has(theirs):
    rows = list(read_csv(theirs / "curves.csv"))
    more = Row("soft", "awgn", 12.0, 0.7, psnr_db=60.0)
    write_csv([*rows, more, rows[0]], theirs / "curves.csv")
    found = verify(theirs, 1)
    assert found.code == 1
    assert [line.partition("dB, budget 0.7: ")[2] for line in found.wrong] == [
        "no point supports this row",
        "stands there twice",
        "the scenario has no such point",
    ]


@pytest.mark.parametrize("half", [None, 50.0])
def test_a_point_whose_checksum_was_made_anew_is_found_by_computing_it_again(theirs, half):
    """Also where it claims an interval so wide that anything would lie within."""
    rewrite(theirs, lambda record: better(record, half=half))
    found = verify(theirs)
    assert not found.wrong and [point.verdict for point in found.points] == ["differs", "same", "same", "same"]
    wrong = next(one for one in found.points[0].differences if one.column == "psnr_db")
    assert wrong.by == pytest.approx(-1.0, abs=1e-4) and found.code == 1
    assert "psnr_db: " in as_text(found) and "does not hold: 1 of 4 points differ" in as_text(found)
    assert as_json(found)["verdict"] == "differs"


def test_values_of_clips_that_were_swapped_under_the_same_mean(theirs):
    def swap(record):
        first, second = record["clips"]
        for name in ("psnr_db", "psnr_by_frame", "psnr_of_first_trial"):
            first[name], second[name] = second[name], first[name]

    rewrite(theirs, swap)
    found = verify(theirs)
    assert not found.wrong and found.points[0].verdict == "differs" and found.code == 1


def test_a_scenario_that_says_less_than_was_done(theirs):
    """The points are of 9 dB; the manifest and the table say 7."""
    manifest = json.loads((theirs / "manifest.json").read_text())
    manifest["scenario"]["sweep"]["snr_db"] = [4, 7]
    (theirs / "manifest.json").write_text(json.dumps(manifest))

    def seven(record):
        if record["snr_db"] == 9:
            record["snr_db"] = record["row"]["snr_db"] = 7

    rewrite(theirs, seven, only=None)
    found = verify(theirs)
    assert [point.verdict for point in found.points] == ["same", "differs", "same", "differs"]
    assert any(line.startswith("2 of 4 keys follow") for line in found.said)


def test_a_damaged_point_is_told_and_the_rest_looked_at(theirs):
    (theirs / "points" / "0123456789abcdef01234567.json").write_text("{}")
    found = verify(theirs, 2)
    assert found.code == 1 and len(found.points) == 2 and "damaged (" in found.wrong[0]


def test_clips_that_are_missing_or_others(theirs):
    (theirs.parent / "digits.npz").unlink()
    missing = verify(theirs)
    assert missing.code == 2 and {point.verdict for point in missing.points} == {"cannot"} and not missing.wrong
    assert "digits.npz" in missing.points[0].why and "4 of 4 keys follow" in as_text(missing)
    digits(theirs.parent, 2)
    other = verify(theirs)
    assert other.code == 2 and {point.why for point in other.points} == {"the clips here have other pixels than theirs"}


def test_another_commit_is_said_and_is_no_fault(theirs):
    manifest = json.loads((theirs / "manifest.json").read_text())
    manifest |= {"commit": "f" * 40, "packages": manifest["packages"] | {"numpy": "1.0"}}
    (theirs / "manifest.json").write_text(json.dumps(manifest))
    found = verify(theirs, 1)
    assert found.code == 0 and any("commit fffffff; here is" in line for line in found.said)
    assert any(line.startswith("packages: numpy 1.0 there") for line in found.said)


def test_another_revision_of_a_block_is_a_reason_and_no_verdict(theirs):
    def old(record):
        better(record)
        record["revisions"] = dict.fromkeys(record["revisions"], 99)

    rewrite(theirs, old)
    found = verify(theirs)
    assert found.points[0].verdict == "cannot" and "revision of scheme 99 there" in found.points[0].why
    assert found.code == 2


def test_code_that_the_folder_names_is_refused_by_name(tmp_path):
    toy = job(tmp_path, sweep={"snr_db": [8], "budget": [0.08]}, trials={"min": 1, "max": 1}, schemes=SOFT)
    run(toy)
    found = verify(toy.out)
    assert found.code == 2 and "names code of a user (" in found.cannot and "toys.py:" in found.cannot
    assert "--allow-plugins" in as_text(found) and not found.points
    assert verify(toy.out, plugins=True).code == 0


def test_a_folder_without_a_manifest(theirs):
    (theirs / "manifest.json").unlink()
    found = verify(theirs)
    assert found.code == 2 and "holds no manifest with a scenario" in found.cannot
    own = semlink.load(theirs.parent / "small.yaml")
    assert verify(theirs, scenario=own).code == 0
    assert semlink.results(theirs, scenario=own).verify(2, seed=3).code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"scenario_folder": "\0"},
        {"scenario_folder": "/dev"},
        {"version": "\x1b[2J\x1b]0;mine\x07"},
        {"clips": [{"name": "\x1b[31m"}, {}]},
        {"packages": {"\x1b[2Jnumpy": "\x07"}},
        {"scenario": {"name": "../../../etc"}},
        {"scenario": {**PLAIN, "source": {"kind": "video", "path": "/dev/zero", "frames": 2}}},
        {"scenario": {**PLAIN, "source": {"kind": "video", "path": "http://localhost/x.mkv", "frames": 2}}},
        {"scenario": {**PLAIN, "schemes": [{"name": "soft", "kind": "os:system"}]}},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_names_and_paths_of_a_stranger_do_nothing(theirs, change):
    manifest = json.loads((theirs / "manifest.json").read_text()) | change
    (theirs / "manifest.json").write_text(json.dumps(manifest))
    found = verify(theirs, 1)
    told = as_text(found) + json.dumps(as_json(found))
    assert found.code == (0 if "version" in change or "packages" in change else 2), told
    assert told.isprintable() or all(line.isprintable() for line in told.splitlines())


def test_keys_that_lead_elsewhere_are_refused(theirs):
    manifest = json.loads((theirs / "manifest.json").read_text()) | {"keys": ["../../etc/passwd"]}
    write_atomic(theirs / "manifest.json", json.dumps(manifest).encode())
    with pytest.raises(ResultsError, match="cannot be read"):
        verify(theirs)


@pytest.mark.parametrize("points", [0, -1, "some", 1.5, True])
def test_a_number_of_points_that_is_none(theirs, points):
    with pytest.raises(ScenarioError, match="points: got"):
        semlink.verify(theirs, points)


def test_each_scheme_is_drawn_before_any_a_second_time():
    schemes = [0] * 40 + [1] * 3 + [2]
    for seed in range(20):
        found = drawn(schemes, None, seed)
        assert sorted(schemes[n] for n in found) == [0, 1, 2] and found == drawn(schemes, None, seed)
        assert 2 <= [schemes[n] for n in drawn(schemes, 6, seed)].count(1) <= 3
        assert drawn(schemes, 99, seed) == list(range(44))
    assert len({tuple(drawn(schemes, None, seed)) for seed in range(20)}) > 10


@pytest.mark.parametrize(("by", "holds"), [(0.08, True), (0.12, False)])
def test_what_drifts_holds_within_our_own_interval(by, holds):
    clip = {"name": "a", "psnr_db": [30.0, 30.2], "channel_uses": [100.0, 100.0], "blocks": [1, 1], "lost": [0, 0]}
    ours = Row("s", "awgn", 5.0, 0.1, psnr_db=30.1, psnr_ci95=0.1, channel_uses=100.0)
    theirs = Row(**{**to_json(ours), "psnr_db": 30.1 + by, "psnr_ci95": 9.0})
    found = differences(theirs, {}, ours, {"clips": [clip]}, METRICS[:1], adaptive=False, same_code=False)
    told = {one.column: one for one in found}
    assert told["psnr_db"].holds is holds and told["psnr_db"].by == pytest.approx(-by)
    assert not told["psnr_ci95"].holds  # an interval of theirs is not believed either
    assert math.isinf(
        differences(Row(**{**to_json(ours), "genie": "noise"}), {}, ours, {}, (), adaptive=False, same_code=False)[
            0
        ].far
    )


def test_points_that_are_gone_are_wrong_and_nothing_is_said_to_agree(theirs):
    for path in (theirs / "points").iterdir():
        path.unlink()
    found = verify(theirs, 2)
    told = as_text(found)
    assert found.code == 1 and found.wrong[0].startswith("4 points of the manifest missing, such as ")
    assert "agree" not in told and "contradicts" not in told
    unseen = "of 4 of 4 rows no trial and no checksum could be looked at"
    assert told.endswith(f"does not hold: 4 of its points missing; {unseen}\n")
    (theirs / "manifest.json").unlink()
    alone = verify(theirs, 2, scenario=semlink.load(theirs.parent / "small.yaml"))
    assert alone.code == 0, as_text(alone)
    assert as_text(alone).endswith(f"; {unseen}\n") and "agree" not in as_text(alone)


def test_what_a_falsified_row_says_is_wrong_and_never_holds(theirs):
    """With its point, that is compared; alone, what moved without its interval is no chance."""
    rows = list(read_csv(theirs / "curves.csv"))
    write_csv([replace(rows[0], psnr_db=rows[0].psnr_db + 0.04), *rows[1:]], theirs / "curves.csv")
    found = verify(theirs)
    assert len(found.wrong) == 1 and found.code == 1
    assert [point.verdict for point in found.points] == ["same"] * 4
    assert any("not its row of the table" in line for line in found.points[0].remarks)
    shutil.rmtree(theirs / "points")
    alone = verify(theirs)
    assert [point.verdict for point in alone.points] == ["differs", "same", "same", "same"] and alone.code == 1


@pytest.mark.parametrize("change", [{"psnr_ci95": 0.11}, {"psnr_db": 30.15}, {"channel_uses": 100.5}])
def test_the_very_code_explains_nothing_that_moved_alone(change):
    ours = Row("s", "awgn", 5.0, 0.1, psnr_db=30.1, psnr_ci95=0.1, channel_uses=100.0)
    clips = {"clips": [{"name": "a", "psnr_db": [30.0, 30.2]}]}

    def found(exact, **more):
        theirs = replace(ours, **{**change, **more})
        known = {"adaptive": False, "same_code": True, "exact": exact}
        return differences(theirs, {}, ours, clips, METRICS[:1], **known)

    assert all(one.holds for one in found(False))
    assert all(one.holds for one in found(True)) is ("psnr_ci95" in change)  # 0.01 is the last shown digit
    assert all(one.holds for one in found(True, psnr_db=30.15, psnr_ci95=0.11))


def test_a_scenario_that_is_another_is_the_first_thing_said_and_what_is_equal_is_not_listed(theirs):
    own = semlink.load(theirs.parent / "small.yaml", {"name": "tiny", "trials": {"min": 2, "max": 2}})
    found = verify(theirs, scenario=own)
    told = as_text(found)
    cause = told.splitlines()[1]
    assert cause.startswith(
        '  the scenario given is another than theirs: name is "small" there and "tiny" here; trials is'
    )
    assert found.code == 1 and "(+0," not in told and "e-16" not in told
    same = as_text(verify(theirs, 1, scenario=semlink.load(theirs.parent / "small.yaml")))
    assert "is another than theirs" not in same
