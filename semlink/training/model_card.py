"""Weights with their card: what they are, how they came about, what they may be used for.

Beside `name.safetensors` stands `name.json`. Loading checks the architecture
and the digest of the output for a probe input, and fails loudly.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from semlink.errors import ModelError
from semlink.training.tasks import Task, build_task

if TYPE_CHECKING:
    from semlink.training.pack import Pack
    from semlink.training.recipe import Profile, Recipe

PROBE_TOLERANCE = 2e-3


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
) -> Path:
    """Write `model` as half-precision safetensors with its card; returns `path`."""
    tensors = {key: _half(value) for key, value in model.state_dict().items()}
    save_file(tensors, str(path))
    model.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    )
    card = {
        "name": recipe.name,
        "task": recipe.task,
        "architecture": task.architecture,
        "parameters": sum(p.numel() for p in model.parameters()),
        "model": dict(recipe.model),
        "options": dict(recipe.options),
        "facts": task.facts(model),
        "recipe": asdict(recipe) | {"profiles": {}},
        "recipe_sha256": recipe.digest,
        "profile": asdict(profile),
        "seed": recipe.seed,
        "steps": steps,
        "data": {"sha256": pack.digest, "items": len(pack.names), "held_out": sum(pack.held_out), "terms": pack.terms},
        "versions": _versions(),
        "last_figures": dict(last),
        "weights_sha256": sha256(path.read_bytes()).hexdigest(),
        "probe": _probe(task, model),
    }
    card_path(path).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def load_model(name: str | Path, *, check: bool = True) -> tuple[nn.Module, dict[str, Any]]:
    """The model and the card of shipped weights, or of a file, ready for use.

    Raises:
        ModelError: weights or card are missing, do not belong together, are of
            another architecture, or answer the probe wrongly.
    """
    path = find_weights(name)
    card = read_card(path)
    task = build_task(card["task"], card["model"], card["options"])
    if task.architecture != card["architecture"]:
        raise ModelError(f"{path}: made for {card['architecture']!r}, this version builds {task.architecture!r}")
    if check and sha256(path.read_bytes()).hexdigest() != card["weights_sha256"]:
        raise ModelError(f"{path}: the weights are not those of the card; fetch both again")
    model = task.build()
    _fill(model, _tensors(path), path)
    model.eval().requires_grad_(False)
    if check:
        _check_probe(path, card["probe"], _probe(task, model))
    return model.to(memory_format=torch.channels_last), card


def load_into(model: nn.Module, name: str | Path) -> None:
    """Copy what fits by name and shape from weights into `model`; a layer that grew keeps its new part.

    Raises:
        ModelError: nothing fits.
    """
    path = find_weights(name)
    state, copied = model.state_dict(), 0
    for key, value in _tensors(path).items():
        if key in state and value.dim() == state[key].dim():
            corner = tuple(slice(0, min(a, b)) for a, b in zip(value.shape, state[key].shape))
            state[key][corner] = value[corner].to(state[key].dtype)
            copied += 1
    if not copied:
        raise ModelError(f"{path}: no tensor fits the model that should start from it")
    model.load_state_dict(state)


def list_weights() -> tuple[dict[str, Any], ...]:
    """The cards of all shipped weights, by name."""
    return tuple(read_card(path) for path in sorted(_shipped().glob("*.safetensors")))


def verify_weights(name: str | Path) -> dict[str, Any]:
    """The card of `name`, after its digests and its probe were found right.

    Raises:
        ModelError: anything does not hold.
    """
    return load_model(name)[1]


def find_weights(name: str | Path) -> Path:
    """Where weights `name` lie: a file as it is, otherwise a shipped name.

    Raises:
        ModelError: there are none.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        found = path
    else:
        found = _shipped() / f"{name}.safetensors"
    if not found.is_file():
        shipped = sorted(file.stem for file in _shipped().glob("*.safetensors"))
        raise ModelError(f"weights {str(name)!r}: no such file; allowed: a .safetensors file or one of {shipped}")
    return found


def card_path(path: Path) -> Path:
    """Where the card of a weights file stands."""
    return path.with_suffix(".json")


def read_card(path: Path) -> dict[str, Any]:
    """The card beside `path`.

    Raises:
        ModelError: it is missing or not readable.
    """
    try:
        return json.loads(card_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise ModelError(
            f"{card_path(path)}: no readable model card ({why}); weights without a card are not used"
        ) from why


def _shipped() -> Path:
    return Path(str(files("semlink") / "weights"))


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as why:
        raise ModelError(f"{path}: cannot be read as safetensors ({why})") from why


def _fill(model: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    state = model.state_dict()
    for key, value in state.items():
        got = tuple(tensors[key].shape) if key in tensors else None
        if got != tuple(value.shape):
            raise ModelError(f"{path}: {key} has shape {got}, the model of the card needs {tuple(value.shape)}")
    model.load_state_dict({key: tensors[key].to(value.dtype) for key, value in state.items()})


@torch.no_grad()
def _probe(task: Task, model: nn.Module) -> dict[str, Any]:
    """A few numbers of the output for the probe input, and the digest of it rounded coarsely."""
    answer = task.probe(model).float().flatten()
    picked = answer[torch.linspace(0, len(answer) - 1, 16).long()]
    rounded = np.round(picked.numpy().astype(np.float64), 2) + 0.0
    return {
        "values": [round(float(value), 6) for value in picked],
        "digest": sha256(rounded.tobytes()).hexdigest()[:16],
    }


def _check_probe(path: Path, expected: Mapping[str, Any], got: Mapping[str, Any]) -> None:
    worst = max(abs(a - b) for a, b in zip(expected["values"], got["values"], strict=True))
    if not worst <= PROBE_TOLERANCE:
        raise ModelError(
            f"{path}: the probe answers {worst:.3g} away from its card (allowed {PROBE_TOLERANCE}); "
            "weights, code or library have changed"
        )


def _half(value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() else value


def _versions() -> dict[str, str]:
    from semlink import __version__

    return {
        "semlink": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
