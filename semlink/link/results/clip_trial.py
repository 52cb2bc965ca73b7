"""One clip in one trial: its qualities and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from semlink.files import Json
from semlink.link.metrics.draws import Draws, drawn
from semlink.link.metrics.registry import Metric

if TYPE_CHECKING:
    from semlink.feedback import Feedback


@dataclass(frozen=True, slots=True)
class ClipTrial:
    """One clip in one trial: its qualities, its cost by purpose, its blocks, what its receiver said.

    `metrics` and `by_frame` are by the name of a metric; so are `extremes`, for
    each what a receiver scores that knows nothing of the clip, and the best
    that is plausible: intervals reckon with losses that were never seen.
    """

    metrics: Mapping[str, float]
    uses: Mapping[str, float]
    blocks: int
    lost: int
    by_frame: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    feedback: tuple[Feedback, ...] = ()
    diagnostics: Json = field(default_factory=dict)
    extremes: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def channel_uses(self) -> float:
        return sum(self.uses.values())


def draws_of(trials: Sequence[Sequence[ClipTrial]], metric: Metric) -> Draws:
    """A metric's values in trials, each with every clip, as draws."""
    values = [[clip.metrics[metric.name] for clip in trial] for trial in trials]
    has_blocks = any(clip.blocks for trial in trials for clip in trial)
    lost = np.array([[clip.lost for clip in trial] for trial in trials]) if has_blocks else None
    return drawn(values, metric, lost, [clip.extremes for clip in trials[0]])
