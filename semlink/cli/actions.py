"""What the commands do, beyond parsing their arguments."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import semlink
from semlink.cli.progress import bar, progress
from semlink.cli.stopping import interrupted
from semlink.errors import PluginRefused, ScenarioError
from semlink.files import write_atomic
from semlink.plugins.trust.permission import REFUSED, plugins_refused

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its list of fonts is nobody's business here


def run_scenario(file: Path, out: Path | None, overrides: Sequence[str], *, plugins: bool = True, **how: Any) -> bool:
    """`semlink run`: sweep, table, plots, frames; `how` as `semlink.run` has it. False if time was up too early."""
    scenario = semlink.load(file, overrides, plugins=plugins)
    started = time.monotonic()
    with progress(scenario.name) as (tell, left):
        done = semlink.run(scenario, out, progress=tell, left=left, warn=_warn, **how)
    seconds = time.monotonic() - started
    done.show()
    files = [done.folder / "curves.csv", *done.write_tables(), *done.draw()]
    points, computed = (done.manifest[name] for name in ("points", "points_computed_in_this_run"))
    plural = "" if computed == 1 else "s"
    sys.stdout.write(f"{computed} point{plural} computed, {points - computed} reused, {seconds:.1f} s\n")
    _list(files)
    for line in done.doubts:
        _warn(line)
    sys.stdout.write(f"report: semlink report {shlex.quote(str(done.folder))}\n")
    return how.get("max_minutes") is None or _is_complete(done.folder)


def _is_complete(folder: Path) -> bool:
    """Whether all is there that a run was to compute; says what to do if not."""
    told = semlink.status(folder)
    if told.missing:
        sys.stdout.write(f"{told.done} of {told.points} points; run again to go on\n")
    return not told.missing


def merge(out: Path, folders: Sequence[Path]) -> bool:
    """`semlink merge`: folders joined in one, with its figures; False if points are missing."""
    with plugins_refused():
        done = semlink.merge(out, folders, warn=_warn)
        files = [done.folder / "curves.csv", *done.draw()]
    points, grid = done.manifest["points"], done.manifest.get("grid") or done.manifest["keys"]
    sys.stdout.write(f"{points} of {len(grid)} points, from {len(done.manifest['merged_from'])} folders\n")
    _list(files)
    if points < len(grid):
        more = f"semlink run FILE --out {shlex.quote(str(out))}"
        sys.stdout.write(f"{len(grid) - points} points are missing; {more} computes them, with the scenario's FILE\n")
    return points == len(grid)


def print_status(folder: Path, *, as_json: bool) -> bool:
    """`semlink status`: how far a folder is; False if points are missing."""
    from semlink.link.sweep.sharing.words import as_text

    told = semlink.status(folder)
    sys.stdout.write(json.dumps(told.as_json(), indent=1) + "\n" if as_json else as_text(told))
    return told.is_done


def _warn(line: str) -> None:
    sys.stderr.write(f"warning: {line}\n")


@plugins_refused()
def draw(folders: Sequence[Path], out: Path | None, metric: str, kinds: Sequence[str], **choice: Any) -> None:
    """`semlink plot`: figures of one folder, or of several over each other; `choice` as `Results.draw` has it."""
    done = _read(*folders)
    caption: list[str] = []
    _list(done.draw(metric, kinds, out, say=caption.append, **choice), indent="")
    if caption:
        sys.stdout.write("For the caption:\n" + "".join(f"  {line}\n" for line in caption))


@plugins_refused()
def print_comparison(folder: Path, reference: str | None, metric: str) -> None:
    """`semlink compare`: tables in the terminal, `compare.csv` in the folder."""
    results = _read(folder)
    if reference is None:
        names = ", ".join(map(repr, results.schemes))
        raise ScenarioError(f"--reference: needed and not given; the scheme to compare with, one of {names}")
    comparison = results.compare(reference, metric)
    comparison.show()
    _list([comparison.write(folder / "compare.csv")])


@plugins_refused()
def write_report(folders: Sequence[Path], out: Path | None, *, send: bool, **wishes: Any) -> None:
    """`semlink report`: one page for one folder, or for several together."""
    done = _read(*folders)
    with bar("sending again") if send else nullcontext() as tell:
        page = done.report(out, send=send, progress=tell, **wishes)
    _list([page], indent="")


def replay(
    folder: Path,
    key: str | None,
    clip: str,
    trial: int,
    block: int | None,
    page: Path | None,
    *,
    force: bool,
    plugins: bool,
    commands: bool,
) -> bool:
    """`semlink replay`: one transmission stage by stage; False if its numbers are not those of the run."""
    from semlink.link.api.replay import points_to_choose
    from semlink.link.page.page import check_place
    from semlink.link.page.replay import write_replay
    from semlink.link.report.replay import as_text

    if page is not None and not force:
        check_place(page, replaces_ours=False)
    done = semlink.results(folder, plugins=plugins, commands=commands)
    if key is None:
        sys.stdout.write(points_to_choose(done.run))
        return True
    told = done.replay(key, int(clip) if clip.lstrip("-").isdecimal() else clip, trial, block)
    sys.stdout.write(as_text(told))
    if page is not None:
        _list([write_replay(told, done.run, page)])
    return not told.differs


def verify_folder(
    folder: Path,
    points: int | None,
    seed: int | None,
    workers: int,
    scenario: Path | None,
    told: Path | None,
    *,
    everything: bool,
    plugins: bool,
    commands: bool,
) -> int:
    """`semlink verify`: say whether a folder's numbers hold here; the exit code."""
    from semlink.link.verify.told import as_json, as_text

    if everything and points is not None:
        raise ScenarioError("--points and --all: got both; give one of them")
    if told is not None and told.resolve().is_relative_to(folder.resolve()):
        raise ScenarioError(
            f"--json {told}: lies in {folder}, which is looked at and not written to; name another place"
        )
    try:
        with plugins_refused(not plugins, commands=False):
            own = None if scenario is None else semlink.load(scenario, commands=commands)
    except ScenarioError as fault:
        if not str(fault).endswith(REFUSED):
            raise
        raise PluginRefused(f"{fault}; where you trust who wrote it, --allow-plugins beside --scenario") from fault
    try:
        with progress("verify") as (tell, left):
            found = semlink.verify(
                folder,
                "all" if everything else points,
                seed=seed,
                workers=workers,
                scenario=own,
                plugins=plugins,
                commands=commands,
                progress=tell,
                left=left,
            )
    except KeyboardInterrupt:
        interrupted("")
    sys.stdout.write(as_text(found))
    if told is not None:
        write_atomic(told, (json.dumps(as_json(found), indent=1) + "\n").encode())
    return found.code


