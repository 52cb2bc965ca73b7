"""What can be trained: the names a recipe's `task` may take.

A task is built from the recipe's `model` and `options` and tells the loop what
to minimise. Tasks are imported only when a recipe asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from semlink.errors import ScenarioError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from semlink.training.data.clip_sampler import ClipSettings
    from semlink.training.data.pack import Pack

TASKS: Mapping[str, str] = {
    "reconstruction": "semlink.training.tasks.sensor_decoder:ReconstructionTask",
    "ratio_policy": "semlink.training.tasks.ratio_policy:RatioPolicyTask",
    "ratio_ste": "semlink.training.tasks.ratio_hard_mask:RatioSteTask",
    "compression": "semlink.training.tasks.task_aware:CompressionTask",
    "block_basis": "semlink.training.tasks.block_basis:BlockBasisTask",
    "block_network": "semlink.training.tasks.block_networks:BlockTask",
    "semantic": "semlink.training.tasks.semantic:SemanticTask",
    "delta_sigma": "semlink.training.tasks.delta_sigma:DeltaSigmaTask",
    "generator": "semlink.training.tasks.generator:GeneratorTask",
    "token_compression": "semlink.training.tokens.task:TokenCompressionTask",
    "token_reconstruction": "semlink.training.tokens.sensor_task:SensorTokenTask",
    "token_delta_sigma": "semlink.training.tokens.delta_sigma.task:TokenBitTask",
    "token_semantic": "semlink.training.tokens.semantic_task:SemanticTokenTask",
}


class Task(Protocol):
    """What the loop needs to know of a learned part.

    A task may also offer

    - `sampler(pack, settings, seed)`: an own `Sampler` instead of the one of clips; `loss` and `validate` then get
      what it draws;
    - `begin(model, sampler)`: sets what a fresh model begins with from what the sampler draws;
    - `stored_narrow`, true: weights are stored in a byte each, see `semlink.weights.narrow`;
    - `compiled_parts(model)`: the modules that a profile with `compile` compiles, where the whole would break into
      pieces: everything else of the model then runs as it is;
    - `with_helpers(model)`: a module around the model of `build` that the loop trains instead, for what is learned
      beside the model and not shipped; its attribute `shipped` is the model.
    """

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


class Sampler(Protocol):
    """Draws what a step is trained on; a batch depends on (seed, step) alone."""

    @property
    def drawn_from(self) -> Sequence[int]:
        """Which of the pack's training items are large and long enough, and so really used."""
        ...

    def batch(self, step: int, size: int) -> Any:
        """Batch number `step`: a tensor, or something else with the method `to(device)`."""
        ...

    def held_out(self, crop: int) -> torch.Tensor:
        """Material for validation, never trained on; may be empty."""
        ...


def sampler_of(task: Any, pack: Pack, settings: ClipSettings, seed: int, device: torch.device) -> Sampler:
    """The task's own sampler, or the one of clips; where it can draw on the device, it does."""
    from semlink.training.data.clip_sampler import ClipSampler

    sampler = getattr(task, "sampler", ClipSampler)(pack, settings, seed)
    return sampler.on(device) if hasattr(sampler, "on") else sampler


def begin(task: Any, model: nn.Module, sampler: Sampler) -> None:
    """What the task sets from its material before the first step, if anything."""
    if hasattr(task, "begin"):
        task.begin(model, sampler)


def trained_part(task: Any, model: nn.Module) -> nn.Module:
    """What the loop trains: `model`, with what the task learns beside it."""
    return task.with_helpers(model) if hasattr(task, "with_helpers") else model


def shipped_part(trained: Any) -> nn.Module:
    """The model within what the loop trains."""
    return getattr(trained, "shipped", trained)


def compiled(task: Any, model: nn.Module) -> Any:
    """`model` as the loop calls it once compiled, as a whole or in the parts that the task names."""
    import torch

    if not hasattr(task, "compiled_parts"):
        return torch.compile(model)
    for part in task.compiled_parts(model):
        part.compile()
    return model


def stored_narrow(task: Any) -> bool:
    """Whether the task's weights take a byte each in their file."""
    return bool(getattr(task, "stored_narrow", False))


def build_task(name: str, model: Mapping[str, Any], options: Mapping[str, Any]) -> Task:
    """The task called `name`.

    Raises:
        ScenarioError: there is none of that name, or its options are wrong.
    """
    if name not in TASKS:
        raise ScenarioError(f"task: got {name!r}, allowed: {sorted(TASKS)}")
    module, attribute = TASKS[name].split(":")
    return getattr(import_module(module), attribute).from_recipe(model, options)
