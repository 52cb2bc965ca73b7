"""Committed evidence holds together: scenario, keys, points, rows, ledgers and figures of every folder of results."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

from semlink.link.results.folder import Results
from semlink.link.results.rows import Row, cells, from_json, read_folder
from semlink.link.scenario.loader import load_scenario
from semlink.link.scenario.scenario import Scenario, scheme_name
from semlink.link.sweep.grid import grid
from semlink.link.sweep.plan import Job
from semlink.link.sweep.point_key import point_key
from semlink.link.sweep.run import run

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
FOLDERS = sorted(path.parent for path in RESULTS.glob("*/manifest.json"))
COMMANDS = yaml.safe_load((RESULTS / "commands.yaml").read_text())
PURPOSES = ("payload", "parity", "crc", "pilot", "header", "side_info", "retransmission")
SAID = {
    "scenario": dict,
    "version": str,
    "commit": str,
    "packages": dict,
    "device": str,
    "workers": int,
    "points": int,
    "points_computed_in_this_run": int,
    "wall_s": float | int,
    "keys": list,
    "shown": list,
    "clips_digest": str,
}
OF_A_POINT = {
    "scheme": str,
    "channel": str,
    "snr_db": float | int | None,
    "budget": float | int | None,
    "rate": float | int | None,
    "bound": bool,
    "row": dict,
    "clips": list,
    "genie": list,
    "versions": dict,
    "group_frames": int | None,
}
SMALLEST = "fig09"

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def has_types(found: dict, types: dict) -> bool:
    return all(name in found and isinstance(found[name], kind) for name, kind in types.items())


def scenario_of(folder: Path) -> Scenario:
    made = COMMANDS[folder.name]
    return load_scenario(ROOT / made["file"], made["set"])


def test_every_folder_has_its_command_and_every_command_its_folder():
    assert sorted(COMMANDS) == [folder.name for folder in FOLDERS]


@each
def test_the_manifest_says_what_made_the_results(folder):
    manifest = manifest_of(folder)
    assert has_types(manifest, SAID)
    assert re.fullmatch(r"[0-9a-f]{40}\+?", manifest["commit"])
    assert len(set(manifest["keys"])) == len(manifest["keys"]) == manifest["points"]
    assert set(manifest["shown"]) <= set(manifest["keys"])


@each
def test_the_scenario_file_still_gives_the_scenario(folder):
    assert scenario_of(folder) == Scenario.model_validate(manifest_of(folder)["scenario"])


@each
def test_the_scenario_still_resolves_to_the_keys(folder):
    manifest = manifest_of(folder)
    if "stale" in manifest:
        listed = re.search(r"Stale at present: (.*)\.", (RESULTS / "README.md").read_text())
        assert manifest["stale"] and listed and folder.name in re.split(r", | ", listed[1])
        return
    scenario, digest = scenario_of(folder), manifest["clips_digest"]
    place = (ROOT / COMMANDS[folder.name]["file"]).parent
    assert [point_key(scenario, point, digest, place) for point in grid(scenario)] == manifest["keys"]


@each
def test_rows_are_those_of_the_points(folder):
    """`curves.csv` has a row for each key, in their order, and nothing else is packed."""
    keys, rows, store = manifest_of(folder)["keys"], read_folder(folder), Results(folder)
    assert store.keys() == sorted(keys) and len(list((folder / "points").iterdir())) == 1
    for key, row in zip(keys, rows, strict=True):
        record = store.read(key)
        assert record is not None and has_types(record, OF_A_POINT)
        assert cells(from_json(record["row"])) == cells(row)
        assert [clip["name"] for clip in record["clips"]] == list(dict.fromkeys(c["name"] for c in record["clips"]))
        assert all(clip["motion"] in ("slow", "medium", "fast") for clip in record["clips"])
        check_means(row, record)


def check_means(row: Row, record: dict) -> None:
    """The row is the mean over clips and trials; a row without quality says why."""
    if not record["clips"]:
        assert row.psnr_db is None and row.note
        return
    values = [value for clip in record["clips"] for value in clip["psnr_db"]]
    assert len(record["clips"]) == row.clips and len(values) == row.clips * row.trials
    assert row.psnr_db == pytest.approx(sum(values) / len(values), abs=1e-4)


@each
def test_ledgers_add_up(folder):
    scenario = Scenario.model_validate(manifest_of(folder)["scenario"])
    names = {scheme_name(scheme) for scheme in scenario.schemes}
    for row in read_folder(folder):
        assert row.scheme in names and row.seed == scenario.seed
        spent = [getattr(row, purpose) for purpose in PURPOSES]
        if row.channel_uses is None:
            assert row.measurements_per_pixel is not None or row.note
            continue
        assert row.channel_uses == pytest.approx(math.fsum(spent), abs=0.005 * (len(spent) + 1))
        if row.budget is not None:
            assert row.channel_uses_per_pixel <= row.budget * (1 + 1e-9)


def test_every_figure_is_shown_on_a_page():
    pages = [ROOT / "README.md", RESULTS / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = set()
    for page in pages:
        targets = re.findall(r"\]\(([^)#\s]+\.(?:png|svg))\)", page.read_text())
        shown |= {(page.parent / target).resolve() for target in targets}
    figures = {path for kind in ("png", "svg") for path in RESULTS.rglob(f"*.{kind}")}
    assert {path for path in shown if RESULTS in path.parents} == figures


def test_the_smallest_is_computed_again(tmp_path):
    """Kernels differ a little between processors: 0.01 dB; what is counted does not."""
    report = run(Job(scenario_of(RESULTS / SMALLEST), tmp_path, ROOT / "scenarios"))
    assert report.computed == len(report.rows) == manifest_of(RESULTS / SMALLEST)["points"]
    for ours, theirs in zip(report.rows, read_folder(RESULTS / SMALLEST), strict=True):
        assert (ours.scheme, ours.rate, ours.trials) == (theirs.scheme, theirs.rate, theirs.trials)
        assert ours.measurements_per_pixel == pytest.approx(theirs.measurements_per_pixel)
        assert ours.psnr_db == pytest.approx(theirs.psnr_db, abs=0.01)
        assert ours.ssim == pytest.approx(theirs.ssim, abs=1e-3)
