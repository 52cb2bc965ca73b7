"""What both ends of a learned codec must agree on to the last bit: means and scales of the latents.

The hyper synthesis of `task_aware_net` in whole numbers (`exact_layers`). A
mean is a multiple of 1/256 of the quantiser's step; a scale is the number of
a table, by comparing whole numbers with whole thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from semlink.codecs.entropy_models import FactorisedPrior
from semlink.codecs.exact_layers import MOST, ONE, exact_conv, exact_product, exact_weights
from semlink.codecs.range_coding import NUM_SCALES, SCALE_BOTTOM, SCALES_PER_OCTAVE, ModelTable
from semlink.codecs.task_aware_net import KNOB_STEPS, TaskAwareNet

PRIOR_REACH = 40  # values of z beyond this are coded as escapes
_BOTTOM = round(ONE * float(np.log2(SCALE_BOTTOM)))
_TWICE = round(2 * SCALES_PER_OCTAVE)


@dataclass(frozen=True, slots=True)
class Expected:
    """Of each latent (c, h, w): mean in steps, a multiple of 1/256, and the number of its scale."""

    mean: torch.Tensor
    table: np.ndarray


class ExactHyper:
    """The hyper synthesis of a trained net, its gains and its prior, all in whole numbers."""

    def __init__(self, net: TaskAwareNet) -> None:
        synthesis = net.hyper_synthesis
        self._grow = [exact_weights(layer) for layer in synthesis.grow]  # type: ignore[arg-type]
        self._mix, self._out = exact_weights(synthesis.mix), exact_weights(synthesis.out)
        knobs = torch.arange(KNOB_STEPS + 1) / KNOB_STEPS
        with torch.no_grad():
            log_gain = _anchored(net.gain.anchors, knobs) + net.log_spread.double().view(1, -1)
            hyper_gain = _anchored(net.hyper_gain.anchors, knobs)
        self._log_unit = (log_gain * ONE).round()  # (knob, channel)
        self._unit = (log_gain.exp2() * ONE).round()
        self._inverse = ((-hyper_gain).exp2() * ONE).round()
        self.prior = prior_tables(net.prior)

    @torch.no_grad()
    def expect(self, z: np.ndarray, knob: int) -> Expected:
        """From whole z (c, h, w) and the knob 0..255."""
        x = (torch.from_numpy(z.astype(np.float64))[None] * self._inverse[knob].view(1, -1, 1, 1)).clamp(-MOST, MOST)
        for weights in self._grow:
            x = F.relu(F.pixel_shuffle(exact_conv(_with_knob(x, knob), weights), 2))
        mean, log_scale = exact_conv(F.relu(exact_conv(_with_knob(x, knob), self._mix)), self._out)[0].chunk(2)
        mean = exact_product(mean, self._unit[knob].view(-1, 1, 1))
        above = log_scale + self._log_unit[knob].view(-1, 1, 1) - _BOTTOM
        number = torch.floor((above * _TWICE + ONE) / (2 * ONE)).clamp(0, NUM_SCALES - 1)
        return Expected(mean / ONE, number.numpy().astype(np.int64))


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
