"""A small scenario of toy blocks, its job, and the rows that a run leaves."""

from __future__ import annotations

import csv
from pathlib import Path

import toys
import yaml

from semlink.link.results.folder import Results
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job


def scenario_file(folder: Path, **changes) -> Path:
    codec = {"kind": f"{toys.__file__}:Thumbnails"}
    content = {
        "name": "toy",
        "source": {"kind": f"{toys.__file__}:Ramps", "clips": 2},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [5, 8], "budget": [0.04, 0.08]},
        "trials": {"min": 2, "max": 3},
        "schemes": [
            {
                "name": "16-QAM",
                "kind": "digital",
                "codec": codec,
                "coding": {"kind": "ldpc", "modulation": "16qam", "rate": "1/2", "block_bits": 512},
            },
            {"name": "direct", "kind": f"{toys.__file__}:Direct"},
        ],
    } | changes
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def job(folder: Path, name: str = "out", **changes) -> Job:
    path = scenario_file(folder, **changes)
    return Job(load_scenario(path), folder / name, folder)


def rows(path: Path) -> list[dict]:
    return list(csv.DictReader((path / "curves.csv").read_text().splitlines()))


def records(path: Path) -> list[dict]:
    """What a run left of every point, in order of keys."""
    found = Results(path)
    keys = found.keys()
    return [found.read(key) for key in keys]


def unpacked(path: Path) -> list[Path]:
    """The points of a run as files of their own, as they stand while a run goes on."""
    found = Results(path)
    keys = found.keys()
    kept = {key: found.read(key) for key in keys}
    for file in (path / "points").iterdir():
        file.unlink()
    for key, record in kept.items():
        found.write(key, record)
    return [found.point_path(key) for key in kept]
