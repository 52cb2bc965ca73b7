"""A scenario with its folder, checked and planned before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semlink.errors import ScenarioError, SemlinkError
from semlink.link.results.folder import Results
from semlink.link.results.qualities import scored
from semlink.link.results.rows import Row
from semlink.link.scenario.build import build_waveform
from semlink.link.scenario.loader import Origin
from semlink.link.scenario.scenario import Scenario
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.link.schemes.sensing_only.scheme import SensingScheme
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.clips import Clips, load_clips
from semlink.link.sweep.grid import GridPoint, grid
from semlink.link.sweep.point_key import point_key
from semlink.plugins import build_block

Progress = Callable[[str, int, int], None]
"""What is told when a point is finished: its name, how many are done, how many there are to do."""


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

    def bench(self, clips: Clips | None = None) -> PointRunner:
        """A place of work for this process."""
        clips = clips or load_clips(self.scenario, self.folder)
        metrics = scored(self.scenario.metrics, self.folder)
        return PointRunner(self.scenario, clips, StreamStore(self.out / ".cache"), self.folder, metrics)

    def error_context(self, *loc: int | str) -> AbstractContextManager[None]:
        """Errors inside are put down to this place of the scenario."""
        return nullcontext() if self.origin is None else self.origin.error_context(*loc)


@dataclass(frozen=True, slots=True)
class Plan:
    """All points with their keys, and those that are missing."""

    points: tuple[tuple[str, GridPoint], ...]
    missing: tuple[tuple[str, GridPoint], ...]
    clips: Clips

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.points)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run left behind; `bench` is where the work was done, if in this process."""

    rows: tuple[Row, ...]
    points: int
    computed: int
    seconds: float
    clips: Clips
    keys: tuple[str, ...] = ()
    bench: PointRunner | None = None


def plan(job: Job, *, fresh: bool = False) -> Plan:
    """Load the clips, make the folder, and find what is missing.

    Raises:
        SourceError, ResultsError: before any work is done.
    """
    with job.error_context("source"):
        clips = load_clips(job.scenario, job.folder)
    check_blocks(job, clips)
    job.results.prepare(fresh=fresh)
    points = tuple((point_key(job.scenario, p, clips.digest, job.folder), p) for p in grid(job.scenario))
    return Plan(points, tuple((k, p) for k, p in points if not job.results.has(k)), clips)


def check_blocks(job: Job, clips: Clips) -> None:
    """Build every block once, so that a wrong option is said before the work starts."""
    from semlink.phy.waveforms.plain import check_fit

    scenario, bench = job.scenario, job.bench(clips)
    for number, spec in enumerate(scenario.channel):
        with job.error_context("channel", number):
            channel = _checked(f"channel {spec.kind}", lambda: build_block(spec, "channel", job.folder))  # noqa: B023
        with job.error_context(*(("channel", number) if scenario.waveform is None else ("waveform",))):
            waveform = _checked("waveform", lambda: build_waveform(scenario.waveform, spec, job.folder))  # noqa: B023
            _checked("waveform", lambda: check_fit(waveform, channel))  # noqa: B023
    seen = set()
    for point in grid(scenario):
        with job.error_context("schemes", point.scheme):
            if (point.scheme, point.channel) not in seen:
                seen.add((point.scheme, point.channel))
                bench.link(point)
            scheme = bench.link(point).transmitter
            if isinstance(scheme, SensingScheme):
                scheme.check(clips.frames[0].shape, point.rate)


def _checked(what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; a wrong value is the scenario's fault."""
    try:
        return make()
    except (ValueError, TypeError) as fault:
        raise fault if isinstance(fault, SemlinkError) else ScenarioError(f"{what}: {fault}") from fault
