"""A scenario resolved: clips loaded, blocks built and checked, points with their keys, before any work is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from semlink import memory
from semlink.files import Json, drop_spares
from semlink.link.films.film import Film
from semlink.link.films.store import Films
from semlink.link.results.course.notes import Notes
from semlink.link.results.folder import Results
from semlink.link.results.media.reception import Reception, Receptions
from semlink.link.results.pictures import Picture, Pictures
from semlink.link.scenario.loader import Origin
from semlink.link.scenario.scenario import Scenario, scheme_name
from semlink.link.sweep.check import channel_warnings, check_blocks, metric_warnings, scheme_warnings, trial_warnings
from semlink.link.sweep.clips import Clips, load_clips
from semlink.link.sweep.grid import GridPoint, Task, channel_name, grid, middle_points, point_name
from semlink.link.sweep.point_key import point_keys
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.renewal import is_current, renewed
from semlink.link.sweep.sharing.shard import Shard
from semlink.link.sweep.sharing.shards import among
from semlink.link.sweep.shown import source_shown
from semlink.nn.cpu import one_thread

FRAMES = "frames.png"


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario with where it comes from and where its results go.

    `folder` is where a user's files are looked up first; `origin` lets errors
    name file and line.
    """

    scenario: Scenario
    out: Path
    folder: Path | None = None
    origin: Origin | None = None

    @property
    def results(self) -> Results:
        return Results(self.out)

    @property
    def pictures(self) -> Pictures:
        return Pictures(self.out)

    @property
    def notes(self) -> Notes:
        return Notes(self.out)

    @property
    def cache(self) -> Path:
        """Where coded clips are kept."""
        return self.out / ".cache"

    def runner(self, clips: Clips) -> PointRunner:
        """What computes points in this process."""
        return PointRunner.of(self.scenario, clips, self.cache, self.folder)

    def prepare(self, *, fresh: bool) -> None:
        """Make the folder; forget all that it holds, coded clips too, or only what killed writers left.

        Raises:
            ResultsError: it cannot be written.
        """
        self.results.prepare(fresh=fresh)
        if fresh:
            self.pictures.forget()
            self.notes.forget()
            shutil.rmtree(self.cache, ignore_errors=True)
        else:
            self._tidy_beside_points()
            self.notes.tidy()

    def tidy(self) -> None:
        """After a failure, with no worker left: no half-written file stays, and no folder that holds nothing."""
        self._tidy_beside_points()
        self.results.tidy()
        if not self.results.points.folder.exists():
            self.notes.forget()

    def _tidy_beside_points(self) -> None:
        self.pictures.tidy()
        for folder in (self.cache, *self.cache.glob("*")):
            drop_spares(folder, is_ours=True)

    def keep(self, key: str, record: Json | None, picture: Picture, reception: Reception | None = None) -> None:
        """Keep a point, what is looked at first, so that a kept point has it; None where its record is kept already.

        Raises:
            ResultsError: the disk does not take it.
        """
        self.pictures.write(key, picture)
        if reception is not None:
            Receptions(self.out).write(key, reception)
        if record is not None:
            self.results.write(key, record)

    def keep_film(self, key: str, film: Film, clips: Clips) -> None:
        """Keep a film, and that of its source if it is not there yet.

        Raises:
            ResultsError: the disk does not take it.
        """
        films = Films(self.out)
        source = None if films.has(film.source) else source_shown(clips)
        if source is not None:
            films.write(film.source, source)
        films.write(key, film)

    def error_context(self, *loc: int | str) -> AbstractContextManager[None]:
        """Errors inside are put down to this place of the scenario."""
        return nullcontext() if self.origin is None else self.origin.error_context(*loc)


@dataclass(frozen=True, slots=True)
class Plan:
    """All points of a job with their keys, what is still to do, and what it is done with.

    Attributes:
        keys: of all points, in the order of the grid.
        middle: keys of the points that pictures show.
        tasks: what is to do, of `shard` alone if there is one.
        runner: with the clips, and every block built.
        warnings: what is doubtful about metrics, channels and trials, a line each.
        set_aside: what was found damaged in the folder and is computed again, a line each.
    """

    job: Job
    keys: Mapping[GridPoint, str]
    middle: tuple[str, ...]
    tasks: tuple[Task, ...]
    runner: PointRunner
    warnings: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    shard: Shard | None = None

    @property
    def missing(self) -> int:
        """Points to compute."""
        return sum(not task.only_picture for task in self.tasks)


