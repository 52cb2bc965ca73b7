"""The shipped generators: they belong to their recipes, and pictures like those they learned from have codes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from semlink.nn.generative.generator_weights import load_generator
from semlink.sensing.sources.files.image_stack import read_stack
from semlink.sensing.sources.synthetic.digits import turned
from semlink.sensing.sources.synthetic.glyph_digits import draw_digit
from semlink.training.recipe import load_recipe
from semlink.training.tasks.generator import mean_psnr_db, search_codes

ROOT = Path(__file__).parents[2]
MNIST = Path(os.environ.get("SEMLINK_DATA", ROOT.parent / "shared" / "data")) / "mnist/mnist_t10k_0_8000.npz"
GENERATORS = {"gmlr_digits": 819_712, "gmlr_patches": 4_852_736}


@pytest.mark.parametrize("name", GENERATORS)
def test_weights_belong_to_their_recipe(name):
    generator, card = load_generator(name)
    assert sum(p.numel() for p in generator.parameters()) == card["parameters"] == GENERATORS[name]
    assert card["recipe_sha256"] == load_recipe(ROOT / f"scenarios/train/{name}.yaml").digest
    assert not any(p.requires_grad for p in generator.parameters())


def psnr_of(images: np.ndarray) -> float:
    generator, _ = load_generator("gmlr_digits")
    pictures = torch.from_numpy(np.stack([turned(image, 0) for image in images]))[:, None]
    return mean_psnr_db(search_codes(generator, pictures, 100)[1])


def test_digits_from_fonts_have_codes():
    """Not what it learned from, yet digits: an 8 dB better likeness than the mean of all."""
    images = np.stack([draw_digit(digit, np.random.default_rng(digit)) for digit in range(5)])
    shown = np.stack([turned(image, 0) for image in images])
    by_mean = mean_psnr_db(4 * torch.from_numpy((shown - shown.mean(0)) ** 2).mean((1, 2)))
    assert psnr_of(images) > by_mean + 8


@pytest.mark.skipif(not MNIST.is_file(), reason="no shared data (set SEMLINK_DATA)")
def test_digits_it_never_saw_have_codes():
    """The last 500 of 8,000 were kept from it."""
    assert psnr_of(read_stack(f"{MNIST}[7900:7908]") / 255) > 24
