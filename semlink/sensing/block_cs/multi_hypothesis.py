"""Multi-hypothesis prediction from measurements: each block as a mixture of blocks of reconstructed key frames.

A block x is known by its measurements y = Phi x. Candidates h_j are the blocks
of the key frames at displacements v_j. Their measurements tell how well each
would do, so the mixture is a Tikhonov regularised fit in the measurement domain:

    w = argmin |y - sum_j w_j Phi h_j|^2 + weight^2 sum_j g_j w_j^2
    g_j = |y - Phi h_j|^2 + stillness |v_j|^2 E

The second part of g_j is this project's own. E is the gradient energy of the
reference: a block displaced by v differs from itself by about |v|^2 E, so few
measurements are not trusted to find motion where none is. Neighbouring
predictions overlap and are blended across the edges of blocks.

Source: [tramel2011, Sec. 3], [mun2011]; blending as in [orchard1994].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby

import torch
from torch.nn import functional as F

from semlink.blocks import ReconstructionBase
from semlink.payload import Frames, Projections
from semlink.sensing.block_cs.sampler import BLOCK, BlockSampler, grid_of, references
from semlink.sensing.block_cs.smoothed_projections import (
    BlockTv,
    CompiledDenoiser,
    Patterns,
    meet,
    readings_by_frame,
    restore,
)

__all__ = ["Hypotheses", "MultiHypothesisReconstructor", "displacements", "predict"]

_LEAST = 1e-9
MANY = 384
"""Readings of a block above which it is quicker to solve the fit for its weights, some hundreds, than its dual."""


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Which candidates, and how they are mixed.

    Attributes:
        near: all displacements up to this many pixels are tried.
        reach: and every second one up to this.
        blend: pixels on either side of an edge over which neighbouring predictions are mixed.
        weight: of the regularisation; measurements and penalties have the same unit, so it has none.
        stillness: of the penalty on displacement.
    """

    near: int = 3
    reach: int = 15
    blend: int = 8
    weight: float = 0.3
    stillness: float = 0.05


@dataclass(frozen=True, slots=True)
class MultiHypothesisReconstructor(ReconstructionBase):
    """Key frames by smoothed projections, the others predicted from those around them and from their measurements.

    What the measurements still tell beyond the prediction is put back: p + Phi^+ (y - Phi p).
    """

    sampler: BlockSampler
    settings: Hypotheses = Hypotheses()
    name: str = "multi-hypothesis"

    def reconstruct(self, measurement: Projections) -> Frames:
        shape = measurement.frames
        keys, others = self.sampler.split(shape.t)
        y_keys, y_others = readings_by_frame(measurement)
        phi_keys, phi_others = map(Patterns.of, self.sampler.matrices())
        alone = BlockTv()
        whole = torch.empty(len(y_keys), shape.t, *(BLOCK * side for side in grid_of(shape)))
        whole[:, keys] = restore(y_keys, phi_keys, whole.shape[2:], alone, CompiledDenoiser(alone))
        pairs = references(shape.t, self.sampler.gop)
        for pair in sorted({pairs[number] for number in others}):
            group = [place for place, number in enumerate(others) if pairs[number] == pair]
            around = whole[:, [keys[key] for key in sorted(set(pair))]]
            guess = predict(around, y_others[:, group], phi_others.rows, self.settings)
            whole[:, [others[place] for place in group]] = meet(guess, y_others[:, group], phi_others)
        return Frames(whole[..., : shape.h, : shape.w].clamp(0, 1))


