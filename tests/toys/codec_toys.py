"""A learned codec small enough for tests: untrained weights with their card, and readings of a made-up clip."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml
from training_toys import RECIPE, small_pack

from semlink.codecs.task_aware.networks import TaskAwareNet
from semlink.training.model_card import save_weights
from semlink.training.recipe import load_recipe
from semlink.training.task import build_task
from semlink.training.tasks.sensed_clips import SensedClips

SMALL = {"width": 4, "latents": 160, "hyper": 8, "hyper_width": 16, "context": 8, "coarse": 2.0, "fine": 0.1}
CODEC_RECIPE = RECIPE | {
    "name": "tiny_codec",
    "task": "compression",
    "clips": {"frames": 16, "crop": 32},
    "model": {"codec": SMALL},
    "options": {"warm": 4},
}


def codec_recipe(folder: Path, **changes) -> Path:
    path = folder / "tiny_codec.yaml"
    path.write_text(yaml.safe_dump(CODEC_RECIPE | changes))
    return path


@cache
def make_net(*, seed: int = 0, stirred: bool = True) -> TaskAwareNet:
    """An untrained net; `stirred` sets what training starts at zero to something, so that all parts take part."""
    torch.manual_seed(seed)
    task = build_task("compression", CODEC_RECIPE["model"], CODEC_RECIPE["options"])
    net = task.build().codec
    if stirred:
        with torch.no_grad():
            for layer in (net.analysis.branch[-1], net.synthesis.branch[-1], net.hyper_synthesis.out):
                layer.weight.normal_(0, 0.03)
            net.hyper_synthesis.out.bias.normal_(0, 0.2)
            net.hyper_synthesis.out.bias[net.sizes.latents :] += 2  # scales wide enough for the noise of the readings
            net.hyper_gain.anchors.fill_(4.0)
            for context in net.context:
                context.linear.weight.mul_(0.1).add_(0.001 * torch.randn_like(context.linear.weight))
                context.out.weight.normal_(0, 0.03)
    return net.eval().requires_grad_(False)


def write_codec(folder: Path, net: TaskAwareNet, **changes) -> str:
    """The weights file of `net` with its card."""
    recipe = load_recipe(codec_recipe(folder, **changes))
    task = build_task(recipe.task, recipe.model, recipe.options)
    model = task.build()
    model.codec.load_state_dict(net.state_dict())
    path = folder / "tiny_codec.safetensors"
    save_weights(path, model, task, recipe=recipe, profile=recipe.profile("cpu"), pack=small_pack(), steps=0, last={})
    return str(path)


@cache
def make_readings(h: int = 64, w: int = 64, seed: int = 1) -> np.ndarray:
    """Readings (8, h, w) of soft shapes that drift, through the shipped sensor's map with its noise."""
    sensor, rng = SensedClips(), torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    frames = [0.5 + 0.2 * torch.sin(rows / 5 + 0.1 * t) + 0.2 * torch.sin(columns / 3.3 - 0.2 * t) for t in range(16)]
    clip = (torch.stack(frames) + 0.05 * torch.randn(h, w, generator=rng)).clamp(0, 1)[None]
    return sensor.sense(clip, sensor.counts(clip), rng)[0].numpy()
