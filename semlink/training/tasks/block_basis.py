"""The basis of block sampling from training video: second moments of blocks, and their principal components.

Nothing descends a gradient here: every step adds the blocks of a batch to the
moments. The logged loss is honest all the same: the error of the present batch
under the basis of all batches before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from semlink.sensing.block_cs.basis import PIXELS, BlockBasis, basis_facts, probe_blocks
from semlink.sensing.block_cs.sampler import to_blocks
from semlink.training.recipe import build_options

RENEW_EVERY = 25  # steps between two looks at the principal components
SHOWN_ROWS = 102


@dataclass(frozen=True, slots=True)
class BasisOptions:
    """Nothing to choose."""


class BasisLearner(nn.Module):
    """A basis with the moments (1024, 1024) that it follows from; `idle` is there for the loop's optimiser."""

    def __init__(self, shipped: BlockBasis) -> None:
        super().__init__()
        self.basis = shipped
        self.register_buffer("moment", torch.zeros(PIXELS, PIXELS, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
        self.idle = nn.Parameter(torch.zeros(()))
        self.moment: torch.Tensor
        self.seen: torch.Tensor

    @property
    def shipped(self) -> BlockBasis:
        """The basis of all that was gathered."""
        if self.seen > 0:
            self.basis.take(self.moment / self.seen)
        return self.basis


@dataclass(frozen=True, slots=True)
class BlockBasisTask:
    """Principal components of 32 x 32 blocks."""

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> BlockBasisTask:
        build_options(BasisOptions, model, "model")
        build_options(BasisOptions, options, "options")
        return cls()

    @property
    def architecture(self) -> str:
        return "block basis 32x32"

    def build(self) -> nn.Module:
        return BlockBasis()

    def with_helpers(self, model: nn.Module) -> nn.Module:
        """What is gathered beside the basis."""
        assert isinstance(model, BlockBasis)
        return BasisLearner(model)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD([model.idle], lr=learning_rate)]

    def loss(self, model, clips, step, rng):
        blocks = to_blocks(clips).flatten(0, 2).double()
        with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
            error = _error(model.basis.rows[:SHOWN_ROWS].double(), blocks)
            model.moment += blocks.T @ blocks
            model.seen += len(blocks)
            if step % RENEW_EVERY == 0:
                _ = model.shipped
        return 0.0 * model.idle + error, {}

    def validate(self, model, clips):
        with torch.autocast(clips.device.type, enabled=False):
            rows, blocks = model.shipped.rows, to_blocks(clips).flatten(0, 2)
            return {f"psnr_{m}_rows_db": _psnr(rows[:m], blocks) for m in (10, 102, 512)}

    def facts(self, model: Any) -> dict[str, Any]:
        return basis_facts(model)

    def probe(self, model: Any) -> torch.Tensor:
        return model(probe_blocks())


def _error(rows: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    return (blocks - (blocks @ rows.T) @ rows).square().mean()


def _psnr(rows: torch.Tensor, blocks: torch.Tensor) -> float:
    return float(-10 * _error(rows, blocks).clamp_min(1e-10).log10())
