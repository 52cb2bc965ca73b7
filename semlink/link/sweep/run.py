"""Run a scenario: every missing point of the grid, in one process or in several.

Workers share nothing but the clips and the results folder. A point's numbers
depend on its own key alone, so the number of workers and the order of work
change nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from semlink.errors import ResultsError, SemlinkError
from semlink.files import Json, JsonDict
from semlink.link.results.lock import Place, alone_in, together_in
from semlink.link.results.rows import Row
from semlink.link.sweep.clips import Clips, clip_file
from semlink.link.sweep.grid import doubled, point_name
from semlink.link.sweep.plan import Job, Plan, plan
from semlink.link.sweep.sharing.leases import Leases, forget, leases
from semlink.link.sweep.sharing.shard import Shard
from semlink.link.sweep.sharing.shards import among
from semlink.link.sweep.time_left import TimeLeft
from semlink.link.sweep.workers.work import Progress, Way, work_on

Warn = Callable[[str], None]


_TURN = threading.RLock()
RESERVE, MOST_RESERVE_S = 0.05, 30.0
"""Of the time that a run may take, what it leaves for tables and figures, and the most of it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left behind: rows in the order of the grid, the keys of their points, and how many it computed.

    `left` counts the points that it was to compute and did not, for want of time.
    """

    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    computed: int
    seconds: float
    left: int = 0

    @property
    def points(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class How:
    """How points are computed; no number depends on it.

    Attributes:
        workers: processes; each uses one thread.
        shard: the part of the points that is computed; all by default.
        max_minutes: when the run ends at the latest; points that would not end in time are not begun.
        share: beside other runs of the scenario in the same folder, each point claimed before it is computed.
        on: a Ray cluster that computes, all of whose processors work where `workers` is 0.
    """

    workers: int = 1
    shard: Shard | None = None
    max_minutes: float | None = None
    share: bool = False
    on: str | None = None

    @property
    def max_seconds(self) -> float | None:
        """What is left for the points."""
        if self.max_minutes is None:
            return None
        whole = 60 * self.max_minutes
        return whole - min(RESERVE * whole, MOST_RESERVE_S)


def run(
    job: Job,
    how: How | None = None,
    *,
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
    left: TimeLeft | None = None,
    warn: Warn | None = None,
) -> Report:
    """Compute the missing points and collect all rows.

    Args:
        how: as `How` has it; `workers` by default.
        fresh: forget what is there.
        progress: called with a point's name, the number done and the number
            to do, at the start (nameless) and whenever a point is finished.
        left: follows the run, and says at any moment how long it will still take.
        warn: called with each line of what a user should know, before any point is computed: what was damaged in
            the folder, and what is doubtful about the numbers.
    Raises:
        SemlinkError: the first point that failed; finished points and the table of them are kept.
    """
    started, how, left = time.monotonic(), how or How(workers), left or TimeLeft()
    say = warn or (lambda line: None)
    until = None if how.max_seconds is None else started + how.max_seconds
    way = Way(how.workers, until, on=how.on)
    with _in_turn(say), clip_file(wanted=way.needs_processes) as file, ExitStack() as held:
        places: list[Place] = []

        def alone() -> bool:
            if how.share:
                places.append(held.enter_context(together_in(job.out, say=say)))
                return places[0].is_alone
            held.enter_context(alone_in(job.out, fresh=fresh, say=say))
            return True

        made = plan(job, fresh=fresh, shard=how.shard, clip_file=file, alone=alone)
        kept = _Kept(made, how, started, _warnings(made), left)
        for line in (*made.set_aside, *kept.warnings):
            say(line)
        job.notes.write_plan(kept.as_plan())
        try:
            with _logged(job), _shared(job, places) as claims:
                tell = progress or (lambda name, done, total: None)
                computed = work_on(made, replace(way, claims=claims), tell, left)
        except BaseException as fault:  # Ctrl-C and being told to end among them
            with suppress(SemlinkError):  # the fault itself is told
                kept.write(failure=_why(fault))
            raise
        is_last = all(place.close() for place in places)
        if places and is_last:
            forget(job)
            job.tidy()
        return kept.write(computed=computed if how.share else None, pack=is_last)


@contextmanager
def _in_turn(say: Warn) -> Iterator[None]:
    """Runs in threads of one process, one after the other.

    They would share what a process has once: the number of threads that torch has, on which last bits depend, the
    process in which receivers work again, and what is seen of files that somebody opens.
    """
    if not _TURN.acquire(blocking=False):
        say("another run is at work in this process; waiting until it has ended")
        _TURN.acquire()
    try:
        yield
    finally:
        _TURN.release()


def _why(fault: BaseException) -> str:
    """Why a run has ended early, in a line."""
    if isinstance(fault, Exception):
        return str(fault).partition("\n")[0]
    return "interrupted" if isinstance(fault, KeyboardInterrupt) else "told to end"


@contextmanager
def _shared(job: Job, places: Sequence[Place]) -> Iterator[Leases | None]:
    """Let others into a folder that is shared, and claim what is worked on."""
    if not places:
        yield None
        return
    if places[0].is_alone:
        forget(job)
    with leases(job) as claims:
        places[0].open_up()
        yield claims


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a run leaves in its folder: the table of the points that are there, and what made it."""

    made: Plan
    how: How
    started: float
    warnings: Sequence[str]
    left: TimeLeft

    def write(self, failure: str | None = None, *, computed: int | None = None, pack: bool = True) -> Report:
        """Write it, and say what is there.

        Args:
            failure: why points are missing; None if time was up, or none is.
            computed: points that this run computed; all that were to do and are there by default.
            pack: bring the points into one file; not while others are at work in the folder.
        """
        results, grid = self.made.job.results, tuple(self.made.keys.values())
        kept = zip(grid, results.points.records(grid), strict=True)
        keys = [key for key, record in kept if record is not None]
        found = frozenset(keys)
        to_do = [task.key for task in self.made.tasks if not task.only_picture]
        missing = sum(key not in found for key in to_do)
        computed = len(to_do) - missing if computed is None else computed
        seconds = time.monotonic() - self.started
        if not keys:
            return Report((), (), 0, seconds, missing)
        rows = results.write_curves(keys)
        if failure is None and pack:
            results.points.pack()
        warnings = [*self.warnings, *([] if failure is None else [f"ended early, without all points: {failure}"])]
        results.write_manifest(self._manifest(keys, computed, warnings))
        return Report(rows, tuple(keys), computed, time.monotonic() - self.started, missing)

    def _manifest(self, keys: Sequence[str], computed: int, warnings: Sequence[str]) -> JsonDict:
        made, shard = self.made, self.how.shard
        return made.job.results.manifest(
            made.job.scenario.model_dump(mode="json"),
            seconds=time.monotonic() - self.started,
            workers=self.how.workers or self.left.workers,
            computed=computed,
            keys=keys,
            shown=[key for key in made.middle if key in set(keys)],
            clips_digest=made.runner.clips.digest,
            clips=_clip_facts(made.runner.clips),
            warnings=warnings,
            files=made.job.folder,
            grid=tuple(made.keys.values()),
            shard=None if shard is None else (shard.number, shard.count),
        )

    def as_plan(self) -> JsonDict:
        """The manifest as it would be with all points, and what they are."""
        made, scenario = self.made, self.made.job.scenario
        grid = tuple(made.keys.values())
        planned = [{"name": point_name(scenario, point), **asdict(point)} for point in made.keys]
        mine = None if made.shard is None else sorted(among(made.shard, made.keys))
        whole = self._manifest(grid, 0, self.warnings)
        return {**whole, "grid": list(grid), "points_planned": planned, "mine": mine}


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
