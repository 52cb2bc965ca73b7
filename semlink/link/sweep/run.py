"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the clips and the results folder. A point's numbers
depend on its own key alone, so the number of workers and the order of work
change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from semlink.errors import ResultsError, SemlinkError
from semlink.files import Json
from semlink.link.results.lock import alone_in
from semlink.link.results.rows import Row
from semlink.link.sweep.clips import Clips, clip_file
from semlink.link.sweep.grid import doubled
from semlink.link.sweep.plan import Job, Plan, plan
from semlink.link.sweep.time_left import TimeLeft
from semlink.link.sweep.workers.work import Progress, work_on

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
    job: Job,
    *,
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
    left: TimeLeft | None = None,
    warn: Warn | None = None,
) -> Report:
    """Compute the missing points and collect all rows.

    Args:
        workers: processes; each uses one thread.
        progress: called with a point's name, the number done and the number
            to do, at the start (nameless) and whenever a point is finished.
        left: follows the run, and says at any moment how long it will still take.
        warn: called with each line of what a user should know, before any point is computed: what was damaged in
            the folder, and what is doubtful about the numbers.
    Raises:
        SemlinkError: the first point that failed; finished points and the table of them are kept.
    """
    started = time.monotonic()
    say = warn or (lambda line: None)
    with clip_file(wanted=workers > 1) as file, ExitStack() as held:

        def alone() -> None:
            held.enter_context(alone_in(job.out, fresh=fresh, say=say))

        made = plan(job, fresh=fresh, clip_file=file, alone=alone)
        warnings = _warnings(made)
        for line in (*made.set_aside, *warnings):
            say(line)
        try:
            with _logged(job):
                work_on(made, workers, progress or (lambda name, done, total: None), left or TimeLeft())
        except Exception as fault:
            with suppress(SemlinkError):  # the fault itself is told
                _keep(made, workers, started, warnings, failure=str(fault).partition("\n")[0])
            raise
        return _keep(made, workers, started, warnings)


def _keep(made: Plan, workers: int, started: float, warnings: Sequence[str], failure: str | None = None) -> Report:
    """Write the table of the points that are there, and what made it.

    Args:
        failure: why points are missing; None if none is.
    """
    results = made.job.results
    kept = zip(made.keys, results.points.records(made.keys), strict=True)
    keys = [key for key, record in kept if failure is None or record is not None]
    computed = (
        made.missing if failure is None else sum(task.key in keys and not task.only_picture for task in made.tasks)
    )
    seconds = time.monotonic() - started
    if not keys:
        return Report((), (), 0, seconds)
    rows = results.write_curves(keys)
    if failure is None:
        results.points.pack()
    seconds = time.monotonic() - started
    clips = made.runner.clips
    results.write_manifest(
        made.job.scenario.model_dump(mode="json"),
        seconds=seconds,
        workers=workers,
        computed=computed,
        keys=keys,
        shown=[key for key in made.middle if key in keys],
        clips_digest=clips.digest,
        clips=_clip_facts(clips),
        warnings=[*warnings, *([] if failure is None else [f"ended early, without all points: {failure}"])],
        files=made.job.folder,
    )
    return Report(rows, tuple(keys), computed, seconds)


@contextmanager
def _logged(job: Job) -> Iterator[None]:
    """Keep the whole traceback of what a user's class raises beside the results; the error says where."""
    try:
        yield
    except SemlinkError as fault:
        if not fault.trace:
            raise
        with suppress(ResultsError):
            log = job.results.write_log(f"{fault}\n\n{fault.trace}")
            fault = type(fault)(f"{fault}; all of it: {log}")
        raise fault from None


def _clip_facts(clips: Clips) -> list[Json]:
    """What the manifest says of each clip."""
    facts = clips.facts or ({},) * len(clips.names)
    return [{"name": name, "motion": motion, **fact} for name, motion, fact in zip(clips.names, clips.motion, facts)]


def _warnings(made: Plan) -> list[str]:
    """What a user should know about the clips, what stands twice, and what the plan doubts."""
    return [*made.runner.clips.cautions, *doubled(made.job.scenario), *made.warnings]
