"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the clips and the results folder. A point's numbers
depend on its own key alone, so the number of workers and the order of work
change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from semlink.files import Json
from semlink.link.metrics.registry import metrics_named
from semlink.link.results.rows import Row
from semlink.link.sweep.clips import Clips, clip_file
from semlink.link.sweep.plan import Job, Plan, plan
from semlink.link.sweep.workers import Progress, work_on

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left behind: rows in the order of the grid, the keys of their points, and how many it computed."""

    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    computed: int
    seconds: float

    @property
    def points(self) -> int:
        return len(self.keys)


def run(
    job: Job, *, workers: int = 1, fresh: bool = False, progress: Progress | None = None, warn: Warn | None = None
) -> Report:
    """Compute the missing points and collect all rows.

    Args:
        workers: processes; each uses one thread.
        progress: called with a point's name, the number done and the number
            to do, at the start (nameless) and whenever a point is finished.
        warn: called with each line of what a user should know, before any point is computed: what was damaged in
            the folder, and what is doubtful about the numbers.
    Raises:
        SemlinkError: the first point that failed; finished points are kept.
    """
    started = time.monotonic()
    with clip_file(wanted=workers > 1) as file:
        made = plan(job, fresh=fresh, clip_file=file)
        warnings, say = _warnings(made), warn or (lambda line: None)
        for line in (*made.set_aside, *warnings):
            say(line)
        work_on(made, workers, progress or (lambda name, done, total: None))
    rows = job.results.write_curves(made.keys)
    job.results.points.pack()
    seconds = time.monotonic() - started
    job.results.write_manifest(
        job.scenario.model_dump(mode="json"),
        seconds=seconds,
        workers=workers,
        computed=made.missing,
        keys=made.keys,
        shown=made.middle,
        clips_digest=made.runner.clips.digest,
        clips=_clip_facts(made.runner.clips),
        warnings=warnings,
        files=job.folder,
    )
    return Report(rows, made.keys, made.missing, seconds)


def _clip_facts(clips: Clips) -> list[Json]:
    """What the manifest says of each clip."""
    facts = clips.facts or ({},) * len(clips.names)
    return [{"name": name, "motion": motion, **fact} for name, motion, fact in zip(clips.names, clips.motion, facts)]


def _warnings(made: Plan) -> list[str]:
    """What a user should know about the clips, about metrics on frames of their size, and about the channels."""
    shape = made.runner.clips.frames[0].shape
    metrics = metrics_named(made.job.scenario.metrics, made.job.folder)
    said = [metric.caution(shape.h, shape.w) for metric in metrics if metric.caution]
    return [*made.runner.clips.cautions, *filter(None, said), *made.warnings]
