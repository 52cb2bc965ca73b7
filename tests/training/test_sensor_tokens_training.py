"""Training the decoder on tokens: its maps, its dark clips, the covariance that it begins with, resumed runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from training_toys import RECIPE

from semlink.errors import ModelError, ScenarioError
from semlink.payload import Frames, FrameShape
from semlink.seeds import Seeds
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.sensing.programmable.tokens.choice import deep_reconstructor
from semlink.sensing.programmable.tokens.reconstructor import TokenReconstructor
from semlink.training.data.darkness import Darkness
from semlink.training.data.pack import Pack, save_pack
from semlink.training.data.stationary import positive, stationary_moments
from semlink.training.loop import train
from semlink.training.model_card import verify_weights
from semlink.training.state import read_facts
from semlink.training.task import build_task

MODEL = {"channels": 8, "blocks": 1, "corrected": 32}
OPTIONS = {
    "learned_share": 0.0,
    "uniform": 1.0,
    "counts": [1],
    "maps": 1,
    "clips": {"pool": 4, "margin": 8},
}
SHORT = {"steps": 4, "batch": 2, "crop": 32, "validation_crop": 32, "checkpoint_every": 2, "log_every": 1}


def known_moments(batches, reach: int) -> tuple[float, torch.Tensor]:
    """In place of those of the clips, which take seconds to find."""
    at = torch.arange(float(reach))
    far = torch.arange(16.0)[:, None, None] / 12 + (at[:, None] + at) / 9
    return 0.4, 0.03 * torch.exp(-far)


@pytest.fixture
def pack_file(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr("semlink.training.tokens.sensor_task.stationary_moments", known_moments)
    rng = np.random.default_rng(0)
    shapes = ((20, 48, 56), (1, 70, 80), (16, 40, 40))
    flat = np.concatenate([rng.integers(0, 256, t * h * w, dtype=np.uint8) for t, h, w in shapes])
    save_pack(Pack(("a", "b", "c"), shapes, (False, False, True), flat, "made up"), tmp_path / "pack.npz")
    return tmp_path / "pack.npz"


def recipe_in(folder: Path) -> Path:
    tree = RECIPE | {"name": "tiny", "task": "token_reconstruction", "model": MODEL, "options": OPTIONS}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tree | {"profiles": {"cpu": SHORT}}))
    return folder / "tiny.yaml"


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_unbroken_one_and_its_weights_decode(tmp_path, pack_file):
    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step >= 3:
            raise Killed

    recipe = recipe_in(tmp_path)
    whole = train(recipe, out=tmp_path / "whole", data=pack_file)
    with pytest.raises(Killed):
        train(recipe, out=tmp_path / "broken", data=pack_file, report=kill)
    assert read_facts(tmp_path / "broken")["step"] == 2
    ended = train(recipe, out=tmp_path / "broken", data=pack_file)
    first, second = load_file(str(whole)), load_file(str(ended))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert verify_weights(whole)["facts"]["maps"] == "all"
    _decodes_and_refuses(str(whole))


def _decodes_and_refuses(weights: str) -> None:
    clip = Frames(torch.rand(1, 16, 20, 28, generator=torch.Generator().manual_seed(0)))
    read = ProgrammableSensor(RatioMap(count=1)).measure(clip, Seeds(1))
    decoder = deep_reconstructor(weights, "tokens", masked=False, noise=ReadNoise())
    assert decoder.reconstruct(read).pixels.shape == clip.pixels.shape
    behind_aperture = ProgrammableSensor(RatioMap(count=1), masked=True).measure(clip, Seeds(1))
    assert TokenReconstructor(weights, masked=True).reconstruct(behind_aperture).pixels.shape == clip.pixels.shape
    with pytest.raises(ModelError, match="noise is .*the scenario has"):
        TokenReconstructor(weights, noise=ReadNoise(0.01, 0.01)).reconstruct(read)
    with pytest.raises(ModelError, match="num_frames is 16, the scenario has 8"):
        TokenReconstructor(weights).check_shape(FrameShape(8, 20, 28))
    with pytest.raises(
        ModelError, match="'tokens', the reconstruction says 'published'; allowed: architecture: tokens"
    ):
        deep_reconstructor(weights, "published", masked=False, noise=ReadNoise())
    with pytest.raises(ModelError, match="'published', the reconstruction says 'tokens'"):
        deep_reconstructor("sensor", "tokens", masked=False, noise=ReadNoise())


def test_the_covariance_of_clips_is_found_by_distance():
    """Of noise that is smoothed over two pixels of a row, to within what a few clips tell."""
    noise = torch.randn(8, 16, 64, 65, generator=torch.Generator().manual_seed(0))
    mean, found = stationary_moments([0.4 + 0.1 * (noise[..., 1:] + noise[..., :-1])], 4)
    assert mean == pytest.approx(0.4, abs=1e-3)
    expected = torch.zeros_like(found)
    expected[0, 0, :2] = torch.tensor([0.02, 0.01])
    assert torch.allclose(found, expected, atol=5e-4)


def test_a_covariance_of_few_clips_is_made_one():
    clips = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) / 10
    _, found = stationary_moments([0.4 + clips.cumsum(2).cumsum(3)], 6)
    at = torch.arange(36)
    far = [(part[:, None] - part).abs() for part in (at // 6, at % 6)]
    assert torch.linalg.eigvalsh(found[0][far[0], far[1]].double()).min() > 0
    steep = torch.tensor([1.0, 1.05, 0.9]).double().view(1, 1, 3)
    sure = torch.tensor([1.0, 0.6, 0.2]).double().view(1, 1, 3)
    assert not torch.equal(positive(steep, sure), steep) and torch.equal(positive(sure, steep), sure)


def test_maps_are_drawn_from_all_that_the_recipe_names():
    task = build_task("token_reconstruction", MODEL, {"random": 3})
    rng = torch.Generator().manual_seed(0)
    drawn = {task.draw(rng) for _ in range(300)}
    uniform = {counts for counts in drawn if len({count for row in counts for count in row}) == 1}
    assert {counts[0][0] for counts in uniform} >= {1, 2, 4, 8}
    assert set(task.tiles) <= drawn and len(drawn - uniform - set(task.tiles)) <= 3
    assert sum(map(sum, task.favoured)) == 2.5 * 64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learned_share": 0.7, "uniform": 0.7}, "together 0 to 1"),
        ({"learned": "blocks"}, "'blocks' list no learned maps"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, said):
    with pytest.raises(ScenarioError, match=said):
        build_task("token_reconstruction", MODEL, options)


def test_dark_clips_are_dim_or_black_in_a_part():
    clips = torch.full((400, 2, 16, 16), 0.8)
    cast = Darkness(dim=0.25, flat=0.25, black=1.0).cast(clips, torch.Generator().manual_seed(0))
    dim = cast.amax((1, 2, 3)) < 0.79
    black = (cast == 0).flatten(1).any(1)
    assert 0.15 < dim.float().mean() < 0.4 and 0.15 < black.float().mean() < 0.3
    assert 0.5 < ((cast == clips).flatten(1).all(1)).float().mean() < 0.65
    assert torch.equal(Darkness(dim=0, flat=0).cast(clips, torch.Generator()), clips)
