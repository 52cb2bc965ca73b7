"""Choices before the run are made on the scored clips, or on others that the scenario names."""

from __future__ import annotations

import numpy as np
import pytest
import toys

import semlink
from semlink.errors import SourceError
from semlink.link.results.rows import read_folder
from semlink.link.sweep.clips import load_clips
from semlink.payload import Agreement, Frames


class Even:
    """Clips of one gray level."""

    def __init__(self, level: float, height: int = 64) -> None:
        self.level, self.height = level, height

    def __len__(self) -> int:
        return 2

    def name(self, index: int) -> str:
        return f"even{index}"

    def clip(self, index: int) -> np.ndarray:
        return np.full((4, self.height, 64), self.level + 0.01 * index, np.float32) + ramp(self.height)


def ramp(height: int) -> np.ndarray:
    return np.linspace(0, 0.05, height, dtype=np.float32)[None, :, None]


class Guess(toys.Direct):
    """Shows one of two gray levels, agreed on by which does better in calibration."""

    def agree(self, frames, point, calibration):
        return max((Agreement(frames, point, {"level": level}) for level in (0.25, 0.75)), key=calibration.quality)

    def receive(self, received, agreement):
        shape = agreement.frames
        return Frames(toys.picture(received.iq, shape).pixels * 0 + agreement.terms["level"])


def scenario(**more):
    tree = {
        "name": "guess",
        "source": {"kind": Even, "level": 0.7},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 10, "budget": 0.1},
        "trials": {"min": 1, "max": 1},
        "schemes": [{"name": "guess", "kind": Guess}],
    }
    return semlink.load(tree | more)


def only_row(made, folder):
    semlink.run(made, folder)
    (row,) = read_folder(folder)
    return row


def test_a_choice_on_the_scored_clips_is_counted(tmp_path):
    row = only_row(scenario(), tmp_path)
    assert row.psnr_db > 20 and row.choice_bits == 1 and 100 < row.agreement_bytes < 400


def test_a_choice_on_other_clips_has_no_part_in_the_scored_ones(tmp_path):
    dark = scenario(calibration={"source": {"kind": Even, "level": 0.2}})
    row = only_row(dark, tmp_path)
    assert row.psnr_db < 10 and row.choice_bits == 0
    row = only_row(scenario(), tmp_path)  # another point than that of the dark clips
    assert row.psnr_db > 20


def test_clips_of_another_shape_are_refused():
    with pytest.raises(SourceError, match=r"calibration.source .*: gave a clip of \(t, h, w\) = \(4, 32, 64\); need"):
        load_clips(scenario(calibration={"source": {"kind": Even, "level": 0.2, "height": 32}}), None)


def test_the_digest_of_clips_covers_those_of_the_calibration():
    scenes = {"kind": "scenes", "clips": 1, "frames": 4, "size": [64, 64]}
    plain, other = (load_clips(scenario(**more), None) for more in ({}, {"calibration": {"source": scenes}}))
    assert plain.digest != other.digest and len(other.tried) == 1 and plain.tried == plain.frames
