"""A training run small enough for tests: a recipe, and made-up material."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from semlink.training.data.pack import Pack

RECIPE = {
    "name": "tiny",
    "task": "reconstruction",
    "data": {"train": ["video"], "terms": "made up"},
    "clips": {"frames": 8, "crop": 16},
    "model": {"num_frames": 8, "width": 8, "stages": 1},
    "options": {"maps": {"counts": [1, 2, 4]}},
    "optimiser": {"learning_rate": 3e-3, "warmup": 4, "average": 0.9},
    "profiles": {
        "cpu": {
            "steps": 12,
            "batch": 2,
            "crop": 16,
            "precision": "float32",
            "log_every": 2,
            "validate_every": 6,
            "validation_crop": 16,
            "checkpoint_every": 4,
        }
    },
}


def write_recipe(folder: Path, **changes) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(RECIPE | changes))
    return path


def small_pack(seed: int = 0) -> Pack:
    rng = np.random.default_rng(seed)
    shapes = ((12, 24, 28), (1, 40, 48), (9, 20, 20), (8, 24, 24))
    pixels = [np.cumsum(rng.integers(-8, 9, shape), axis=2).clip(-120, 120).astype(np.int16) + 128 for shape in shapes]
    flat = np.concatenate([p.astype(np.uint8).ravel() for p in pixels])
    return Pack(("a", "b", "c", "d"), shapes, (False, False, False, True), flat, "made up")
