"""Blocks as a user writes them: a tiny scenario around one of them, run by the command line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import yaml
from terminal import semlink

BASE = """
name: own
source: {kind: scenes, clips: 1, frames: 8, size: [64, 64]}
channel: {kind: awgn}
sweep: {snr_db: [14], budget: [0.3]}
trials: {min: 2, max: 2}
schemes: [{name: plain, kind: digital, codec: {kind: h264}, coding: {kind: uncoded}}]
"""


def around(fragment: str) -> dict[str, Any]:
    """The tiny scenario with a fragment of another in it."""
    return yaml.safe_load(BASE) | yaml.safe_load(fragment)


def rows_of(scenario: dict[str, Any], folder: Path, *options: str) -> list[dict[str, str]]:
    """The rows of `curves.csv` after `semlink run` in `folder`."""
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(scenario))
    done = semlink("run", path, "--workers", 1, *options, folder=folder)
    assert done.code == 0, done.err
    with (folder / "results/own/curves.csv").open() as file:
        return list(csv.DictReader(file))
