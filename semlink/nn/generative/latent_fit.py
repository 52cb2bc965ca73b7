"""Video from few measurements: codes of a generator, and its weights, moved until it agrees with them.

    min over z_1..z_T (and, jointly, the weights)  lam/(T n) sum_t |y_t - A_t G(z_t)|^2
                                                   + (1 - lam)/((T - 1) k) sum_t |z_(t+1) - z_t|^2

One epoch is one gradient of the whole sequence, at which codes take a plain
step of 200 T / 256 and weights a step of Adam at 0.001 T / 256; then codes go
back to their subspace. All frames start from one fixed code of length 1.
Measurements are of pixels in [0, 1]; the generator's range is [-1, 1], so
with x = (g + 1) / 2 the residual above is A g - (2 y - A 1). Its square is
divided by all n pixels of a frame, read or not. The public code divides that of
m Gaussian measurements by m, so that with N(0, 1/m) patterns the same error
pushes codes n/m times as far; with our generators that drives them out of the
range where they were trained.

Any number of sequences is fitted, three at a time, each as if it were alone.

Source: [hyder2019gmlr, Sec. 2 and 3]; steps, start and Adam (where the text has
SGD) are those of its public code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from semlink.errors import InterfaceError, ScenarioError
from semlink.nn.cpu import bf16_pays
from semlink.nn.generative.batched_generator import GeneratorBatch
from semlink.nn.generative.early_stopping import EarlyStopping
from semlink.nn.generative.generator import Generator
from semlink.nn.generative.generator_weights import start_code
from semlink.nn.generative.latent_rank import Projection, onto_rank
from semlink.nn.generative.operators import Operator

__all__ = ["Fit", "FitSettings", "Precision", "fit", "hidden_dtype", "objective"]

CODE_STEP, WEIGHT_RATE = 200 / 256, 0.001 / 256  # for each frame of the sequence
AT_ONCE = 3  # sequences: an epoch of ten together costs a quarter more, since what they keep leaves the cache
Precision = Literal["auto", "float32", "bf16"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to fit.

    Attributes:
        learn: `latent` moves codes only, `joint` the weights as well.
        rank: of the codes; None for any.
        projection: `svd`, or `pca` (mean and rank - 1 directions; rank 2 is a line).
        similarity: lam; None leaves out the second sum, as 1 does.
        epochs: at most.
        stop: when to end before; None to go on.
        precision: of hidden layers and Gaussian patterns; `auto` is bf16 where the CPU multiplies it in hardware.
    Raises:
        ScenarioError: a value that means nothing.
    """

    learn: Literal["latent", "joint"] = "joint"
    rank: int | None = None
    projection: Projection = "svd"
    similarity: float | None = None
    epochs: int = 2000
    stop: EarlyStopping | None = field(default_factory=EarlyStopping)
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise ScenarioError(f"gmlr: rank is {self.rank}; allowed: 1 or more, or null")
        if self.similarity is not None and not 0 <= self.similarity <= 1:
            raise ScenarioError(f"gmlr: similarity is {self.similarity:g}; allowed: 0 to 1, or null")
        if self.epochs < 1:
            raise ScenarioError(f"gmlr: epochs is {self.epochs}; allowed: 1 or more")


@dataclass(frozen=True, slots=True)
class Fit:
    """What came out for s sequences.

    Attributes:
        codes: (s, t, k).
        generators: s of them; one, shared by all, if only codes were learned.
        loss: float64 (epochs, s), the objective; NaN after a sequence ended.
    """

    codes: torch.Tensor
    generators: GeneratorBatch
    loss: torch.Tensor

    @classmethod
    def joined(cls, parts: Sequence[Fit], shared: bool) -> Fit:
        """Fits of groups of sequences as one; `shared`: one generator serves them all."""
        generators = parts[0].generators
        if not shared:
            tensors = zip(*(part.generators.tensors for part in parts), strict=True)
            generators = generators.with_tensors(tuple(torch.cat(group) for group in tensors))
        return cls(
            torch.cat([part.codes for part in parts]), generators, torch.cat([part.loss for part in parts], dim=1)
        )

    @property
    def epochs(self) -> torch.Tensor:
        """Epochs (s,) that each sequence took."""
        return self.loss.isfinite().sum(0)

    @torch.no_grad()
    def pixels(self, codes: torch.Tensor | None = None) -> torch.Tensor:
        """Frames (s, t, n) in [0, 1] of `codes` (s, t, k), by default the fitted ones."""
        return (generated(self.generators, self.codes if codes is None else codes) + 1) / 2


