"""Keys of points: the same for the same numbers, another for anything that changes them."""

from __future__ import annotations

from pathlib import Path

import yaml
from generator_toys import small_weights

from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.grid import grid
from semlink.link.sweep.point_key import point_key


def keys(folder: Path, weights: str) -> list[str]:
    """Of one scheme that names weights, one that does not, and one whose generator nobody trained."""
    coding = {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"}
    random = {"kind": "random", "operator": "identity"}
    content = {
        "name": "s",
        "source": {"kind": "digits", "clips": 1, "frames": 5},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 10, "budget": 0.02},
        "schemes": [
            {"name": "a", "kind": "digital", "codec": {"kind": "gmlr", "weights": weights}, "coding": coding},
            {"name": "b", "kind": "digital", "codec": {"kind": "h264"}, "coding": coding},
            {
                "name": "c",
                "kind": "sensing",
                "sensor": random,
                "reconstruction": {"kind": "gmlr", "weights": "random"},
            },
        ],
    }
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(content))
    scenario = load_scenario(path)
    return [point_key(scenario, point, "clips", folder) for point in grid(scenario)]


def test_weights_trained_again_are_computed_again_and_nothing_else_is(tmp_path):
    weights = str(small_weights(tmp_path, seed=0))
    before = keys(tmp_path, weights)
    assert keys(tmp_path, weights) == before
    assert str(small_weights(tmp_path, seed=1)) == weights
    after = keys(tmp_path, weights)
    assert after[0] != before[0] and after[1:] == before[1:]
