"""Training of generators: stacks of pictures, a code for each, and what is shipped in the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_toys import RECIPE, write_recipe

from semlink.errors import ModelError, ScenarioError, SourceError, TrainingError
from semlink.nn.generative.generator import SIDE, Generator
from semlink.nn.generative.generator_weights import load_generator, start_code
from semlink.sensing.sources.files.image_stack import read_stack
from semlink.training.data.material import DataSpec, find_material
from semlink.training.data.pack import Pack
from semlink.training.data.picture_sampler import PictureSampler, PictureSettings, colours
from semlink.training.loop import train
from semlink.training.tasks.generator import GeneratorTask, in_ball, mean_psnr_db, search_codes, start_weights

TINY = {
    "task": "generator",
    "data": {"train": ["digits.npz[0:9]"], "validation": ["digits.npz[9:]"], "terms": "made up"},
    "model": {"latent": 4, "channels": [8, 8, 4, 4], "planes": 1},
    "options": {"pictures": {"count": 9}},
    "optimiser": {"learning_rate": 1e-2, "warmup": 2, "clip_norm": 1000, "average": 0.9},
    "profiles": {"cpu": RECIPE["profiles"]["cpu"] | {"validate_every": 1000, "batch": 4}},
}


@pytest.fixture
def root(tmp_path):
    """Twelve soft blobs of 28 x 28 pixels, each elsewhere."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    places = rng.uniform(8, 20, (12, 2))
    blobs = [255 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 20) for row, column in places]
    np.savez(tmp_path / "digits.npz", images=np.array(blobs).astype(np.uint8), labels=np.arange(12))
    return tmp_path


def textures(seed: int = 0) -> Pack:
    rng = np.random.default_rng(seed)
    shapes = ((1, 96, 120), (3, 70, 80), (1, 40, 40), (1, 90, 90))
    pixels = rng.integers(0, 256, sum(t * h * w for t, h, w in shapes), dtype=np.uint8)
    return Pack(("a", "b", "too small", "test"), shapes, (False, False, False, True), pixels)


def test_a_stack_is_read_whole_or_in_part(root):
    whole = read_stack(root / "digits.npz")
    assert whole.shape == (12, 28, 28)
    np.testing.assert_array_equal(read_stack(f"{root}/digits.npz[9:]"), whole[9:])
    np.testing.assert_array_equal(read_stack(f"{root}/digits.npz[2:5]"), whole[2:5])
    pack = find_material(DataSpec(TINY["data"]["train"], TINY["data"]["validation"]), root)
    assert len(pack.items()) == 9 and pack.names[-1] == "digits.npz[9:]:2"
    np.testing.assert_array_equal(pack.items(held_out=True)[2][0], whole[11])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"pictures": np.zeros((2, 3, 3), np.uint8)}, "allowed: an .npz with 'images'"),
        ({"images": np.zeros((2, 3, 3), np.float32)}, r"'images' is float32 of shape \(2, 3, 3\), need uint8"),
        ({"images": np.zeros((3, 3), np.uint8)}, r"need uint8 \(n, h, w\)"),
    ],
)
def test_other_files_are_no_stacks(tmp_path, what, message):
    np.savez(tmp_path / "x.npz", **what)
    with pytest.raises(SourceError, match=message):
        read_stack(tmp_path / "x.npz")


def test_empty_ranges_and_missing_files_are_said(root):
    with pytest.raises(SourceError, match="an empty range; the file holds 12 pictures"):
        read_stack(f"{root}/digits.npz[12:]")
    with pytest.raises(SourceError, match="cannot be read as a stack of pictures"):
        read_stack(root / "none.npz")


def test_an_epoch_shows_every_picture_once(root):
    pack = find_material(DataSpec(["digits.npz"]), root)
    sampler, again = (PictureSampler(pack, PictureSettings(10), SIDE, 3) for _ in range(2))
    first = torch.cat([sampler.batch(step, 4).numbers for step in range(5)])  # two epochs
    assert sorted(first[:10].tolist()) == sorted(first[10:].tolist()) == list(range(10))
    assert first[:10].tolist() != first[10:].tolist()
    ahead = again.batch(4, 4)
    assert torch.equal(ahead.numbers, first[16:]) and ahead.pixels.shape == (4, 1, SIDE, SIDE)
    with pytest.raises(TrainingError, match="count: 13, but the material holds 12"):
        PictureSampler(pack, PictureSettings(13), SIDE, 3)


