"""What both ends of a learned codec must agree on to the last bit: means and scales of the latents.

The hyper synthesis of `task_aware_net` and the contexts of `latent_context` in
whole numbers (`exact_layers`). A mean is a multiple of 1/256 of the quantiser's
step; a scale is the number of a table, by comparing whole numbers with whole
thresholds. Sender and receiver walk through the stages alike; only what they
do at each differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from semlink.codecs.entropy.range_coder import NUM_SCALES, SCALE_BOTTOM, SCALES_PER_OCTAVE, ModelTable
from semlink.codecs.task_aware.entropy_models import FactorisedPrior
from semlink.codecs.task_aware.integer_layers import MOST, ONE, exact_conv, exact_product, exact_weights
from semlink.codecs.task_aware.latent_context import Stage, StageContext, clipped_sizes, stages_of
from semlink.codecs.task_aware.networks import KNOB_STEPS, TaskAwareNet

PRIOR_REACH = 40  # values of z beyond this are coded as escapes
_BOTTOM = round(ONE * float(np.log2(SCALE_BOTTOM)))
_TWICE = round(2 * SCALES_PER_OCTAVE)


@dataclass(frozen=True, slots=True)
class Expected:
    """Of the latents of one stage (c, h, w): mean in steps, a multiple of 1/256, and the number of its scale."""

    mean: torch.Tensor
    table: np.ndarray


Visit = Callable[[Stage, np.ndarray, Expected], np.ndarray]
"""Takes a stage, its places (h, w) and what is expected there; gives whole levels (c, h, w), 0 at other places."""


class ExactHyper:
    """Hyper synthesis, contexts, gains and prior of a trained net, all in whole numbers."""

    def __init__(self, net: TaskAwareNet) -> None:
        synthesis = net.hyper_synthesis
        self._grow = [exact_weights(layer) for layer in synthesis.grow]  # type: ignore[arg-type]
        self._mix, self._out = exact_weights(synthesis.mix), exact_weights(synthesis.out)
        latents = net.sizes.latents
        self.stages = (Stage(0, latents),) if net.context is None else stages_of(latents)
        self._contexts = [_ExactContext(context) for context in net.context or ()]  # type: ignore[arg-type]
        knobs = torch.arange(KNOB_STEPS + 1) / KNOB_STEPS
        with torch.no_grad():
            log_gain = _anchored(net.gain.anchors, knobs) + net.log_spread.double().view(1, -1)
            hyper_gain = _anchored(net.hyper_gain.anchors, knobs)
        self._log_unit = (log_gain * ONE).round()  # (knob, channel)
        self._unit = (log_gain.exp2() * ONE).round()
        self._inverse = ((-hyper_gain).exp2() * ONE).round()
        self.prior = prior_tables(net.prior)

    @torch.no_grad()
    def walk(self, z: np.ndarray, knob: int, visit: Visit) -> torch.Tensor:
        """Latents in steps (c, 4 h, 4 w) from whole z (c, h, w) and the knob 0..255, `visit` giving the levels."""
        mean, log_scale = self._of_z(z, knob)
        done = torch.zeros_like(mean)
        for number, stage in enumerate(self.stages):
            own, mask = slice(stage.first, stage.last), stage.mask(*mean.shape[1:])
            centre, log_width = mean[own], log_scale[own]
            if number > 0:
                shift, widen = self._contexts[number - 1].look(done[: stage.sees], knob)
                centre, log_width = (centre + shift).clamp(-MOST, MOST), log_width + widen
            above = log_width - _BOTTOM
            table = torch.floor((above * _TWICE + ONE) / (2 * ONE)).clamp(0, NUM_SCALES - 1)
            expected = Expected(centre / ONE, table.numpy().astype(np.int64))
            levels = torch.from_numpy(visit(stage, mask.numpy(), expected).astype(np.float64))
            done[own] = torch.where(mask, (centre + levels * ONE).clamp(-MOST, MOST), done[own])
        return done / ONE

    def _of_z(self, z: np.ndarray, knob: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log2 scale of all latents as far as z tells, in units of 1/256."""
        x = (torch.from_numpy(z.astype(np.float64))[None] * self._inverse[knob].view(1, -1, 1, 1)).clamp(-MOST, MOST)
        for weights in self._grow:
            x = F.relu(F.pixel_shuffle(exact_conv(_with_knob(x, knob), weights), 2))
        mean, log_scale = exact_conv(F.relu(exact_conv(_with_knob(x, knob), self._mix)), self._out)[0].chunk(2)
        mean = exact_product(mean, self._unit[knob].view(-1, 1, 1)).clamp(-MOST, MOST)
        return mean, log_scale + self._log_unit[knob].view(-1, 1, 1)


class _ExactContext:
    """`StageContext` in whole numbers."""

    def __init__(self, context: StageContext) -> None:
        layers = (context.linear, context.near, context.mix, context.out)
        self._linear, self._near, self._mix, self._out = (exact_weights(layer) for layer in layers)

    def look(self, seen: torch.Tensor, knob: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Corrections of mean and log2 scale (c, h, w) from latents seen (s, h, w), all in units of 1/256."""
        seen = seen[None]
        features = _with_knob(torch.cat(clipped_sizes(seen, ONE), 1), knob)
        hidden = F.relu(exact_conv(F.relu(exact_conv(features, self._near)), self._mix))
        return exact_conv(seen, self._linear)[0], exact_conv(hidden, self._out)[0]


def prior_tables(prior: FactorisedPrior) -> tuple[ModelTable, ...]:
    """One table a channel for whole values, worked out in double precision on one pixel after the other."""
    values = torch.arange(-PRIOR_REACH, PRIOR_REACH + 1).double()
    channels = prior.matrices[0].shape[0]
    with torch.no_grad():
        masses = prior.mass_by_channel(values.expand(channels, 1, -1))[:, 0].numpy()
    return tuple(_shortest(mass) for mass in masses)


def channel_tables(shape: Sequence[int]) -> np.ndarray:
    """The table of each entry of (c, h, w): its channel."""
    return np.broadcast_to(np.arange(shape[0]).reshape(-1, 1, 1), tuple(shape))


def _shortest(masses: np.ndarray) -> ModelTable:
    """The table without values at either end that hardly occur."""
    likely = np.flatnonzero(masses > 1e-6)
    first, last = (likely[0], likely[-1]) if likely.size else (PRIOR_REACH, PRIOR_REACH)
    return ModelTable.of(int(first) - PRIOR_REACH, masses[first : last + 1])


def _anchored(anchors: torch.Tensor, knobs: torch.Tensor) -> torch.Tensor:
    """(knobs, channels): `Gain` in double precision."""
    at = knobs.double() * (len(anchors) - 1)
    below = at.floor().clamp_max(len(anchors) - 2).long()
    share = (at - below).view(-1, 1)
    return anchors.double()[below] * (1 - share) + anchors.double()[below + 1] * share


def _with_knob(x: torch.Tensor, knob: int) -> torch.Tensor:
    plane = round(ONE * (2 * knob / KNOB_STEPS - 1))
    return torch.cat((x, x.new_full((1, 1, *x.shape[2:]), plane)), 1)
