"""A generator small enough for tests, written with its card."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from training_toys import RECIPE, small_pack

from semlink.nn.generative.generator import Generator
from semlink.training.model_card import save_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task

TINY = {
    "name": "tiny_generator",
    "task": "generator",
    "model": {"latent": 6, "channels": [8, 8, 4, 4], "planes": 1},
    "options": {"pictures": {"count": 9}},
}


def small_weights(folder: Path, seed: int = 0) -> Path:
    """The weights file of an untrained generator whose pictures differ from code to code."""
    recipe_file = folder / "tiny_generator.yaml"
    recipe_file.write_text(yaml.safe_dump(RECIPE | TINY))
    recipe = load_recipe(recipe_file)
    task = build_task(recipe.task, recipe.model, recipe.options)
    torch.manual_seed(seed)
    model: Generator = task.build()
    path = folder / "tiny_generator.safetensors"
    save_weights(path, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={})
    return path
