"""The qualities of a point: means over clips and trials with their intervals, as a row holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from semlink.files import JsonDict
from semlink.link.metrics.intervals import t_halfwidth
from semlink.link.metrics.registry import Metric, metrics_named
from semlink.link.results.clip_trial import ClipTrial
from semlink.link.results.rows import COLUMNS


def scored(names: Iterable[str], folder: Path | None = None) -> tuple[Metric, ...]:
    """The metrics that a scenario names, PSNR always among them.

    Raises:
        ScenarioError, UnknownBlock: a name leads nowhere, or a column is taken.
    """
    return metrics_named(names, folder, taken=(*COLUMNS, "extra"))


def qualities(trials: Sequence[Sequence[ClipTrial]], metrics: Sequence[Metric]) -> JsonDict:
    """The fields of a `Row` that say how good a point is.

    A metric without a column of its own in `Row` goes to `extra`.

    Args:
        trials: for each trial every clip.
    """
    own: JsonDict = {}
    extra: dict[str, float] = {}
    for metric in metrics:
        values = np.array([[clip.metrics[metric.name] for clip in trial] for trial in trials])
        home = own if metric.column in COLUMNS else extra
        home[metric.column] = float(values.mean())
        home[metric.interval] = t_halfwidth(values.mean(axis=1)) if len(trials) > 1 else 0.0
    by_clip = [float(np.mean([trial[n].metrics["psnr"] for trial in trials])) for n in range(len(trials[0]))]
    return own | {"psnr_clips_ci95": t_halfwidth(by_clip)} | ({"extra": extra} if extra else {})