def fit(
    generator: Generator,
    operator: Operator,
    readings: torch.Tensor,
    settings: FitSettings = FitSettings(),
    *,
    ranks: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Codes, and with `learn: joint` weights, for readings (s, t, m) of s sequences.

    Args:
        generator: where the weights start; it stays as it is.
        ranks: one for each sequence (s,), instead of `settings.rank`.
        weights: of the readings, (s, t, m) or broadcast to it: 0 keeps one out.
        progress: told after some epochs how many are done and how many there are at most.
    Raises:
        InterfaceError: a rank above the number of frames, or no readings.
    """
    s, t, m = readings.shape
    if not s or not t or not m:
        raise InterfaceError(
            f"gmlr: readings of shape {tuple(readings.shape)}; allowed: at least one sequence and frame"
        )
    check_rank(settings.rank, t)
    if ranks is None:
        ranks = torch.full((s,), settings.rank or t + 1)
    groups = range(0, s, AT_ONCE)
    parts = []
    for number, first in enumerate(groups):
        some = slice(first, first + AT_ONCE)
        kept = None if weights is None else weights.expand_as(readings)[some]
        state = _State.start(generator, operator, readings[some], settings, ranks[some], kept)
        parts.append(state.run(_share_of(progress, number, len(groups))))
    return Fit.joined(parts, shared=settings.learn == "latent")


def _share_of(progress: Progress | None, number: int, groups: int) -> Progress:
    """What one group of several tells: epochs of all groups."""
    if progress is None:
        return lambda done, total: None
    return lambda done, total: progress(number * total + done, groups * total)


def check_rank(rank: int | None, frames: int) -> None:
    """Raise InterfaceError for a rank above the number of frames."""
    if rank is not None and rank > frames:
        raise InterfaceError(f"gmlr: rank {rank} for {frames} frames; allowed: 1 to {frames}, or null for any")


def generated(generators: GeneratorBatch, codes: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Pictures (s, t, n) in [-1, 1]; one generator serves all sequences."""
    if len(generators.first) == 1:
        return generators(codes.flatten(0, 1)[None], dtype).view(*codes.shape[:2], -1)
    return generators(codes, dtype)


def objective(
    generators: GeneratorBatch,
    codes: torch.Tensor,
    operator: Operator,
    target: torch.Tensor,
    *,
    similarity: float | None = None,
    weights: torch.Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """What is minimised, for each sequence (s,); `target` = 2 y - A 1."""
    residual = operator.forward(generated(generators, codes, dtype)) - target
    if weights is not None:
        residual = residual * weights
    loss = residual.square().sum((1, 2)) / (target.shape[1] * operator.num_pixels)
    if similarity is None or codes.shape[1] == 1:
        return loss
    return similarity * loss + (1 - similarity) * codes.diff(dim=1).square().mean((1, 2))


def hidden_dtype(precision: Precision) -> torch.dtype:
    """The dtype of hidden layers."""
    if precision == "auto":
        return torch.bfloat16 if bf16_pays() else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


@dataclass(slots=True)
class _State:
    """Sequences that are still moving, and where those that ended came to rest."""

    operator: Operator
    settings: FitSettings
    target: torch.Tensor
    ranks: torch.Tensor
    weights: torch.Tensor | None
    codes: torch.Tensor
    generators: GeneratorBatch
    adam: torch.optim.Adam | None
    moving: torch.Tensor  # numbers of the sequences above
    codes_at_rest: torch.Tensor
    generators_at_rest: GeneratorBatch
    loss: torch.Tensor

    @classmethod
    def start(cls, generator, operator, readings, settings, ranks, weights) -> _State:
        s, t, _ = readings.shape
        ones = torch.ones(1, t, generator.planes * 64 * 64)
        codes = start_code(generator.latent).repeat(s, t, 1)
        joint = settings.learn == "joint"
        rest = GeneratorBatch.of(generator, s if joint else 1)
        moving = rest.with_tensors(tuple(w.clone().requires_grad_(joint) for w in rest.tensors))
        return cls(
            operator,
            settings,
            2 * readings - operator.forward(ones),
            ranks,
            None if weights is None else weights.expand_as(readings),
            codes,
            moving,
            torch.optim.Adam(moving.tensors, lr=WEIGHT_RATE * t, fused=True) if joint else None,
            torch.arange(s),
            codes.clone(),
            rest,
            torch.full((settings.epochs, s), torch.nan, dtype=torch.float64),
        )

    def run(self, progress: Progress) -> Fit:
        total, stop = self.settings.epochs, self.settings.stop
        for epoch in range(total):
            self.loss[epoch, self.moving] = self.step().double()
            if stop is not None and stop.is_due(epoch + 1):
                self.rest(stop.ended(self.loss[: epoch + 1, self.moving]))
            if (epoch + 1) % 50 == 0:
                progress(epoch + 1, total)
            if not len(self.moving):
                break
        self.rest(torch.ones(len(self.moving), dtype=torch.bool))
        progress(total, total)
        return Fit(self.codes_at_rest, self.generators_at_rest, self.loss)

    @torch.enable_grad()
    def step(self) -> torch.Tensor:
        """One epoch; the objective (s,) before it."""
        codes, t = self.codes.requires_grad_(), self.codes.shape[1]
        loss = objective(
            self.generators,
            codes,
            self.operator,
            self.target,
            similarity=self.settings.similarity,
            weights=self.weights,
            dtype=hidden_dtype(self.settings.precision),
        )
        learned = self.generators.tensors if self.adam else ()
        by_code, *by_weight = torch.autograd.grad(loss.sum(), (codes, *learned))
        self.codes = onto_rank(codes.detach() - CODE_STEP * t * by_code, self.ranks, self.settings.projection)
        if self.adam:
            for tensor, grad in zip(learned, by_weight, strict=True):
                tensor.grad = grad.contiguous()  # the fused step reads memory in its order
            self.adam.step()
        return loss.detach()

    def rest(self, ended: torch.Tensor) -> None:
        """Put away the sequences that `ended`, and go on with the others."""
        if not ended.any():
            return
        self.codes_at_rest[self.moving[ended]] = self.codes[ended].detach()
        if self.adam:
            for place, tensor in zip(self.generators_at_rest.tensors, self.generators.tensors, strict=True):
                place[self.moving[ended]] = tensor[ended].detach()
        kept = ~ended
        self.moving, self.codes = self.moving[kept], self.codes[kept].detach()
        self.target, self.ranks = self.target[kept], self.ranks[kept]
        self.weights = None if self.weights is None else self.weights[kept]
        if self.adam:
            self._keep_weights(kept, self.adam)

    def _keep_weights(self, kept: torch.Tensor, old_adam: torch.optim.Adam) -> None:
        before, states = self.generators.tensors, old_adam.state
        after = tuple(tensor.detach()[kept].requires_grad_() for tensor in before)
        adam = torch.optim.Adam(after, lr=old_adam.param_groups[0]["lr"], fused=True)
        for old, new in zip(before, after, strict=True):
            moments = {name: states[old][name][kept] for name in ("exp_avg", "exp_avg_sq")}
            adam.state[new] = {"step": states[old]["step"], **moments}
        self.generators, self.adam = self.generators.with_tensors(after), adam
