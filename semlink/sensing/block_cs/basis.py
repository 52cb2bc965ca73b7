"""A learned basis of 32 x 32 blocks: patterns in the order of the variance that they catch.

Least squared error of the initial reconstruction is reached by the principal
components of blocks of training video, for every number of patterns at once:
the first m rows are the best m patterns, and their transpose the best linear
reconstruction. That is what minimising the loss of the initial reconstruction
[zhang2023hitvcsnet, eq. (7)] over patterns and upsampling matrices tends to.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

SIDE = 32
PIXELS = SIDE * SIDE


class BlockBasis(nn.Module):
    """Orthonormal `rows` (1024, 1024) of blocks, and the mean square `power` (1024) of what each row reads."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.eye(PIXELS))
        self.register_buffer("power", torch.ones(PIXELS))
        self.rows: torch.Tensor
        self.power: torch.Tensor

    def forward(self, blocks: torch.Tensor) -> torch.Tensor:
        """Readings (..., 1024) of blocks (..., 1024)."""
        return blocks @ self.rows.T

    def take(self, moment: torch.Tensor) -> BlockBasis:
        """Become the principal components of second moments (1024, 1024), largest first."""
        power, vectors = torch.linalg.eigh(moment.double())
        rows = vectors.flip(1).T
        sign = torch.where(rows.sum(1) < 0, -1.0, 1.0)  # an eigenvector's sign means nothing; fix it
        self.rows = (rows * sign[:, None]).float().contiguous()
        self.power = power.flip(0).clamp_min(0).float()
        return self

    def moment(self) -> torch.Tensor:
        """Second moments (1024, 1024) of blocks, float64."""
        rows = self.rows.double()
        return (rows.T * self.power.double()) @ rows


@remembered
def load_basis(weights: str) -> BlockBasis:
    """The basis of `weights`, checked against its card; rows made orthonormal again after storage in half precision.

    Raises:
        ModelError: missing, damaged, or weights of something else.
    """
    path, card = card_of(weights, "block_basis")
    basis = load_verified(BlockBasis, path, card, lambda built: built(probe_blocks()))
    basis.rows = _orthonormal(basis.rows.double()).float()
    return basis


def probe_blocks() -> torch.Tensor:
    """One block of a smooth and one of a busy pattern, (2, 1024)."""
    axis = torch.linspace(0, 1, SIDE)
    smooth, busy = axis[:, None] * axis, 0.5 + 0.5 * torch.sin(40 * axis[:, None] + 23 * axis)
    return torch.stack((smooth, busy)).flatten(1)


def linear_estimate(matrix: torch.Tensor, moment: torch.Tensor) -> torch.Tensor:
    """The linear estimate (1024, m) of blocks from readings with `matrix` (m, 1024) of least mean squared error."""
    wide = matrix.double()
    cross = moment @ wide.T
    seen = wide @ cross
    ridge = 1e-9 * seen.diagonal().mean() * torch.eye(len(seen), dtype=torch.float64)
    return torch.linalg.solve(seen + ridge, cross.T).T.float().contiguous()


def _orthonormal(rows: torch.Tensor) -> torch.Tensor:
    """The nearest orthonormal rows, by Newton and Schulz from rows that nearly are."""
    for _ in range(4):
        rows = 1.5 * rows - 0.5 * (rows @ rows.T) @ rows
    return rows


def basis_facts(basis: Any) -> dict[str, Any]:
    """What the card says: the share of the power that 10, 102 and 512 patterns catch."""
    share = basis.power.cumsum(0) / basis.power.sum()
    return {"block": SIDE, "caught": {str(m): round(float(share[m - 1]), 6) for m in (10, 102, 512)}}
