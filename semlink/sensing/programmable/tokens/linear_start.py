"""The linear estimate of a block of least squared error, from its readings and those around it, for one ratio map.

Readings r of a block and of `MARGIN` pixels around it estimate its cosine
coefficients as W (r - mean). What a network adds to that must not speak against
the readings of the block: P takes away from a correction what they rule out,

    P = 1 - W0 A,    W0 the estimate from the readings A x of the block alone,

as far as they can be believed beside their noise.

Source: textbook (LMMSE); the projection compare [yuan2016gaptv, Algorithm 1].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch.nn import functional as F

from semlink.sensing.programmable.tokens.cosine import SIDE, cosines
from semlink.sensing.programmable.tokens.motion import COMPONENTS, Motion, motion_of
from semlink.sensing.programmable.tokens.prior import (
    Prior,
    covariance_of,
    exposure_weights,
    window_readings,
    with_coefficients,
)

MARGIN = 2
WINDOW = SIDE + 2 * MARGIN


class Start(Protocol):
    """The linear part of a decoder, for the readings of one map."""

    @property
    def known(self) -> torch.Tensor:
        """Of each coefficient that gets corrected, the share of its variance that the estimate explains (k,)."""
        ...

    def estimate(self, readings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Coefficients (b, h, w, coefs) and chances of motions (b, h, w, components).

        `readings` (b, slots, 8 h, 8 w) are less the mean, those that are not taken being 0.
        """
        ...

    def keep(self, added: torch.Tensor) -> torch.Tensor:
        """Coefficients (b, h, w, coefs) of what is left of a correction (b, h, w, k) beside the readings."""
        ...


@dataclass(frozen=True, slots=True)
class LinearStart:
    """What `tile_start` finds for a map that repeats in blocks; a `Start`.

    Attributes:
        places, wide: of the readings (n,) in a window (slot, row, column), and the estimate from them (coefs, n).
        own_places, own: the same from the block alone, for blocks at the border of a frame.
        kept: P for corrections of the first coefficients by `order`, (coefs, k).
        known: see `Start`.
        motion: None leaves it out.
    """

    places: torch.Tensor
    wide: torch.Tensor
    own_places: torch.Tensor
    own: torch.Tensor
    kept: torch.Tensor
    known: torch.Tensor
    motion: Motion | None

    def to(self, device: torch.device) -> LinearStart:
        tensors = {name: getattr(self, name).to(device) for name in self.__slots__ if name != "motion"}
        return LinearStart(**tensors, motion=None if self.motion is None else self.motion.to(device))

    def without_motion(self) -> LinearStart:
        """The linear estimate alone."""
        return replace(self, motion=None)

    def keep(self, added: torch.Tensor) -> torch.Tensor:
        """See `Start`."""
        return added @ self.kept.T

    def estimate(self, readings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Start`; blocks at the border lack what they would need to tell motion."""
        around = F.pad(readings, (MARGIN,) * 4).unfold(2, WINDOW, SIDE).unfold(3, WINDOW, SIDE)
        windows = around.permute(0, 2, 3, 1, 4, 5).flatten(3)
        seen = windows[..., self.places]
        found, chances = seen @ self.wide.T, unmoved(windows)
        edge = torch.ones(found.shape[1:3], dtype=torch.bool, device=found.device)
        edge[1:-1, 1:-1] = False
        found[:, edge] = windows[:, edge][..., self.own_places] @ self.own.T
        if self.motion is not None and not bool(edge.all()):
            inner = seen[:, 1:-1, 1:-1]
            change, moved = self.motion.seen(inner.flatten(0, 2))
            found[:, 1:-1, 1:-1] += change.view(*inner.shape[:3], -1)
            chances[:, 1:-1, 1:-1] = moved.view(*inner.shape[:3], -1)
        return found, chances


def tile_start(counts: torch.Tensor, prior: Prior, order: torch.Tensor, dtype: torch.dtype) -> LinearStart:
    """The linear estimate for a map whose blocks all are `counts` (8, 8).

    Args:
        order: names the coefficients that get corrected (k,).
        dtype: of the products over motion.
    """
    around = (torch.arange(WINDOW) - MARGIN) % SIDE
    read = window_readings(counts[around][:, around], MARGIN, prior)
    rows, columns = read.rows, read.columns
    inside = [(side >= MARGIN) & (side < WINDOW - MARGIN) for side in (rows, columns)]
    own = (inside[0] & inside[1]).nonzero()[:, 0]
    table = prior.by_distance()
    seen, cross = covariance_of(table, read) + torch.diag(read.variance), with_coefficients(table, read)
    wide, alone = _solved(seen, cross), _solved(seen[own][:, own], cross[:, own])
    exposed = _exposed(exposure_weights(prior.num_frames)[read.kinds[own]], rows[own] - MARGIN, columns[own] - MARGIN)
    kept = -(alone @ exposed[:, order])
    kept[order, torch.arange(len(order))] += 1
    known = ((wide * cross).sum(1) / prior.variances())[order].clamp(0, 1)
    motion = motion_of(prior, read, dtype) if len(read.places) else None
    return LinearStart(read.places, wide, read.places[own], alone, kept, known, motion)


def unmoved(blocks: torch.Tensor) -> torch.Tensor:
    """Chances of motions (b, h, w, components) where nothing is known of motion, for blocks (b, h, w, ...)."""
    chances = blocks.new_zeros(*blocks.shape[:3], COMPONENTS)
    chances[..., -1] = 1
    return chances


def _exposed(weights: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Readings of a block from its coefficients: (n, coefs)."""
    time, space = weights @ cosines(weights.shape[1]).T, cosines(SIDE).T
    return torch.einsum("nf,nu,nv->nfuv", time, space[rows], space[columns]).flatten(1)


def _solved(seen: torch.Tensor, cross: torch.Tensor) -> torch.Tensor:
    """cross seen^-1."""
    return torch.cholesky_solve(cross.T, torch.linalg.cholesky(seen)).T.contiguous()