def _read(*folders: Path) -> Any:
    """What folders hold; what of it is doubtful is said."""
    done = semlink.results(*folders)
    for line in done.doubts:
        _warn(line)
    return done


def _list(files: Sequence[Path], indent: str = "  ") -> None:
    sys.stdout.write("".join(f"{indent}{path}\n" for path in files))


def citations(file: Path, *, plugins: bool = True) -> str:
    """`semlink cite`: BibTeX of the blocks that a scenario uses."""
    from semlink.link.citations.bibtex import cite_scenario

    scenario = semlink.load(file, plugins=plugins)
    return cite_scenario(scenario, scenario.folder)


def check_channel(kind: str, options: Sequence[str], seed: int, *, plugins: bool = True) -> bool:
    """`semlink check-channel`: print the conformance report; True if every check passed."""
    from semlink.link.api.channels import examined
    from semlink.link.scenario.loader import apply_override

    tree: dict[str, Any] = {"kind": kind}
    for option in options:
        apply_override(tree, option, "k_db=6, an option of the channel")
    with plugins_refused(not plugins):
        text, passed = examined(tree, " ".join([kind, *options]), seed)
    sys.stdout.write(text.rstrip() + "\n")
    return passed


def check_models(
    named: Sequence[str], scheme: str | None, changes: Sequence[str], *, as_json: bool, plugins: bool, pickles: bool
) -> bool:
    """`semlink check-model`: print what was found; True if every model passed every check."""
    from semlink.link.model_check.bench import checked_models, tree_of_networks
    from semlink.link.model_check.examine import as_text

    files = [name for name in named if Path(name).suffix in (".yaml", ".yml")]
    if len(files) == len(named):
        scenarios = [semlink.load(file, changes, plugins=plugins, pickles=pickles) for file in files]
    elif len(named) == 2 and not files:
        scenarios = [semlink.load(tree_of_networks(named[0], named[1], changes), plugins=plugins, pickles=pickles)]
    else:
        raise ScenarioError("check-model: give scenario files (.yaml), or an encoder and a decoder")
    reports = [report for scenario in scenarios for report in checked_models(scenario, scheme)]
    told = [report.as_json() for report in reports]
    text = json.dumps(told, indent=1) + "\n" if as_json else "\n".join(map(as_text, reports))
    sys.stdout.write(text)
    return all(report.passed for report in reports)


