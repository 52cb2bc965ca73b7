"""Reading weights and their cards, and telling right ones from wrong ones.

The card names the architecture, the digest of the file, and a few numbers of
the output for a probe input; whoever builds the model checks all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from semlink.errors import ModelError
from semlink.weights.narrow import widen
from semlink.weights.packed import plain_bytes

PROBE_TOLERANCE = 5e-3

Module = TypeVar("Module", bound=nn.Module)


def read_tensors(path: Path, card: Mapping[str, Any] | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a file, packed or not; with `card`, only if the file is the one it was written for.

    Raises:
        ModelError: not safetensors, or not the file of the card.
    """
    held = plain_bytes(path)
    if card is not None and sha256(held).hexdigest() != card["weights_sha256"]:
        raise ModelError(f"{path}: the weights are not those of the card; fetch both again")
    try:
        return widen(load(held))
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as why:
        raise ModelError(f"{path}: cannot be read as safetensors ({why})") from why


def fill(model: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Copy `tensors` into `model`, every one of them.

    Raises:
        ModelError: one is missing or of another shape.
    """
    check_shapes(model, tensors, path)
    state = model.state_dict()
    model.load_state_dict({key: tensors[key].to(value.dtype) for key, value in state.items()})


def check_shapes(model: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise ModelError where `model` needs a tensor that is missing, or of another shape."""
    for key, value in model.state_dict().items():
        got = tuple(tensors[key].shape) if key in tensors else None
        if got != tuple(value.shape):
            raise ModelError(f"{path}: {key} has shape {got}, the model of the card needs {tuple(value.shape)}")


def load_verified(
    make: Callable[[], Module],
    path: Path,
    card: Mapping[str, Any],
    probe: Callable[[Module], torch.Tensor],
    *,
    prefix: str = "",
) -> Module:
    """A model with the tensors of `path` (those under `prefix`), frozen, once it answers the probe as the card says.

    Args:
        make: builds the model of the card; first without any memory, to see that the tensors are those of this model.
    Raises:
        ModelError: the file is not the card's, the card describes no model, a tensor is missing or of another shape,
            or the answer differs.
    """
    held = read_tensors(path, card).items()
    tensors = {key.removeprefix(prefix): value for key, value in held if key.startswith(prefix)}
    with described_by(path):
        with torch.device("meta"):
            check_shapes(make(), tensors, path)
        model = make()
        fill(model, tensors, path)
        model.eval().requires_grad_(False)
        check_probe(path, card, probe(model))
    return model


@contextmanager
def described_by(path: Path) -> Iterator[None]:
    """What fails inside fails because the card beside `path` describes no model that can be built.

    Raises:
        ModelError: in place of whatever it was.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as why:
        said = (str(why).strip().splitlines() or [type(why).__name__])[0]
        raise ModelError(f"{path}: the card describes no model that can be built ({said[:200]})") from why


def probe_facts(answer: torch.Tensor) -> dict[str, Any]:
    """Sixteen numbers spread over an output, and their digest after coarse rounding."""
    answer = answer.detach().float().flatten()
    picked = answer[torch.linspace(0, len(answer) - 1, 16).long()].numpy().astype(np.float64)
    digest = sha256((np.round(picked, 2) + 0.0).tobytes()).hexdigest()[:16]
    return {"values": [round(float(value), 6) for value in picked], "digest": digest}


def check_probe(path: Path, card: Mapping[str, Any], answer: torch.Tensor) -> None:
    """Compare the output for the probe with the card's.

    Raises:
        ModelError: they differ by more than rounding.
    """
    expected, got = card["probe"]["values"], probe_facts(answer)["values"]
    worst = max(abs(a - b) for a, b in zip(expected, got, strict=True))
    if not worst <= PROBE_TOLERANCE:
        raise ModelError(
            f"{path}: the probe answers {worst:.3g} away from its card (allowed {PROBE_TOLERANCE}); "
            "weights, code or library have changed"
        )
