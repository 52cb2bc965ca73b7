"""Blocks of real symbols in the order of the air: plane by plane, interleaved, two to a channel use.

Plane j holds the j-th pair of every block that has one, blocks in the order of
rows. How many pairs each block has is all that is needed to undo it, and the
planes that all blocks share can be undone without even that. The interleaver
spreads neighbours over the whole transmission; it follows from its length.
"""

from __future__ import annotations

import numpy as np
import torch

from semlink.link.schemes.interleaver import interleaver
from semlink.payload import Received

ROOT = 0x5E31


def to_planes(symbols: torch.Tensor, pairs: np.ndarray) -> torch.Tensor:
    """Real symbols (1, 2 m, rows, columns) of mean square 1 as channel uses (1, n) of average power 1.

    `pairs` (rows, columns) says how many of its m pairs each block sends; n is their sum.
    """
    first, second = (symbols[0, k::2].reshape(symbols.shape[1] // 2, -1) for k in (0, 1))
    plane, block = _order(pairs)
    iq = torch.complex(first[plane, block], second[plane, block]) * 0.5**0.5
    return iq[torch.from_numpy(interleaver(ROOT, len(iq)))][None]


def from_planes(received: Received, pairs: np.ndarray, most: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    """Real symbols (1, 2 `most`, rows, columns) and the noise variance of each, infinite where nothing arrived."""
    heard, noise = received.iq[0], received.noise_var[0].float()
    unmixed = torch.empty_like(heard)
    spread = torch.empty_like(noise)
    order = torch.from_numpy(interleaver(ROOT, len(heard)))
    unmixed[order], spread[order] = heard, noise
    plane, block = _order(pairs)
    known = min(len(heard), len(plane))
    plane, block = plane[:known], block[:known]
    grid = torch.zeros(most, pairs.size, 2)
    grid[plane, block] = torch.view_as_real(unmixed[:known]) * 2**0.5
    noises = torch.full((most, pairs.size), torch.inf)
    noises[plane, block] = spread[:known]
    symbols = grid.permute(0, 2, 1).reshape(1, 2 * most, *pairs.shape)
    return symbols, noises.repeat_interleave(2, 0).view(1, 2 * most, *pairs.shape)


def pair_counts(uses: int, shape: tuple[int, int], most: int) -> np.ndarray:
    """`uses` pairs shared out evenly over blocks; the first blocks get the odd ones."""
    blocks = shape[0] * shape[1]
    each, more = divmod(min(uses, most * blocks), blocks)
    return (each + (np.arange(blocks) < more)).reshape(shape)


def _order(pairs: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Plane and block of every pair, in order of planes."""
    here = np.arange(int(pairs.max(initial=0)))[:, None] < pairs.ravel()[None]
    plane, block = np.nonzero(here)
    return torch.from_numpy(plane), torch.from_numpy(block)
