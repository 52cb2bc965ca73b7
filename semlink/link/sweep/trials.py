"""Repeat a point until its mean is known well enough.

A trial sends every clip once. The stopping interval is Student's t over the
trials' clip means: chance of noise and fading, with the clips held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from semlink.link.chain.interactive import Feedback

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class ClipTrial:
    """One clip in one trial: its qualities, its cost by purpose, its blocks, what its receiver said."""

    metrics: Mapping[str, float]
    uses: Mapping[str, float]
    blocks: int
    lost: int
    psnr_by_frame: tuple[float, ...] = ()
    ssim_by_frame: tuple[float, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channel_uses(self) -> float:
        return sum(self.uses.values())


@dataclass(frozen=True, slots=True)
class StopRule:
    """At least `min`, at most `max` trials; enough when the PSNR interval is narrow."""

    min: int
    max: int
    ci_halfwidth_db: float


def t_halfwidth(values: Sequence[float]) -> float:
    """Half width of the 95 % interval of the mean of independent values; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan")
    scale = stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2) / len(values) ** 0.5
    return float(np.std(values, ddof=1) * scale)


def wilson(failures: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of an error rate. Source: [wilson1927, p. 209]."""
    if total == 0:
        return float("nan"), float("nan")
    z2 = 1.959963984540054**2
    p = failures / total
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = (z2 * (p * (1 - p) / total + z2 / (4 * total**2))) ** 0.5 / (1 + z2 / total)
    low = 0.0 if failures == 0 else max(middle - half, 0.0)
    high = 1.0 if failures == total else min(middle + half, 1.0)
    return low, high


def repeat(one_trial: Callable[[int], Sequence[ClipTrial]], rule: StopRule) -> list[Sequence[ClipTrial]]:
    """Trials, each a value for every clip, until the rule is met."""
    trials: list[Sequence[ClipTrial]] = []
    while len(trials) < rule.max:
        trials.append(one_trial(len(trials)))
        if len(trials) >= rule.min and _known(trials, rule):
            break
    return trials


def _known(trials: Sequence[Sequence[ClipTrial]], rule: StopRule) -> bool:
    if len(trials) < 2:
        return False
    means = [float(np.mean([clip.metrics["psnr"] for clip in trial])) for trial in trials]
    return t_halfwidth(means) <= rule.ci_halfwidth_db
