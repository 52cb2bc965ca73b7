"""Weights of other people's models, and whether they fit a network."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from semlink.errors import ModelError
from semlink.files import PLAIN_SUFFIX, as_file, reason_of
from semlink.weights.tensors import read_tensors

__all__ = ["fill_from", "is_program"]

AROUND = ("state_dict", "model_state_dict", "model", "net")
"""Where training loops put the weights in what they save."""
SHOWN = 3


def is_program(path: Path) -> bool:
    """Whether a file holds a TorchScript program, not weights alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def fill_from(network: nn.Module, path: Path, role: str, prefix: str | None) -> None:
    """Put the tensors of a file into `network`, every one of them.

    Args:
        role: encoder or decoder, under which a file of both may have them.
        prefix: of the names in the file; None to find it.
    Raises:
        ModelError: unreadable, or a tensor is missing, too many, or of another shape.
    """
    held = _tensors(path)
    wanted = network.state_dict()
    begins = _prefix(held, set(wanted), role) if prefix is None else prefix
    found = {name.removeprefix(begins): value for name, value in held.items() if name.startswith(begins)}
    missing = [name for name in wanted if name not in found]
    if missing:
        under = f" under {begins!r}" if begins else ""
        raise ModelError(
            f"{path}: {_some(missing)} of the {role} {'is' if len(missing) == 1 else 'are'} missing{under}; "
            f"it holds {_some(list(held)) or 'nothing'}"
        )
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            raise ModelError(
                f"{path}: {begins}{name} has shape {tuple(found[name].shape)}, the {role} needs {tuple(value.shape)}; "
                "its options are others than those of the training"
            )
    if extra := [f"{begins}{name}" for name in found if name not in wanted]:
        raise ModelError(f"{path}: holds {_some(extra)}, which the {role} does not have")
    network.load_state_dict({name: found[name].to(value.dtype) for name, value in wanted.items()})


def _prefix(held: Mapping[str, torch.Tensor], wanted: set[str], role: str) -> str:
    """What stands before the network's own names in a file: of the usual ones, that under which most are found."""
    usual = ("", f"{role}.", f"{role[:3]}.", "module.", f"module.{role}.", f"net.{role}.", f"model.{role}.")
    return max(usual, key=lambda begins: len(wanted & {n.removeprefix(begins) for n in held if n.startswith(begins)}))


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a file by name."""
    try:
        as_file(path)
    except OSError as why:
        raise ModelError(f"checkpoint {path}: {reason_of(why)}") from why
    if path.suffix == PLAIN_SUFFIX:
        return read_tensors(path)
    if is_program(path):
        raise ModelError(f"checkpoint {path}: is a TorchScript program; name it under network, without a checkpoint")
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as why:
        raise ModelError(
            f"checkpoint {path}: holds more than tensors, which is never run here; save its state_dict() alone, "
            f"best as safetensors ({str(why).strip().partition(chr(10))[0][:120]})"
        ) from why
    for name in AROUND:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise ModelError(f"checkpoint {path}: holds no state_dict; need tensors by name")
    return {str(name): value for name, value in loaded.items()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
