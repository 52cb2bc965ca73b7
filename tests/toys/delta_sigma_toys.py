"""A delta-sigma codec small enough for tests: untrained, so its linear start and stirred branches; and clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml
from training_toys import RECIPE, small_pack

from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.model_card import save_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task

SMALL = {"group": 8, "channels": 12, "width": 16, "analysis": 1, "synthesis": 1}
OPTIONS = {"kept": [2, 12], "flips": 0.5, "erased": 0.5}
CODEC_RECIPE = RECIPE | {
    "name": "tiny_delta",
    "task": "delta_sigma",
    "clips": {"frames": 16, "crop": 16},
    "data": {"train": ["video", "stills"], "terms": "made up"},
    "model": SMALL,
    "options": OPTIONS,
}


def delta_recipe(folder: Path, **changes) -> Path:
    path = folder / "tiny_delta.yaml"
    path.write_text(yaml.safe_dump(CODEC_RECIPE | changes))
    return path


def write_delta(folder: Path, *, stirred: float = 0.02, name: str = "tiny_delta", **changes) -> str:
    """A weights file with its card; `stirred` sets what training starts at zero to something."""
    recipe = load_recipe(delta_recipe(folder, **changes))
    task = build_task(recipe.task, recipe.model, recipe.options)
    torch.manual_seed(1)
    model = task.build()
    with torch.no_grad():
        for trunk in (model.encoder, model.decoder):
            trunk.leave.weight.normal_(0, stirred)
    path = folder / f"{name}.safetensors"
    save_weights(path, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={})
    return str(path)


@cache
def scene(frames: int = 16, h: int = 48, w: int = 64, seed: int = 3) -> np.ndarray:
    """A clip (frames, h, w) of the built-in scenes, moving slowly."""
    return SceneSource(1, frames=frames, size=(h, w), seed=seed, motion_px=(0.0, 0.5)).clip(0)


TOKENS = {
    "group": 2, "channels": 12, "predictor": 16, "predictor_blocks": 1, "encoder": 16, "encoder_blocks": 1,
    "decoder": 16, "decoder_blocks": 1, "context": 8, "memory": 2,
}  # fmt: skip
TOKEN_OPTIONS = {"kept": [2, 12], "levels": [0, 44], "noisy": 0.5}


@cache
def stirred_token_bits(stirred: float = 0.05, **changes):
    """Networks on tokens with the linear code of drawn blocks, and all that begins at zero stirred."""
    from semlink.codecs.delta_sigma.tokens.networks import TokenBits, TokenBitSizes
    from semlink.training.tokens.delta_sigma.start import linear_bits

    torch.manual_seed(1)
    sizes = TokenBitSizes(**(TOKENS | changes))
    model = TokenBits(sizes)
    rng = torch.Generator().manual_seed(1)
    falling = torch.exp(-torch.arange(sizes.pixels) / 8)
    turned = torch.linalg.qr(torch.randn(sizes.pixels, sizes.pixels, generator=rng))[0]
    values = (torch.randn(300, sizes.pixels, generator=rng) * falling) @ turned
    with torch.no_grad():
        for part, spread in enumerate((1.0, 0.3)):
            found = linear_bits(spread * values, torch.ones(300, 1), 2, sizes)
            for own, value in zip(model.linear(part), found):
                own.copy_(value)
        odds = model.contexts
        for weights in (odds.leave.weight, odds.own, odds.recall, model.encode_leave.weight, model.decode_leave.weight):
            weights.copy_(stirred * torch.randn(weights.shape, generator=rng))
    return model.requires_grad_(False)


def write_token_delta(folder: Path, name: str = "tiny_token_delta", options: dict = TOKEN_OPTIONS) -> str:
    """A weights file of a stirred codec on tokens, with its card."""
    path = folder / f"{name}.yaml"
    path.write_text(
        yaml.safe_dump(CODEC_RECIPE | {"name": name, "task": "token_delta_sigma", "model": TOKENS, "options": options})
    )
    recipe = load_recipe(path)
    task = build_task(recipe.task, recipe.model, recipe.options)
    model = stirred_token_bits()
    weights = folder / f"{name}.safetensors"
    save_weights(
        weights, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={}
    )
    return str(weights)
