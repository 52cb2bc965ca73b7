"""Points computed again in a folder that is gone afterwards; nothing of the looked-at folder is used for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from semlink.errors import SemlinkError
from semlink.files import Json
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.check import check_point
from semlink.link.sweep.clips import clip_file, load_clips
from semlink.link.sweep.grid import GridPoint, Task, point_name
from semlink.link.sweep.plan import Job, Plan
from semlink.link.sweep.point_key import point_key
from semlink.link.sweep.point_runner import PointRunner
from semlink.link.sweep.time_left import TimeLeft
from semlink.link.sweep.workers.work import Way, work_on
from semlink.nn.cpu import one_thread

__all__ = ["Again", "computed"]

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Again:
    """What came out here.

    Attributes:
        clips: names of the clips that are here, '' instead of their digest where they could not be loaded.
        keys: of points as they follow from the scenario, the clips and the code here; those that have one.
        records: of the points that were computed.
        faults: why others were not.
    """

    clips: tuple[str, ...] = ()
    digest: str = ""
    keys: Mapping[GridPoint, str] = field(default_factory=dict)
    records: Mapping[GridPoint, Json] = field(default_factory=dict)
    faults: Mapping[GridPoint, str] = field(default_factory=dict)


def computed(
    scenario: Scenario, points: Sequence[GridPoint], workers: int, tell: Tell, left: TimeLeft, names: Sequence[str] = ()
) -> Again:
    """Compute points anew.

    Args:
        names: of the clips that are needed; with others here nothing is computed. Empty for any.
    """
    with ExitStack() as held:
        room = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="semlink-verify-")))
        file = held.enter_context(clip_file(wanted=workers > 1))
        job = Job(scenario, room / "again", scenario.folder)
        try:
            clips = load_clips(scenario, scenario.folder, file)
            runner = job.runner(clips)
        except SemlinkError as fault:
            return Again(faults=dict.fromkeys(points, str(fault)))
        if names and tuple(names) != clips.names:
            others = f"the clips here are others: {_some(clips.names)}; theirs are {_some(names)}"
            return Again(clips.names, clips.digest, faults=dict.fromkeys(points, others))
        keys, faults = _keys(runner, points, clips.digest)
        made = Plan(job, keys, (), _tasks(scenario, keys), runner)
        failed = _work(made, workers, tell, left)
        faults |= {point: failed[key] for point, key in keys.items() if key in failed}
        records = {point: record for point, key in keys.items() if (record := job.results.read(key)) is not None}
        return Again(clips.names, clips.digest, keys, records, faults)


def _keys(
    runner: PointRunner, points: Sequence[GridPoint], digest: str
) -> tuple[dict[GridPoint, str], dict[GridPoint, str]]:
    """Keys of the points whose blocks can be built here, and why those of others cannot."""
    keys, faults = {}, {}
    for point in points:
        try:
            with one_thread():
                check_point(runner, point)
            keys[point] = point_key(runner.scenario, point, digest, runner.folder, runner.files(point))
        except SemlinkError as fault:
            faults[point] = str(fault)
    return keys, faults


def _tasks(scenario: Scenario, keys: Mapping[GridPoint, str]) -> tuple[Task, ...]:
    return tuple(Task(key, point, point_name(scenario, point)) for point, key in keys.items())


def _work(made: Plan, workers: int, tell: Tell, left: TimeLeft) -> dict[str, str]:
    """Work on all points; a point that fails ends no other. Why each that did."""
    if not made.tasks:
        return {}
    made.job.prepare(fresh=False)
    try:
        work_on(made, Way(workers), tell, left)
        return {}
    except SemlinkError:
        pass  # which one it was is seen below, alone
    failed = {}
    for task in made.tasks:
        made.job.prepare(fresh=False)
        if made.job.results.read(task.key) is None:
            try:
                work_on(replace(made, tasks=(task,)), Way(), tell, TimeLeft())
            except SemlinkError as fault:
                failed[task.key] = str(fault)
    return failed


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
