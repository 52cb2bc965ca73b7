"""A scenario resolved: clips loaded, blocks built and checked, points with their keys, before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semlink.errors import ScenarioError, SemlinkError
from semlink.link.results.folder import Results
from semlink.link.results.pictures import Pictures
from semlink.link.scenario.build import build_waveform
from semlink.link.scenario.loader import Origin
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.clips import Clips, load_clips
from semlink.link.sweep.grid import GridPoint, grid, middle_points
from semlink.link.sweep.point_key import point_key
from semlink.link.sweep.point_runner import PointRunner
from semlink.spec import BuildContext

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

    def runner(self, clips: Clips) -> PointRunner:
        """What computes points in this process."""
        return PointRunner.of(self.scenario, clips, self.out / ".cache", self.folder)

    def error_context(self, *loc: int | str) -> AbstractContextManager[None]:
        """Errors inside are put down to this place of the scenario."""
        return nullcontext() if self.origin is None else self.origin.error_context(*loc)


@dataclass(frozen=True, slots=True)
class Task:
    """A point to work on; only its picture is to be made if its record is there already."""

    key: str
    point: GridPoint
    only_picture: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All points of a job with their keys, what is still to do, and what it is done with.

    Attributes:
        keys: of all points, in the order of the grid.
        middle: keys of the points that pictures show.
        runner: with the clips, and every block built.
    """

    job: Job
    keys: tuple[str, ...]
    middle: tuple[str, ...]
    tasks: tuple[Task, ...]
    runner: PointRunner

    @property
    def missing(self) -> int:
        """Points to compute."""
        return sum(not task.only_picture for task in self.tasks)


def plan(job: Job, *, fresh: bool = False, clip_file: Path | None = None) -> Plan:
    """Load the clips, build the blocks, make the folder, and find what is missing.

    Args:
        clip_file: takes the pixels of the clips, so that other processes can read them.
    Raises:
        SourceError, ResultsError: before any work is done.
    """
    with job.error_context("source"):
        clips = load_clips(job.scenario, job.folder, clip_file)
    runner = job.runner(clips)
    check_blocks(job, runner)
    job.results.prepare(fresh=fresh)
    job.pictures.forget() if fresh else job.pictures.tidy(older_than_s=3600)
    keys = {point: point_key(job.scenario, point, clips.digest, job.folder) for point in grid(job.scenario)}
    middle = {point: keys[point] for point in middle_points(job.scenario)}
    return Plan(job, tuple(keys.values()), tuple(middle.values()), _tasks(job, keys, middle), runner)


def _tasks(job: Job, keys: dict[GridPoint, str], middle: dict[GridPoint, str]) -> tuple[Task, ...]:
    """The missing points; where anything is drawn anew, also the pictures that points of an earlier version lack."""
    missing = tuple(Task(key, point) for point, key in keys.items() if not job.results.has(key))
    if not missing and (job.out / FRAMES).exists():
        return ()
    known = {task.key for task in missing}
    lacking = [(k, p) for p, k in middle.items() if k not in known and job.pictures.read(k) is None]
    return missing + tuple(Task(key, point, only_picture=True) for key, point in lacking)


def check_blocks(job: Job, runner: PointRunner) -> None:
    """Build every block, so that a wrong option is said before the work starts."""
    scenario = job.scenario
    for number, spec in enumerate(scenario.channel):
        with job.error_context("channel", number):
            channel = _checked(f"channel {spec.kind}", lambda: spec.build(BuildContext(folder=job.folder)))  # noqa: B023
        with job.error_context(*(("channel", number) if scenario.waveform is None else ("waveform",))):
            waveform = _checked("waveform", lambda: build_waveform(scenario.waveform, spec, job.folder))  # noqa: B023
            _checked("waveform", lambda: waveform.check_channel(channel))  # noqa: B023
    for point in grid(scenario):
        with job.error_context("schemes", point.scheme):
            scheme = runner.link(point).transmitter
            scheme.check(runner.clips.frames[0].shape, point.rate)


def _checked(what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; a wrong value is the scenario's fault."""
    try:
        return make()
    except (ValueError, TypeError) as fault:
        raise fault if isinstance(fault, SemlinkError) else ScenarioError(f"{what}: {fault}") from fault
