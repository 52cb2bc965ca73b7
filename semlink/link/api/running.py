"""Load a scenario and run it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from semlink.errors import NoPoints, ScenarioError, SemlinkError, TimeUp
from semlink.files import Json
from semlink.link.api.live import live_blocks, with_names, works_elsewhere
from semlink.link.api.results import Results
from semlink.link.results.finished import read_run
from semlink.link.scenario.diagnostics import ScenarioText, explain
from semlink.link.scenario.loader import Origin, apply_override, load_scenario, set_value
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.sharing.asked import refuse_wrong
from semlink.link.sweep.workers.address import ray_address, refuse_strangers
from semlink.plugins.trust.permission import commands_allowed, pickles_allowed, plugins_refused

if TYPE_CHECKING:
    from semlink.link.sweep.run import How
    from semlink.link.sweep.sharing.standing import Standing
    from semlink.link.sweep.time_left import TimeLeft

__all__ = ["load", "merge", "run", "status"]

Progress = Callable[[str, int, int], None]


def load(
    source: str | Path | Json,
    changes: Sequence[str] | Json = (),
    *,
    plugins: bool = True,
    commands: bool = False,
    pickles: bool = False,
) -> Scenario:
    """A scenario from a YAML file or from a dict of the same form, checked; nothing heavy is imported.

    In a dict, a `kind` may also be a class or an object of your own; a class
    gets the options beside it. Files that the scenario names are looked up in
    its folder first; for a dict, in the working directory.

    Args:
        changes: values to change first, `{"sweep.snr_db": [4, 8]}` or `["sweep.snr_db=[4, 8]"]`.
        plugins: False refuses a scenario that names classes of a user or of plug-ins, which may do whatever you may.
        commands: True allows a codec that starts programs of the scenario's choice (`kind: command`), which may so too.
        pickles: True allows weights that are pickles (`kind: model`), which are read for tensors alone.
    Raises:
        ScenarioError: one line for each thing that is wrong.
    """
    with plugins_refused(not plugins), commands_allowed(commands), pickles_allowed(pickles):
        return _loaded(source, changes)


def _loaded(source: str | Path | Json, changes: Sequence[str] | Json) -> Scenario:
    if not isinstance(source, Mapping):
        path = Path(source)
        overrides = list(_as_text(changes)) if isinstance(changes, Mapping) else list(changes)
        return load_scenario(path, overrides).at(path.resolve().parent, Origin(path, tuple(overrides)))
    tree = with_names(source)
    for key, value in changes.items() if isinstance(changes, Mapping) else ():
        set_value(tree, key, with_names(value), f"change {key}")
    for override in () if isinstance(changes, Mapping) else changes:
        apply_override(tree, override)
    try:
        return Scenario.model_validate(tree)
    except ValidationError as fault:
        nothing = yaml.compose("{}")
        lines = explain(ScenarioText(Path("scenario"), tree, nothing, ()), fault)
        raise ScenarioError("\n".join(line.replace("scenario:1: ", "scenario: ", 1) for line in lines)) from fault


def run(
    scenario: Scenario | str | Path | Json,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    on: str | None = None,
    fresh: bool = False,
    shard: str | None = None,
    max_minutes: float | None = None,
    share: bool = False,
    progress: Progress | None = None,
    left: TimeLeft | None = None,
    warn: Callable[[str], None] | None = None,
) -> Results:
    """Compute the missing points of a scenario and collect them; finished points are kept and not computed again.

    Args:
        scenario: loaded, or what `load` takes.
        out: the results folder; `results/<name>` below the working directory by default, of a shard one beside it.
        workers: processes, each with one thread; their number changes no result. One, and of a cluster all, by default.
        on: `ray` has Ray compute on this machine, `ray://HOST:PORT` a Ray cluster; see `docs/how_to/clusters.md`.
        fresh: forget finished points, pictures and coded clips.
        shard: `K/N` computes the K-th of N parts of the points, which `merge` joins.
        max_minutes: no point is begun that would not end in so many minutes; what is under way then is given up.
        share: work beside other runs of the scenario that say so too in the same folder, also from other machines.
        progress: called with a point's name, how many are done and how many
            there are to do, at the start and whenever a point is finished.
        left: a new `TimeLeft` of `semlink.link.sweep.time_left`, which follows the run: its `seconds()` says at any
            moment, in any thread, what is left.
        warn: called with each line of what you should know of clips, channels and trials, before any point is
            computed; the lines stand in the manifest as well.
    Raises:
        SemlinkError: the first point that failed; finished points are kept.
        TimeUp: no point was finished within `max_minutes`.
        NoPoints: there are fewer points than shards, and none is in this one.
    """
    refuse_wrong(shard=shard, max_minutes=max_minutes, on=on, fresh=fresh, share=share)
    from semlink.link.sweep.plan import Job
    from semlink.link.sweep.run import How, run as sweep
    from semlink.link.sweep.sharing.shard import Shard

    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if workers is not None and workers < 1:
        raise ScenarioError(f"workers: got {workers}; need 1 or more")
    if on is not None and live_blocks(scenario):
        raise ScenarioError("on: objects of Python stay in their process; name their classes as file.py:Class")
    if on is not None:
        refuse_strangers(ray_address(on))
    how = How(workers or (1 if on is None else 0), None if shard is None else Shard.of(shard), max_minutes, share, on)
    _refuse_to_move(scenario, how.workers > 1 or max_minutes is not None)
    default = Path("results") / f"{scenario.name}{'' if how.shard is None or share else how.shard.folder_suffix}"
    job = Job(scenario, _place(out or default), scenario.folder, scenario.origin)
    done = sweep(job, how, fresh=fresh, progress=progress, left=left, warn=warn)
    if not done.keys:
        raise _nothing_done(done.left, how)
    return Results(job.out, read_run(job.out), scenario)


def _place(out: str | Path) -> Path:
    """A folder to be made, without the steps back in its path: no folder is made for their sake."""
    path = Path(out)
    return Path(os.path.relpath(path.resolve())) if ".." in path.parts and not path.exists() else path


def _nothing_done(left: int, how: How) -> SemlinkError:
    """Why a run has no point to show."""
    if how.shard is not None and not left:
        return NoPoints(f"shard {how.shard}: has no points, since the scenario has fewer than shards; nothing to do")
    return TimeUp(f"no point ended within {how.max_minutes:g} min; 0 of {left} points; run again with more time")


def merge(out: str | Path, folders: Iterable[str | Path], *, warn: Callable[[str], None] | None = None) -> Results:
    """Join results folders of one scenario, such as those of its shards, in `out`.

    That may be one of them, or hold points already. The same folders in any order give the same `curves.csv`, which is
    that of one run if no point is missing; `doubts` of the results says if any is.

    Args:
        warn: called with each line of what you should know of the folders.
    Raises:
        ResultsError: points of another scenario or version, or a point with different numbers in two folders;
            nothing is written then.
    """
    from semlink.link.results.course.merge import merged

    say = warn or (lambda line: None)
    found = merged(_place(out), [Path(folder) for folder in folders], say)
    for line in found.warnings:
        say(line)
    return Results(found.folder, read_run(found.folder))


def status(folder: str | Path) -> Standing:
    """How far a results folder is: points done, missing and failed, who is at work, and the time left.

    Raises:
        ResultsError: there is no such folder, or nothing says what it is to hold.
    """
    from semlink.link.sweep.sharing.standing import standing

    return standing(folder)


def _refuse_to_move(scenario: Scenario, moves: bool) -> None:
    """Live objects of a script or a notebook stay in its process."""
    stuck = [block for block in live_blocks(scenario) if not works_elsewhere(block)]
    if moves and stuck:
        name = (stuck[0] if isinstance(stuck[0], type) else type(stuck[0])).__name__
        raise ScenarioError(
            f"{name} is defined in this script or notebook, where other processes cannot find it; "
            "leave workers at 1 and max_minutes out, or move it to a file and import it from there"
        )


def _as_text(changes: Json) -> Iterable[str]:
    """Changes as they are written after `--set`."""
    for key, value in changes.items():
        yield f"{key}={json.dumps(value)}"
