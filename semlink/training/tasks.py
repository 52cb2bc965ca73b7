"""What can be trained: the names a recipe's `task` may take.

A task is built from the recipe's `model` and `options` and tells the loop what
to minimise. Tasks are imported only when a recipe asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from semlink.errors import ScenarioError

if TYPE_CHECKING:
    import torch
    from torch import nn

TASKS: Mapping[str, str] = {
    "reconstruction": "semlink.training.sensing_tasks:ReconstructionTask",
    "ratio_policy": "semlink.training.policy_task:RatioPolicyTask",
    "ratio_ste": "semlink.training.ste_task:RatioSteTask",
    "compression": "semlink.training.compression_task:CompressionTask",
    "semantic": "semlink.training.semantic_task:SemanticTask",
}


class Task(Protocol):
    """What the loop needs to know of a learned part."""

    @property
    def architecture(self) -> str:
        """The model in one line: kind and sizes."""
        ...

    def build(self) -> nn.Module:
        """A fresh model; its initial weights come from torch's default generator, which the loop seeds."""
        ...

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        """One optimiser or several, at full rate; the loop scales all of them by the schedule."""
        ...

    def loss(
        self, model: Any, clips: torch.Tensor, step: int, rng: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """What to minimise on `clips` (b, t, h, w), and figures to log. `rng` is on the CPU."""
        ...

    def validate(self, model: Any, clips: torch.Tensor) -> dict[str, float]:
        """Figures on clips that are never trained on."""
        ...

    def facts(self, model: Any) -> dict[str, Any]:
        """What the model card says of the trained ranges and of agreed values such as ratio maps."""
        ...

    def probe(self, model: Any) -> torch.Tensor:
        """The output for a fixed input, whose digest tells right weights from wrong ones."""
        ...


def build_task(name: str, model: Mapping[str, Any], options: Mapping[str, Any]) -> Task:
    """The task called `name`.

    Raises:
        ScenarioError: there is none of that name, or its options are wrong.
    """
    if name not in TASKS:
        raise ScenarioError(f"task: got {name!r}, allowed: {sorted(TASKS)}")
    module, attribute = TASKS[name].split(":")
    return getattr(import_module(module), attribute).from_recipe(model, options)
