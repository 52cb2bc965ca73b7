"""Semantic tokens small enough for tests: begun at the linear code of made-up clips, with their card."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import yaml
from token_toys import DriftingShapes
from training_toys import RECIPE, small_pack

from semlink.codecs.semantic.tokens.networks import SemanticTokenNet
from semlink.training.model_card import save_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tokens.semantic_task import SemanticTokenTask

SMALL = {
    "latents": 16,
    "encoder": 16,
    "encoder_blocks": [1, 1],
    "decoder": 16,
    "decoder_blocks": 1,
    "heads": 8,
    "levels": [2, 6, 12, 24, 64],
}
SEMANTIC_TOKEN_RECIPE = RECIPE | {
    "name": "tiny_semantic_tokens",
    "task": "token_semantic",
    "clips": {"frames": 16, "crop": 32},
    "model": SMALL,
    "options": {"clips": {"pool": 4, "margin": 8}, "kept": [2.0, 60.0]},
}


def semantic_token_recipe(folder: Path, **changes) -> Path:
    path = folder / "tiny_semantic_tokens.yaml"
    path.write_text(yaml.safe_dump(SEMANTIC_TOKEN_RECIPE | changes))
    return path


def semantic_token_task(options: dict | None = None, **model) -> SemanticTokenTask:
    chosen = SEMANTIC_TOKEN_RECIPE["options"] | (options or {})
    task = build_task("token_semantic", SMALL | model, chosen)
    assert isinstance(task, SemanticTokenTask)
    return task


@cache
def make_semantic_net(*, writes: str = "frames", stirred: bool = True) -> SemanticTokenNet:
    """`stirred` sets what training starts at zero to something."""
    task = semantic_token_task(writes=writes)
    torch.manual_seed(0)
    net = task.build()
    assert isinstance(net, SemanticTokenNet)
    task.begin(net, DriftingShapes())
    if stirred:
        with torch.no_grad():
            for layer in (net.correct_latents, net.correct_written, net.tell_encoder, net.tell_decoder, net.log_gain):
                layer.weight.normal_(0, 0.02)
    return net.eval().requires_grad_(False)


def write_semantic_tokens(folder: Path, net: SemanticTokenNet) -> str:
    """The weights file of `net` with its card."""
    recipe = load_recipe(semantic_token_recipe(folder, model=SMALL | {"writes": net.sizes.writes}))
    task = build_task(recipe.task, recipe.model, recipe.options)
    model = task.build()
    model.load_state_dict(net.state_dict())
    path = folder / f"tiny_{net.sizes.writes}.safetensors"
    save_weights(path, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={})
    return str(path)