def displacements(near: int, reach: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns: all up to `near`, every second up to `reach`; in each row even columns come first."""
    fine = {(y, x) for y in range(-near, near + 1) for x in range(-near, near + 1)}
    coarse = range(-(reach // 2) * 2, reach + 1, 2)
    return tuple(sorted(fine | {(y, x) for y in coarse for x in coarse}, key=lambda move: (move[0], move[1] % 2, move)))


@torch.no_grad()
def predict(
    references: torch.Tensor, readings: torch.Tensor, patterns: torch.Tensor, settings: Hypotheses | None = None
) -> torch.Tensor:
    """Frames predicted from reference frames and from measurements of their blocks; no gradient passes.

    Args:
        references: (b, r, h, w), whole blocks.
        readings: (b, n, places, m) of n frames, blocks in raster order.
        patterns: (m, side * side).
    Returns:
        (b, n, h, w), not clamped.
    """
    settings = settings or Hypotheses()
    side = round(patterns.shape[1] ** 0.5)
    b, r, h, w = references.shape
    rows, columns, blend = h // side, w // side, settings.blend
    moves = displacements(settings.near, settings.reach)
    margin = max(settings.reach, settings.near) + blend
    around = F.pad(references, (margin,) * 4, mode="replicate")
    y = readings.reshape(b, -1, rows, columns, readings.shape[-1])
    canvas = references.new_zeros(b, y.shape[1], h + 2 * blend, w + 2 * blend)
    window = _window(side, blend).to(references)
    edge = side + 2 * blend
    for row in range(rows):
        penalties = _penalties(references, row, side, moves, settings)
        for column in range(columns):  # a block at a time: the candidates of a row would not stay in the cache
            top, left = row * side, column * side
            found = _candidates(around, top, left, edge, max(settings.reach, settings.near), moves)  # (b, r k, e, e)
            weights = _weights(found, y[:, :, row, column], patterns, penalties[:, column], settings)
            mixed = (weights @ found.flatten(2)).view(b, -1, edge, edge)
            canvas[:, :, top : top + edge, left : left + edge] += mixed * window
    share = _cover(rows, side, blend)[:, None] * _cover(columns, side, blend)
    inside = slice(blend, blend + h), slice(blend, blend + w)
    return canvas[:, :, *inside] / share.to(canvas)[inside]


def _candidates(
    around: torch.Tensor, top: int, left: int, edge: int, reach: int, moves: tuple[tuple[int, int], ...]
) -> torch.Tensor:
    """Displaced places of one block, with their surroundings: (b, r * k, edge, edge)."""
    found = []
    for dy, first, count in _runs(moves):
        down, right = top + reach + dy, left + reach + first
        wide = around[:, :, down : down + edge, right : right + edge + 2 * (count - 1)]
        found.append(wide.unfold(3, edge, 2).transpose(2, 3))
    return torch.cat(found, 2).flatten(1, 2)


@cache
def _runs(moves: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int, int], ...]:
    """Row, first column and number of the moves that differ by two columns: each is one copy."""
    runs = []
    for (dy, _), group in groupby(moves, key=lambda move: (move[0], move[1] % 2)):
        columns = [dx for _, dx in group]
        runs.append((dy, columns[0], len(columns)))
    return tuple(runs)


def _weights(
    found: torch.Tensor, y: torch.Tensor, patterns: torch.Tensor, penalties: torch.Tensor, settings: Hypotheses
) -> torch.Tensor:
    """Weights (b, n, r * k) for readings y (b, n, m) of a block, by the dual of the fit: m unknowns, not r k.

    With many readings by the fit itself, whose matrix is, but for its diagonal, the same for all frames. In double
    precision: candidates that are nearly equal to the block make the fit so steep that rounding in single precision
    has cost single frames 4 dB.
    """
    blend, edge = settings.blend, found.shape[-1]
    inner = found[..., blend : edge - blend, blend : edge - blend].flatten(2)
    measured = (inner @ patterns.T).double()  # (b, r * k, m), the same for all frames
    wide = y.double()
    energy = _distances(wide, measured) + penalties[:, None]
    energy = energy + 1e-3 * energy.amin(-1, keepdim=True) + _LEAST
    if y.shape[-1] > MANY:
        gram = (measured @ measured.transpose(-1, -2))[:, None].repeat(1, y.shape[1], 1, 1)
        gram.diagonal(dim1=-2, dim2=-1).add_(settings.weight**2 * energy)
        return _solved(gram, wide @ measured.transpose(-1, -2)).to(y)
    inverse = 1 / energy
    weighed = measured.transpose(-1, -2)[:, None] * inverse[..., None, :]  # (b, n, m, r * k)
    gram = (weighed.flatten(1, 2) @ measured).view(*weighed.shape[:3], -1)
    gram.diagonal(dim1=-2, dim2=-1).add_(settings.weight**2)
    return (inverse * (_solved(gram, wide) @ measured.transpose(-1, -2))).to(y)


def _distances(y: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """|y - Phi h_j|^2 (b, n, r * k)."""
    squares = y.square().sum(-1, keepdim=True) + measured.square().sum(-1)[:, None]
    return (squares - 2 * (y @ measured.transpose(-1, -2))).clamp_min(0)


def _solved(gram: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """gram^-1 y; what rounding has left without a Cholesky factor is solved by elimination."""
    factor, wrong = torch.linalg.cholesky_ex(gram)
    if bool(wrong.any()):
        return torch.linalg.solve_ex(gram, y[..., None])[0][..., 0]
    return torch.cholesky_solve(y[..., None], factor)[..., 0]


def _penalties(
    references: torch.Tensor, row: int, side: int, moves: tuple[tuple[int, int], ...], settings: Hypotheses
) -> torch.Tensor:
    """stillness |v_j|^2 E for one row of blocks: (b, columns, r * k)."""
    b, r, _, w = references.shape
    strip = references[:, :, row * side : (row + 1) * side]
    energy = F.pad(strip.diff(dim=-1).square(), (0, 1)) + F.pad(strip.diff(dim=-2).square(), (0, 0, 0, 1))
    energy = energy.view(b, r, side, w // side, side).sum((2, 4)) / 2  # per block
    squares = torch.tensor([float(dy * dy + dx * dx) for dy, dx in moves]).to(references)
    return (settings.stillness * energy[..., None] * squares).transpose(1, 2).flatten(2)


@cache
def _window(side: int, blend: int) -> torch.Tensor:
    """(side + 2 blend)^2: one inside, falling to zero over 2 blend pixels across each edge."""
    one = _ramp(side, blend)
    return one[:, None] * one


def _ramp(side: int, blend: int) -> torch.Tensor:
    if not blend:
        return torch.ones(side)
    at = torch.arange(side + 2 * blend) + 0.5
    return (torch.minimum(at, side + 2 * blend - at) / (2 * blend)).clamp(0, 1)


@cache
def _cover(count: int, side: int, blend: int) -> torch.Tensor:
    """Sum of the windows of `count` neighbours along one axis."""
    total = torch.zeros(count * side + 2 * blend)
    for number in range(count):
        total[number * side : (number + 1) * side + 2 * blend] += _ramp(side, blend)
    return total.clamp_min(_LEAST)