@pytest.mark.parametrize("planes", [1, 3])
def test_patches_are_a_fixed_set_whatever_is_drawn_first(planes):
    settings = PictureSettings(20, patches=True, planes=planes)
    one, other = (PictureSampler(textures(), settings, SIDE, 1) for _ in range(2))
    ahead = one.batch(3, 5)
    other.batch(0, 5)
    assert torch.equal(ahead.pixels, other.batch(3, 5).pixels)
    drawn = one.batch(0, 20)
    place = [drawn.numbers.tolist().index(n) for n in ahead.numbers.tolist()]
    assert torch.equal(drawn.pixels[place], ahead.pixels)
    assert drawn.pixels.min() >= 0 and drawn.pixels.max() <= 1 and drawn.pixels.shape == (20, planes, SIDE, SIDE)
    assert one.held_out(16).shape[1:] == (planes, SIDE, SIDE)
    assert len(torch.unique(drawn.pixels.flatten(1), dim=0)) == 20


def test_small_material_gives_no_patches():
    pack = Pack(("a",), ((1, 40, 40),), (False,), np.zeros(1600, np.uint8))
    with pytest.raises(TrainingError, match="none of 1 items is large enough"):
        PictureSampler(pack, PictureSettings(2, patches=True), SIDE, 0)


def test_colours_get_brighter_but_differ_in_hue():
    lines = np.array([colours(np.random.default_rng(seed)) for seed in range(200)])
    assert lines.min() >= 0 and lines.max() <= 1
    assert (np.diff(lines.mean(2), axis=1) > -0.1).mean() > 0.95
    assert np.ptp(lines, axis=2).mean() > 0.1


def test_a_killed_run_resumes_and_ships_the_generator_alone(root):
    recipe = write_recipe(root, **TINY)

    class Killed(Exception):
        pass

    def stop(progress):
        if progress.step >= 6:
            raise Killed

    whole = train(recipe, out=root / "whole", data=root)
    with pytest.raises(Killed):
        train(recipe, out=root / "killed", data=root, report=stop)
    resumed = train(recipe, out=root / "killed", data=root)
    one, two = (load_file(path) for path in (whole, resumed))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert set(one) == set(Generator(4, (8, 8, 4, 4)).state_dict())
    generator, card = load_generator(whole)
    assert card["parameters"] == sum(p.numel() for p in generator.parameters()) and card["data"]["held_out"] == 3
    assert card["facts"]["latent"] == 4 and card["data"]["terms"] == "made up"


def test_it_learns_its_pictures(root):
    figures = []
    train(write_recipe(root, **TINY), out=root / "run", data=root, steps=100, report=figures.append)
    told = [each.figures["psnr_train_db"] for each in figures if "psnr_train_db" in each.figures]
    first, last = told[0], told[-1]
    assert last > first + 6
    assert figures[-1].figures["psnr_held_out_db"] > first


def test_published_training_is_there_too(root):
    """SGD on the sum over the batch: the loss falls."""
    changes = {"options": {"pictures": {"count": 9}, "optimiser": "sgd", "code_rate": 1.0}}
    optimiser = TINY["optimiser"] | {"learning_rate": 0.05}
    seen = []
    recipe = write_recipe(root, **(TINY | changes | {"optimiser": optimiser}))
    train(recipe, out=root / "run", data=root, steps=80, report=seen.append)
    assert seen[-1].loss < 0.7 * seen[0].loss


def test_codes_of_what_it_can_draw_are_found():
    torch.manual_seed(0)
    generator = start_weights(Generator(3, (8, 8, 8, 8)))
    truth = in_ball(start_code(3).repeat(4, 1) + 0.3 * torch.randn(4, 3))
    pictures = (generator(truth).detach() + 1) / 2
    codes, error = search_codes(generator, pictures)
    assert mean_psnr_db(error) > mean_psnr_db((2 * pictures - 1).square().mean((1, 2, 3))) + 15
    assert codes.norm(dim=1).max() <= 1 + 1e-6


def test_start_weights_keep_the_size_of_signals():
    torch.manual_seed(0)
    generator = start_weights(Generator())
    x = start_code(32)[None, :, None, None]
    for layer in generator.layers[:-1]:
        x = torch.relu(layer(x))
        assert 0.3 < x.square().mean() < 1.5


@pytest.mark.parametrize(
    ("options", "model", "message"),
    [
        ({"pictures": {"count": 3}, "optimiser": "lbfgs"}, {}, "options.optimiser: got 'lbfgs', allowed: 'adam' or"),
        ({"pictures": {"count": 3, "planes": 3}}, {}, "planes: got 3 for a generator of 1"),
        ({}, {}, "the key 'pictures' is missing"),
    ],
)
def test_wrong_options_are_refused(options, model, message):
    with pytest.raises(ScenarioError, match=message):
        GeneratorTask.from_recipe(model, options)


def test_weights_of_other_tasks_are_no_generators():
    with pytest.raises(ModelError, match="weights for 'reconstruction'; allowed: those of 'generator'"):
        load_generator("sensor_decoder")
