"""Semantic weights small enough for tests, untrained: the linear start and nothing else."""

from __future__ import annotations

from pathlib import Path

import torch
from training_toys import small_pack, write_recipe

from semlink.training.data.pack import Pack
from semlink.training.model_card import save_weights
from semlink.training.recipe import Recipe, load_recipe
from semlink.training.tasks.semantic import SemanticTask

MODEL = {"num_frames": 16, "width": 4, "blocks": [1, 1, 1], "deep": 1}
SENSOR = {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5}


def semantic_recipe(folder: Path, **options) -> Path:
    clips = {"frames": 16, "crop": 16}
    return write_recipe(folder, task="semantic", model=MODEL, clips=clips, options={"loss": "initial"} | options)


def untrained(folder: Path, name: str = "tiny", **options) -> Path:
    """Weights with their card, as training would leave them after no step."""
    recipe: Recipe = load_recipe(semantic_recipe(folder, **options))
    task = SemanticTask.from_recipe(recipe.model, recipe.options)
    torch.manual_seed(3)
    pack: Pack = small_pack()
    path = folder / f"{name}.safetensors"
    return save_weights(
        path, task.build(), task, recipe=recipe, profile=recipe.profile("cpu"), pack=pack, steps=0, last={}
    )
