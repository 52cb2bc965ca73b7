"""A code of tokens small enough for tests: untrained weights with their card."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import yaml
from training_toys import RECIPE, small_pack

from semlink.codecs.tokens.networks import TokenCodecNet
from semlink.training.model_card import save_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tokens.task import TokenCompressionTask

SMALL = {
    "groups": [2, 6, 16],
    "encoder": 16,
    "encoder_blocks": [1, 1],
    "decoder": 16,
    "decoder_blocks": 1,
    "context": 8,
}
TOKEN_RECIPE = RECIPE | {
    "name": "tiny_tokens",
    "task": "token_compression",
    "clips": {"frames": 16, "crop": 32},
    "model": SMALL,
    "options": {"clips": {"pool": 4, "margin": 8}},
}


def token_recipe(folder: Path, **changes) -> Path:
    path = folder / "tiny_tokens.yaml"
    path.write_text(yaml.safe_dump(TOKEN_RECIPE | changes))
    return path


@cache
def token_task() -> TokenCompressionTask:
    return build_task("token_compression", SMALL, TOKEN_RECIPE["options"])


@cache
def make_token_net(*, seed: int = 0, stirred: bool = True) -> TokenCodecNet:
    """Begun at the linear code of made-up clips; `stirred` sets what training starts at zero to something."""
    torch.manual_seed(seed)
    net = token_task().build()
    token_task().begin(net, DriftingShapes())
    if stirred:
        with torch.no_grad():
            for layer in (net.correct_latents, net.correct_pixels, *(group.leave for group in net.contexts.groups)):
                layer.weight.normal_(0, 0.02)
    return net.eval().requires_grad_(False)


class DriftingShapes:
    """A sampler of soft shapes that drift."""

    def batch(self, step: int, size: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(step)
        return torch.stack([_drifting(rng) for _ in range(size)])


def _drifting(rng: torch.Generator, side: int = 32) -> torch.Tensor:
    pace = torch.rand(4, generator=rng)
    time, rows = torch.arange(16.0).view(-1, 1, 1), torch.arange(float(side)).view(1, -1, 1)
    columns = rows.transpose(1, 2)
    waves = torch.sin(rows * (0.1 + 0.3 * pace[0]) + time * pace[1]) + torch.sin(columns * 0.3 - time * pace[2])
    grain = 0.05 * torch.randn(1, side, side, generator=rng)
    return (0.5 + 0.2 * waves + grain).clamp(0, 1)


def write_tokens(folder: Path, net: TokenCodecNet) -> str:
    """The weights file of `net` with its card."""
    recipe = load_recipe(token_recipe(folder))
    task = build_task(recipe.task, recipe.model, recipe.options)
    model = task.build()
    model.load_state_dict(net.state_dict())
    path = folder / "tiny_tokens.safetensors"
    save_weights(path, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={})
    return str(path)