def plan(
    job: Job,
    *,
    fresh: bool = False,
    shard: Shard | None = None,
    clip_file: Path | None = None,
    alone: Callable[[], bool] = lambda: True,
) -> Plan:
    """Load the clips, build the blocks, make the folder, and find what is missing.

    Args:
        shard: the part of the points that is to be computed; all by default.
        clip_file: takes the pixels of the clips, so that other processes can read them.
        alone: comes back as soon as this run may be in the folder, and says whether no other is; called before that
            is touched.
    Raises:
        SourceError, ResultsError: before any work is done.
    """
    with job.error_context("source"), memory.said("clips"):
        clips = load_clips(job.scenario, job.folder, clip_file)
    with job.error_context("metrics"):
        runner, points = job.runner(clips), grid(job.scenario)
        doubts = metric_warnings(runner)
    with one_thread():  # networks are small, and threads wait for one another beside a busy neighbour
        check_blocks(runner, points, job.error_context)
    keys = point_keys(job.scenario, points, clips.digest, job.folder, runner.files, job.error_context)
    said = []
    if alone():
        job.prepare(fresh=fresh)
        said = [*job.results.points.set_aside(), *job.results.points.settle()]
    finished = _finished(job, runner, keys, said)
    strangers = job.results.points.strangers(keys.values())
    said += [f"{strangers}; they are kept and not used"] if strangers else []
    middle = middle_points(points)
    mine = frozenset(keys.values()) if shard is None else among(shard, keys)
    tasks = [_task(job.scenario, p, key, p in middle) for p, key in keys.items() if key in mine]
    to_do, doubts = _to_do(job, tasks, finished), _doubts(runner, doubts)
    return Plan(job, keys, tuple(keys[p] for p in middle), to_do, runner, doubts, tuple(said), shard)


def _doubts(runner: PointRunner, known: Sequence[str]) -> tuple[str, ...]:
    return (*known, *channel_warnings(runner), *scheme_warnings(runner), *trial_warnings(runner))


def _task(scenario: Scenario, point: GridPoint, key: str, is_shown: bool) -> Task:
    return Task(key, point, point_name(scenario, point), _channel_of(scenario, point), is_shown)


def _channel_of(scenario: Scenario, point: GridPoint) -> str:
    """The channel in words, '' without one."""
    return "" if point.channel is None else channel_name(scenario.channel[point.channel])


def _on_channel(record: Json, channel: str) -> Json:
    """The record under the name that its channel has now."""
    return {**record, "channel": channel, "row": {**record["row"], "channel": channel}}


def _finished(job: Job, runner: PointRunner, keys: Mapping[GridPoint, str], said: list[str]) -> set[str]:
    """The keys of finished points; `said` gets a line for each record that is of another point than its key.

    Points of an earlier version are kept where only their intervals have become others.
    """
    finished, stale = set(), 0
    for (point, key), kept in zip(keys.items(), job.results.points.records(keys.values()), strict=True):
        if kept is None:
            continue
        if not _is_of(kept, job.scenario, point):
            said.append(job.results.points.reject(key, "the record of another point"))
            continue
        if not is_current(kept):
            found = renewed(kept, runner, point)
            if found is None:
                stale += 1
                continue
            kept = found
            job.results.write(key, kept)
        channel = _channel_of(job.scenario, point)
        if str(kept["row"].get("channel") or "").split() != channel.split():
            job.results.write(key, _on_channel(kept, channel))
        finished.add(key)
    if stale:
        plural = "point is" if stale == 1 else "points are"
        said.append(f"{job.results.points.folder}: {stale} {plural} of an earlier version and computed again")
    return finished


def _is_of(record: Json, scenario: Scenario, point: GridPoint) -> bool:
    row, name = record["row"], scheme_name(scenario.schemes[point.scheme])
    place = [None if row.get(n) is None else float(row[n]) for n in ("snr_db", "budget", "rate")]
    if row.get("seed") not in (None, scenario.seed):
        return False
    return str(row["scheme"]).split() == name.split() and place == [point.snr_db, point.budget, point.rate]


def _to_do(job: Job, tasks: Sequence[Task], finished: Container[str]) -> tuple[Task, ...]:
    """The missing points; where anything is drawn anew, also the pictures that points of an earlier version lack."""
    missing = tuple(task for task in tasks if task.key not in finished)
    if not missing and (job.out / FRAMES).exists():
        return ()
    shown = [task for task in tasks if task.is_shown and task.key in finished]
    lacking = [task for task in shown if job.pictures.read(task.key) is None]
    return missing + tuple(replace(task, only_picture=True) for task in lacking)
