"""A network of somebody else: how it is made, and how it is called.

    encoder = Network("encoder", "my_jscc.py:Encoder", Encoder, {"channels": 4}, "my_jscc.safetensors")
    numbers = encoder(frames, {"snr": 10.0})

It travels to other processes as what it is made from, and is made anew there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semlink.caching import Memo
from semlink.errors import InterfaceError, ScenarioError, SemlinkError, raised, traced
from semlink.link.schemes.model.checkpoint import fill_from
from semlink.link.schemes.model.files import Run, load_network
from semlink.plugins.adapter import named_fault

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """An encoder or a decoder.

    Attributes:
        role: encoder or decoder.
        named: as the scenario names it.
        maker: the class, or a function that gives a `torch.nn.Module`; None for a file.
        options: for `maker`.
        checkpoint: a file of weights; '' for none.
        prefix: of the names in the checkpoint; None to find it.
        knows: what it is told beside its input, each with the name of the argument, '' for the next one.
        plain: whether SNR, rate and uses are Python numbers instead of tensors (item,).
    """

    role: str
    named: str
    maker: Any = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    checkpoint: str = ""
    prefix: str | None = None
    knows: tuple[tuple[str, str], ...] = ()
    plain: bool = False
    made: Memo[Run] = field(default_factory=lambda: Memo(1), repr=False, compare=False)

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"{self.role} {self.named}"

    def tells(self, what: str) -> bool:
        """Whether it is told the SNR, the rate, the uses or the noise."""
        return any(name == what for name, _ in self.knows)

    def run(self) -> Run:
        """The network itself, in evaluation mode, made once in a process for each end.

        Raises:
            ScenarioError, InterfaceError: it cannot be made so.
            ModelError: the checkpoint does not fit.
        """
        return self.made.get(0, self._make)

    def __call__(self, numbers: torch.Tensor, known: Mapping[str, Any], *more: tuple[str, torch.Tensor]) -> Any:
        """What it makes of an input, told of `known` what it may know; `more` are further arguments with their names.

        Raises:
            PluginFault: it failed; says where.
        """
        network, told = self.run(), [*more, *((name, self._form(what, known[what])) for what, name in self.knows)]
        given = [value for name, value in told if not name]
        named = {name: value for name, value in told if name}
        try:
            with torch.no_grad():
                return network(numbers, *given, **named)
        except SemlinkError:
            raise
        except (Exception, SystemExit) as fault:
            shape = tuple(numbers.shape)
            raise named_fault(f"{self.where}, given {shape}", "it", fault) from fault

    def _form(self, what: str, value: torch.Tensor) -> Any:
        """A number as the network takes it."""
        if not self.plain or what == "noise_var":
            return value
        return int(value[0]) if what == "uses" else float(value[0])

    def _make(self) -> Run:
        if self.maker is None:
            return load_network(Path(self.named), self.role)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # weights that are drawn, if any, are the same at both ends
                network = self.maker(**self.options)
        except SemlinkError:
            raise
        except (Exception, SystemExit) as fault:
            raise traced(ScenarioError(f"{self.where}: cannot be made: {raised(fault)}"), fault) from fault
        if not isinstance(network, nn.Module):
            raise InterfaceError(f"{self.where}: is a {type(network).__name__}; need a torch.nn.Module")
        if self.checkpoint:
            fill_from(network, Path(self.checkpoint), self.role, self.prefix)
        return network.eval().requires_grad_(False)
