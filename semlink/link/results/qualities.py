"""The qualities of a point: means over clips and trials with their intervals, as a row holds them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semlink.files import JsonDict
from semlink.link.metrics.intervals import ERROR, halfwidth, share_interval, t_halfwidth
from semlink.link.metrics.registry import Metric, metrics_named
from semlink.link.results.clip_trial import ClipTrial, draws_of
from semlink.link.results.rows import COLUMNS, PER_SAMPLE

Trials = Sequence[Sequence[ClipTrial]]
"""For each trial every clip."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What the intervals of a point stand for.

    Attributes:
        error: the probability that one misses: 5 %, or the part of it that the stop rule's last look had.
        is_certain: no noise is drawn, so that every trial would be the same.
    """

    error: float = ERROR
    is_certain: bool = False


ONE_LOOK = Doubt()
"""A number of trials that was fixed beforehand."""


def scored(names: Iterable[str], folder: Path | None = None) -> tuple[Metric, ...]:
    """The metrics that a scenario names, PSNR always among them.

    Raises:
        ScenarioError, UnknownBlock: a name leads nowhere, or a column is taken.
    """
    return metrics_named(names, folder, taken=(*COLUMNS, PER_SAMPLE, "extra"))


def qualities(trials: Trials, metrics: Sequence[Metric], doubt: Doubt = ONE_LOOK) -> JsonDict:
    """The fields of a `Row` that say how good a point is.

    A metric without a column of its own in `Row` goes to `extra`. An interval
    that one trial, or one clip, cannot tell is NaN.
    """
    own: JsonDict = {}
    extra: dict[str, float] = {}
    for metric in metrics:
        home = own if metric.column in COLUMNS else extra
        home[metric.column] = float(np.mean([[clip.metrics[metric.name] for clip in trial] for trial in trials]))
        home[metric.interval] = _noise(trials, metric, doubt)
    by_clip = [float(np.mean([trial[n].metrics["psnr"] for trial in trials])) for n in range(len(trials[0]))]
    over_clips = max(t_halfwidth(by_clip), 0.0 if math.isnan(own["psnr_ci95"]) else own["psnr_ci95"])
    return own | {"psnr_clips_ci95": over_clips} | ({"extra": extra} if extra else {})


def losses(trials: Trials, doubt: Doubt = ONE_LOOK) -> JsonDict:
    """The fields of a `Row` that say how many blocks and transmissions were lost; none for schemes without blocks.

    Blocks of one transmission may share a fade or a burst, so the interval of
    `bler` counts transmissions, each with its own share of losses.
    """
    flat = [clip for trial in trials for clip in trial]
    blocks, lost = np.array([c.blocks for c in flat]), np.array([c.lost for c in flat])
    if not blocks.sum():
        return {}
    low, high = share_interval(lost, blocks, doubt.error)
    return {
        "bler": float(lost.sum() / blocks.sum()),
        "bler_ci95_low": low,
        "bler_ci95_high": high,
        "outage": float(np.mean(lost > 0)),
    }


def _noise(trials: Trials, metric: Metric, doubt: Doubt) -> float:
    return 0.0 if doubt.is_certain else halfwidth(draws_of(trials, metric), doubt.error)