def list_points(full: bool, only: Sequence[str]) -> None:
    """`semlink validate --list`: the points that would be measured."""
    from semlink.link.validate.entries.registry import chosen, entries, home
    from semlink.link.validate.text import listed

    sys.stdout.write(listed(chosen(entries(home()), "full" if full else "quick", tuple(only))))


def print_validation(json_file: Path | None, page: Path | None, **wishes: Any) -> bool:
    """`semlink validate`: print the table, write what is asked for; True if nothing differs."""
    from semlink.link.page.page import check_place

    for name, path in (("--json", json_file), ("--page", page)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ScenarioError(f"{name} {path}: no such folder")
    if page is not None:
        check_place(page, replaces_ours=True)
    with bar("validating") as tell:
        found = semlink.validate(progress=tell, **wishes)
    sys.stdout.write(str(found))
    _list([write(path) for write, path in ((found.write_json, json_file), (found.write_page, page)) if path])
    return found.passed


@dataclass(frozen=True, slots=True)
class Training:
    """How recipes are run: as `semlink.training.loop.train` has it; `out` is the folder of all where a queue is run."""

    profile: str = "cpu"
    out: Path | None = None
    data: Path | None = None
    steps: int | None = None
    minutes: float | None = None
    fresh: bool = False


def train_file(file: Path, how: Training) -> None:
    """`semlink train`: run a recipe, or go on with it; of a queue one recipe after the other."""
    from semlink.training.queue import load_queue

    queue = load_queue(file)
    if queue is None:
        train_recipe(file, how)
        return
    if how.minutes is not None:
        raise ScenarioError(f"--minutes: {file} is a queue, and each of its recipes has minutes of its own")
    runs = how.out or Path("runs")
    for queued in queue:
        if queued.weights(runs).exists() and not how.fresh:
            sys.stdout.write(f"  {queued.weights(runs)} (ended before)\n")
        else:
            train_recipe(queued.path, replace(how, out=runs / queued.recipe.name, minutes=queued.minutes))


def train_recipe(recipe: Path, how: Training) -> None:
    """Run one recipe, or go on with it; without a terminal a line now and then stands for the bar."""
    from semlink.training.loop import train

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(recipe.stem, total=None)

        def report(at: Any) -> None:
            said = f"{recipe.stem}, loss {at.loss:.5f}"
            bar.update(task, completed=at.step, total=at.steps, description=said)
            if not console.is_terminal:
                left = f"{at.seconds_left / 60:.1f} min left"
                sys.stderr.write(f"{said}, step {at.step} of {at.steps}, {left}\n")

        path = train(
            recipe,
            profile=how.profile,
            out=how.out,
            steps=how.steps,
            minutes=how.minutes,
            data=how.data,
            resume=not how.fresh,
            report=report,
        )
    sys.stdout.write(f"  {path}\n")


def print_weights(names: Sequence[str]) -> None:
    """`semlink weights`: a line for each, verified by loading it and running its probe.

    Without names: those of the package, and of those whose card alone is in it, all that are at hand.
    """
    from semlink.training.model_card import verify_weights
    from semlink.weights.cards import outside_names, places, shipped_names

    outside = {name: any(path.is_file() for path in places(name)) for name in outside_names()}
    for name in names or sorted([*shipped_names(), *(name for name, here in outside.items() if here)]):
        card = verify_weights(name)
        trained = f"{card['parameters']:,} parameters, {card['steps']:,} steps, seed {card['seed']}"
        sys.stdout.write(f"{name:20} verified: {card['architecture']}, {trained}; {card['data']['terms']}\n")
    missing = [] if names else [name for name, here in outside.items() if not here]
    if missing:
        sys.stdout.write(f"in scenarios/weights of the repository, not at hand here: {', '.join(missing)}\n")
