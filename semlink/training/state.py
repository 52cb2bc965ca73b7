"""A training run on disk: everything that a next step depends on, written atomically.

`state.safetensors` holds weights, averaged weights and optimiser tensors;
`state.json` the step and what the run was started with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from semlink.errors import TrainingError
from semlink.files import write_atomic

_FILE = "state.safetensors"


@dataclass(slots=True)
class RunState:
    """The live objects of a run."""

    model: nn.Module
    average: nn.Module
    optimisers: Sequence[torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0  # spent in steps and validation, by all sessions of the run

    def save(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Write step and tensors; an interrupted write leaves the previous state whole."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, entries in optimiser.state_dict()["state"].items():
                for key, value in entries.items():
                    if value is not None:
                        tensors[f"optimiser.{number}.{index}.{key}"] = torch.as_tensor(value)
        meta = {"step": self.step, "seconds": self.seconds, **facts}
        copies = {
            key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in tensors.items()
        }
        write_atomic(folder / _FILE, save(copies, metadata={"run": json.dumps(meta)}))

    def load(self, folder: Path, facts: Mapping[str, Any]) -> bool:
        """Take up the state in `folder`; False when there is none.

        Raises:
            TrainingError: the state is damaged, or belongs to another recipe or other data.
        """
        path = folder / _FILE
        if not path.exists():
            return False
        try:
            tensors, meta = load_file(str(path)), read_facts(folder)
        except (SafetensorError, OSError, ValueError) as why:
            raise TrainingError(f"{path}: the checkpoint is damaged ({why}); remove it to start anew") from why
        for key, value in facts.items():
            if key == "data" and meta.get(key) != value:
                changed = _changed(meta.get("material"), facts.get("material", {}))
                raise TrainingError(
                    f"{path}: the run was started with other data: {changed}; "
                    "resume with what it was started with, or choose another folder"
                )
            if key != "material" and meta.get(key) != value:
                raise TrainingError(
                    f"{path}: {key} of the run was {meta.get(key)}, now it is {value}; "
                    "resume with what it was started with, or choose another folder"
                )
        self.model.load_state_dict(_below(tensors, "model."))
        self.average.load_state_dict(_below(tensors, "average."))
        for number, optimiser in enumerate(self.optimisers):
            _load_optimiser(optimiser, _below(tensors, f"optimiser.{number}."))
        self.step, self.seconds = int(meta["step"]), float(meta.get("seconds", 0.0))
        return True


def read_facts(folder: Path) -> dict[str, Any]:
    """Step and facts of the state in `folder`."""
    from safetensors import safe_open

    with safe_open(str(folder / _FILE), "pt") as file:
        return json.loads(file.metadata()["run"])


def _changed(before: Any, now: Mapping[str, Any]) -> str:
    """What has become of the material since a state was kept."""
    if not isinstance(before, dict) or not now:
        return "its digest has changed"
    gone = [name for name in before["names"] if name not in now["names"]]
    new = [name for name in now["names"] if name not in before["names"]]
    told = [f"{before['items']} items then, {now['items']} now"]
    told += [f"{len(gone)} gone, such as {gone[0]}"] if gone else []
    told += [f"{len(new)} new, such as {new[0]}"] if new else []
    return ", ".join(told if gone or new else [*told, "files of the same names with other pixels"])


def _below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    for weight, entries in optimiser.state.items():
        for name, value in entries.items():
            if torch.is_tensor(value) and value.shape == weight.shape:
                entries[name] = _laid_out_like(weight, value)


def _laid_out_like(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """`value` in the memory order of `weight`: fused optimisers walk through both at once, whatever their strides."""
    return torch.empty_like(weight, dtype=value.dtype, requires_grad=False).copy_(value)
