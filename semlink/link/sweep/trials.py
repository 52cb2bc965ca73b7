"""Repeat a point until its mean is known well enough.

A trial sends every clip once. The interval is that of the noise and fading,
with the clips held fixed. Whoever looks at an interval after every trial and
stops when it happens to be narrow stops too early: so it is looked at a few
times only, and the looks share one probability of error.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from semlink.link.metrics.intervals import ERROR, halfwidth_without_loss, is_within
from semlink.link.metrics.registry import PSNR
from semlink.link.results.clip_trial import ClipTrial, draws_of
from semlink.link.scenario.scenario import Scenario


@dataclass(frozen=True, slots=True)
class StopRule:
    """At least `min`, at most `max` trials; enough when the PSNR interval is narrow at one of the looks."""

    min: int
    max: int
    ci_halfwidth_db: float

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of trials after which the interval is looked at: `max`, its halves down to `min`, and `min`."""
        found = {self.min, self.max}
        half = math.ceil(self.max / 2)
        while half > self.min:
            found.add(half)
            half = math.ceil(half / 2)
        return tuple(sorted(found))

    def error(self, trials: int) -> float:
        """The probability of error of the look after `trials`: its part of 5 %, as large as its part of `max`.

        The parts add up to 5 %, so that whatever look ends the run, the interval
        misses the mean in at most 5 % of runs (a union bound over the looks).
        Where there is one look, it has all.
        """
        looks = [0, *(look for look in self.looks if look <= trials)]
        return ERROR * (looks[-1] - looks[-2]) / self.max if len(looks) > 1 else ERROR

    def narrowest(self, clips: int, damage: float) -> float:
        """The half width in dB that it ends with at best: nothing is ever lost, and a loss would cost `damage` dB."""
        return halfwidth_without_loss(damage, self.max * clips, self.error(self.max))

    def enough(self, clips: int, damage: float) -> StopRule:
        """The rule with the least `max` that can meet the half width."""

        def can(most: int) -> bool:
            rule = replace(self, max=most)
            return rule.narrowest(clips, damage) <= self.ci_halfwidth_db

        high = self.max
        while not can(high):
            high *= 2
        return replace(self, max=self.max + bisect_left(range(self.max, high + 1), True, key=can))

    def is_met(self, trials: Sequence[Sequence[ClipTrial]]) -> bool:
        """Whether the PSNR interval of these trials is narrow enough."""
        return is_within(draws_of(trials, PSNR), self.ci_halfwidth_db, self.error(len(trials)))

    def ends(self, trials: Sequence[Sequence[ClipTrial]]) -> bool:
        """Whether to stop here."""
        count = len(trials)
        return count >= self.max or count in self.looks and self.is_met(trials)


def stop_rule(scenario: Scenario) -> StopRule:
    """The rule that a scenario asks for."""
    return StopRule(scenario.trials.min, scenario.trials.max, scenario.trials.ci_halfwidth_db)


def repeat(one_trial: Callable[[int], Sequence[ClipTrial]], rule: StopRule) -> list[Sequence[ClipTrial]]:
    """Trials, each a value for every clip, until the rule is met."""
    trials: list[Sequence[ClipTrial]] = []
    while not trials or not rule.ends(trials):
        trials.append(one_trial(len(trials)))
    return trials
