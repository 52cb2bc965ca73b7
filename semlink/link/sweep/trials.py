"""Repeat a point until its mean is known well enough.

A trial sends every clip once. The stopping interval is Student's t over the
trials' clip means: chance of noise and fading, with the clips held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.results.clip_trial import ClipTrial

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class StopRule:
    """At least `min`, at most `max` trials; enough when the PSNR interval is narrow."""

    min: int
    max: int
    ci_halfwidth_db: float


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
