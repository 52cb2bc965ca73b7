"""The shipped weights: whole, of the committed recipe, and better than what needs no training."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.reconstructors import DeepReconstructor, GapTvReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.training.model_card import list_weights, verify_weights
from semlink.training.recipe import load_recipe
from semlink.weights.cards import find_weights, outside_names, shipped_names

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SEMLINK_DATA", ROOT / "../shared/data"))
SENSOR = [name for name in (*shipped_names(), *outside_names()) if name.startswith("sensor")]
LEARNED = ["sensor", "sensor_mask"]


@pytest.mark.parametrize("name", SENSOR)
def test_weights_answer_their_probe_and_name_their_recipe(name):
    card = verify_weights(name)
    assert find_weights(name).stat().st_size < 10e6
    assert card["recipe_sha256"] == load_recipe(ROOT / f"scenarios/train/{name}.yaml").digest
    assert card["data"]["terms"] and card["steps"] > 0 and card["versions"]["torch"]


def test_all_weights_are_listed():
    assert [card["name"] for card in list_weights()] == list(shipped_names())
    assert set(LEARNED) <= set(shipped_names())


@pytest.mark.parametrize("name", LEARNED)
def test_a_higher_lambda_measures_less(name):
    rows = sorted(verify_weights(name)["facts"]["learned"], key=lambda row: row["cost"])
    means = [row["mean_count"] for row in rows]
    assert all(after <= 1.05 * before for before, after in zip(means, means[1:]))
    assert means[0] > 2 * means[-1]
    assert all(len(np.unique(row["tile"])) >= 2 for row in rows[1:-1])


def moving_clips() -> list[torch.Tensor]:
    folder = DATA / "video/dev"
    if not folder.is_dir():
        pytest.skip(f"no development clips in {folder}; set SEMLINK_DATA")
    from semlink.training.data.pack import pack_folders

    items = pack_folders([folder]).items()
    cuts = [item[:16, 60:156, 60:156].astype(np.float32) / 255 for item in items if item.shape[0] >= 16]
    return [torch.from_numpy(cut) for cut in cuts]


@pytest.mark.slow
def test_learned_maps_beat_fixed_ones_and_the_network_beats_total_variation():
    clips = torch.stack(moving_clips())
    seeds = Seeds(1, tuple(range(len(clips))))
    deep = DeepReconstructor("sensor")

    def psnr_db(ratio_map: RatioMap, reconstructor) -> torch.Tensor:
        restored = reconstructor.reconstruct(ProgrammableSensor(ratio_map).measure(Frames(clips), seeds)).pixels
        return -10 * (restored - clips).square().mean((1, 2, 3)).log10()

    fixed = {count: psnr_db(RatioMap(count=count), deep).mean() for count in (1, 2, 4, 8)}
    assert fixed[1] < fixed[2] < fixed[4] < fixed[8]
    learned = RatioMap(learned="sensor", mean_count=2.5)
    assert psnr_db(learned, deep).mean() > fixed[2] + 0.4 * (fixed[4] - fixed[2])
    for ratio_map in (learned, RatioMap(count=8)):
        assert (psnr_db(ratio_map, deep) > psnr_db(ratio_map, GapTvReconstructor()) - 0.05).all()
