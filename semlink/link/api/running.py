"""Load a scenario and run it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from semlink.errors import ScenarioError
from semlink.files import Json
from semlink.link.api.live import live_blocks, with_names, works_elsewhere
from semlink.link.api.results import Results
from semlink.link.results.finished import read_run
from semlink.link.scenario.diagnostics import ScenarioText, explain
from semlink.link.scenario.loader import Origin, apply_override, load_scenario, set_value
from semlink.link.scenario.scenario import Scenario
from semlink.plugins.trust.permission import plugins_refused

if TYPE_CHECKING:
    from semlink.link.sweep.time_left import TimeLeft

__all__ = ["load", "run"]

Progress = Callable[[str, int, int], None]


def load(source: str | Path | Json, changes: Sequence[str] | Json = (), *, plugins: bool = True) -> Scenario:
    """A scenario from a YAML file or from a dict of the same form, checked; nothing heavy is imported.

    In a dict, a `kind` may also be a class or an object of your own; a class
    gets the options beside it. Files that the scenario names are looked up in
    its folder first; for a dict, in the working directory.

    Args:
        changes: values to change first, `{"sweep.snr_db": [4, 8]}` or `["sweep.snr_db=[4, 8]"]`.
        plugins: False refuses a scenario that names classes of a user or of plug-ins, which may do whatever you may.
    Raises:
        ScenarioError: one line for each thing that is wrong.
    """
    with plugins_refused(not plugins):
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
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
    left: TimeLeft | None = None,
    warn: Callable[[str], None] | None = None,
) -> Results:
    """Compute the missing points of a scenario and collect them; finished points are kept and not computed again.

    Args:
        scenario: loaded, or what `load` takes.
        out: the results folder; `results/<name>` below the working directory by default.
        workers: processes, each with one thread; their number changes no result.
        fresh: forget finished points, pictures and coded clips.
        progress: called with a point's name, how many are done and how many
            there are to do, at the start and whenever a point is finished.
        left: a new `TimeLeft` of `semlink.link.sweep.time_left`, which follows the run: its `seconds()` says at any
            moment, in any thread, what is left.
        warn: called with each line of what you should know of clips, channels and trials, before any point is
            computed; the lines stand in the manifest as well.
    Raises:
        SemlinkError: the first point that failed; finished points are kept.
    """
    from semlink.link.sweep.plan import Job
    from semlink.link.sweep.run import run as sweep

    if not isinstance(scenario, Scenario):
        scenario = load(scenario)
    if workers < 1:
        raise ScenarioError(f"workers: got {workers}; need 1 or more")
    _refuse_to_move(scenario, workers)
    job = Job(scenario, Path(out or Path("results") / scenario.name), scenario.folder, scenario.origin)
    sweep(job, workers=workers, fresh=fresh, progress=progress, left=left, warn=warn)
    return Results(job.out, read_run(job.out), scenario)


def _refuse_to_move(scenario: Scenario, workers: int) -> None:
    """Live objects of a script or a notebook stay in its process."""
    stuck = [block for block in live_blocks(scenario) if not works_elsewhere(block)]
    if workers > 1 and stuck:
        name = (stuck[0] if isinstance(stuck[0], type) else type(stuck[0])).__name__
        raise ScenarioError(
            f"{name} is defined in this script or notebook, where other processes cannot find it; "
            "leave workers at 1, or move it to a file and import it from there"
        )


def _as_text(changes: Json) -> Iterable[str]:
    """Changes as they are written after `--set`."""
    for key, value in changes.items():
        yield f"{key}={json.dumps(value)}"
