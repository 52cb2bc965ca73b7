"""Writing weights with their card, and verifying all that are shipped.

A card says what the weights are, how they came about and what they may be used
for; `semlink.weights.tensors` reads it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from semlink.errors import ModelError
from semlink.files import write_atomic
from semlink.training.task import Task, build_task, stored_narrow
from semlink.weights.cards import card_path, find_weights, read_card, shipped_names
from semlink.weights.narrow import SCALE, narrow
from semlink.weights.packed import file_digest, plain_bytes
from semlink.weights.tensors import described_by, fill, load_verified, probe_facts, read_tensors

if TYPE_CHECKING:
    from semlink.training.data.pack import Pack
    from semlink.training.recipe import Profile, Recipe


def save_weights(
    path: Path,
    model: nn.Module,
    task: Task,
    *,
    recipe: Recipe,
    profile: Profile,
    pack: Pack,
    steps: int,
    last: Mapping[str, float],
    drawn_from: Sequence[int] | None = None,
) -> Path:
    """Write `model` in half precision, or a byte a weight, with its card; `model` itself takes on the stored values.

    Args:
        drawn_from: which training items of `pack` were used; None for all.
    """
    tensors = narrow(model.state_dict()) if stored_narrow(task) else model.state_dict()
    stored = {key: _stored(key, value) for key, value in tensors.items()}
    write_atomic(path, save(stored | _at_rest(recipe, stored)))
    fill(model, read_tensors(path), path)
    card = {
        "name": recipe.name,
        "task": recipe.task,
        "architecture": task.architecture,
        "parameters": sum(p.numel() for p in model.parameters()),
        "model": dict(recipe.model),
        "options": dict(recipe.options),
        "facts": task.facts(model),
        "recipe": recipe.resolved(),
        "recipe_sha256": recipe.digest,
        "profile": asdict(profile),
        "seed": recipe.seed,
        "steps": steps,
        **({"start": _start(recipe.start.weights)} if recipe.start.weights else {}),
        "data": pack.told(range(pack.held_out.count(False)) if drawn_from is None else drawn_from),
        "versions": _versions(),
        "last_figures": dict(last),
        "weights_sha256": file_digest(path),
        "probe": probe_facts(_probe(task, model)),
    }
    write_atomic(card_path(path), (json.dumps(card, indent=1, sort_keys=True) + "\n").encode())
    return path


def load_model(name: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model and the card of shipped weights, or of a file, verified and ready for use.

    Raises:
        ModelError: weights or card are missing, do not belong together, are of
            another architecture, or answer the probe wrongly.
    """
    path = find_weights(name)
    card = read_card(path)
    with described_by(path):
        task = build_task(card["task"], card["model"], card["options"])
    if task.architecture != card["architecture"]:
        raise ModelError(f"{path}: made for {card['architecture']!r}, this version builds {task.architecture!r}")
    model = load_verified(task.build, path, card, lambda built: _probe(task, built))
    return model.to(memory_format=torch.channels_last), card  # type: ignore[call-overload]


def load_into(model: nn.Module, name: str | Path, *, skip: Sequence[str] = ()) -> int:
    """Copy what fits by name and shape from weights into `model`; returns how many tensors did.

    A tensor whose second axis grew (more input channels) keeps its new part;
    names that end in one of `skip` are left alone. A decoder fits whether it
    stands alone or inside a larger model.

    Raises:
        ModelError: nothing fits.
    """
    path = find_weights(name)
    state, copied = model.state_dict(), 0
    for stored, value in read_tensors(path).items():
        names = (stored, f"decoder.{stored}", stored.removeprefix("decoder."))
        key = next((key for key in names if key in state), "")
        if key and _fits(value, state[key]) and not (skip and stored.endswith(tuple(skip))):
            state[key][tuple(slice(0, size) for size in value.shape)] = value.to(state[key].dtype)
            copied += 1
    if not copied:
        raise ModelError(f"{path}: no tensor fits the model that should start from it")
    model.load_state_dict(state)
    return copied


def list_weights() -> tuple[dict[str, Any], ...]:
    """The cards of all weights in the package, by name."""
    return tuple(read_card(find_weights(name)) for name in shipped_names())


def verify_weights(name: str | Path) -> dict[str, Any]:
    """The card of `name`, after its digest, its architecture and its probe were found right.

    Raises:
        ModelError: anything does not hold.
    """
    return load_model(name)[1]


def learns(name: str, only: Sequence[str]) -> bool:
    """Whether the parameter `name` is within one of the parts `only`, all where none is named."""
    return not only or any(name == part or name.startswith(f"{part}.") for part in only)


def _at_rest(recipe: Recipe, stored: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What does not learn, as the start's file has it: rounding it again could move it."""
    if not recipe.optimiser.only or not recipe.start.weights:
        return {}
    start = load(plain_bytes(find_weights(recipe.start.weights)))
    skipped = tuple(recipe.start.skip)
    kept = {key: value for key, value in start.items() if key in stored and not learns(key, recipe.optimiser.only)}
    return {key: value for key, value in kept.items() if not (skipped and key.endswith(skipped))}


def _start(weights: str) -> dict[str, Any]:
    """The training that this one went on from, as far as it is told."""
    try:
        path = find_weights(weights)
        card = read_card(path)
    except ModelError:
        return {"name": Path(weights).stem}
    told = ("name", "recipe_sha256", "profile", "seed", "steps", "data", "versions", "last_figures", "start")
    return {key: card[key] for key in told if key in card} | {"weights_sha256": file_digest(path)}


def _fits(value: torch.Tensor, room: torch.Tensor) -> bool:
    if value.shape == room.shape:
        return True
    same = [a == b for a, b in zip(value.shape, room.shape)]
    return value.dim() == room.dim() == 4 and same == [True, False, True, True] and value.shape[1] < room.shape[1]


@torch.no_grad()
def _probe(task: Task, model: nn.Module) -> torch.Tensor:
    return task.probe(model)


def _stored(name: str, value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() and not name.endswith(SCALE) else value


def _versions() -> dict[str, str]:
    from semlink import __version__

    libraries = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    return {"semlink": __version__} | libraries
