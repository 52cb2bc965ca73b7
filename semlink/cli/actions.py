"""What the commands do, beyond parsing their arguments."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from semlink.link.scenario.loader import Origin, load_scenario
from semlink.link.scenario.scenario import Scenario

WHOLE_RUN_S = 30 * 86_400.0
"""Points may take minutes: time left is told from the whole run, not from its last half minute."""


def run_scenario(file: Path, out: Path | None, overrides: Sequence[str], workers: int, fresh: bool) -> None:
    """`semlink run`: sweep, table, plots, frames."""
    scenario = load_scenario(file, overrides)
    from semlink.link.plots.registry import draw
    from semlink.link.report.results_table import results_table, show
    from semlink.link.results.finished import read_run
    from semlink.link.sweep.plan import Job
    from semlink.link.sweep.run import run

    origin = Origin(file, tuple(overrides))
    job = Job(scenario, out or Path("results") / scenario.name, file.resolve().parent, origin)
    with _progress(scenario) as tell:
        report = run(job, workers=workers, fresh=fresh, progress=tell)
    done = read_run(job.out)
    show(results_table(done.rows, done.metrics))
    files = [job.out / "curves.csv", *_from_points(job, done), *draw(done)]
    reused = report.points - report.computed
    sys.stdout.write(
        f"{report.computed} point{'' if report.computed == 1 else 's'} computed, {reused} reused, "
        f"{report.seconds:.1f} s\n" + "".join(f"  {path}\n" for path in files)
    )


def _from_points(job: Any, done: Any) -> list[Path]:
    """The table that the scenario asks for, and what maps of rates follow."""
    from semlink.link.plots.rate_maps import write_correlations
    from semlink.link.report.clip_table import write_table
    from semlink.link.results.pictures import shown_points

    table = [] if job.scenario.table is None else write_table(done.records, job.scenario.table, job.out)
    return [*table, *write_correlations(shown_points(job.out, "middle"), job.out / "rate_maps.csv")]


@contextlib.contextmanager
def _progress(scenario: Scenario) -> Iterator[Any]:
    from semlink.link.sweep.grid import grid

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=WHOLE_RUN_S,
    )
    with bar:
        task = bar.add_task(scenario.name, total=len(grid(scenario)))

        def tell(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield tell


def print_comparison(folder: Path, reference: str, metric: str) -> None:
    """`semlink compare`: tables in the terminal, `compare.csv` in the folder."""
    from semlink.link.compare.compare import compare
    from semlink.link.report.comparison_table import tables, write_compare_csv
    from semlink.link.report.results_table import show
    from semlink.link.results.finished import read_run

    comparison = compare(read_run(folder), reference, metric)
    show(tables(comparison))
    write_compare_csv(comparison, folder / "compare.csv")
    sys.stdout.write(f"  {folder / 'compare.csv'}\n")


def citations(file: Path) -> str:
    """`semlink cite`: BibTeX of the blocks that a scenario uses."""
    from semlink.link.citations.bibtex import cite_scenario

    return cite_scenario(load_scenario(file), file.resolve().parent)


def check_channel(kind: str, options: Sequence[str], seed: int) -> bool:
    """`semlink check-channel`: print the conformance report; True if every check passed."""
    channel = _channel(kind, options)
    from semlink.phy.conformance.examine import check, render

    report = replace(check(channel, seed=seed), channel=" ".join([kind, *options]))
    sys.stdout.write(render(report).rstrip() + "\n")
    return report.passed


def _channel(kind: str, options: Sequence[str]) -> Any:
    """The channel that a kind and `key=value` options name."""
    from pydantic import TypeAdapter, ValidationError

    from semlink.errors import ScenarioError
    from semlink.link.scenario.diagnostics import say
    from semlink.link.scenario.loader import apply_override
    from semlink.phy.specs.channels import AnyChannel

    tree: dict[str, Any] = {"kind": kind}
    for option in options:
        apply_override(tree, option)
    try:
        spec = TypeAdapter(AnyChannel).validate_python(tree)
    except ValidationError as fault:
        first, *others = fault.errors()
        said = dict.fromkeys([say(first), *(say(other) for other in others if other["loc"][:2] == first["loc"][:2])])
        option = "".join(f"{key}: " for key in first["loc"][1:2])
        raise ScenarioError(f"channel {kind}: {option}{', or '.join(said)}") from fault
    try:
        return spec.build()
    except (ValueError, TypeError) as fault:
        raise fault if isinstance(fault, ScenarioError) else ScenarioError(f"channel {kind}: {fault}") from fault


def train_recipe(
    recipe: Path, profile: str, out: Path | None, data: Path | None, steps: int | None, fresh: bool
) -> None:
    """`semlink train`: run a recipe, or go on with it."""
    from semlink.training.loop import train

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(recipe.stem, total=None)

        def report(at: Any) -> None:
            bar.update(task, completed=at.step, total=at.steps, description=f"{recipe.stem}, loss {at.loss:.5f}")

        path = train(recipe, profile=profile, out=out, steps=steps, data=data, resume=not fresh, report=report)
    sys.stdout.write(f"  {path}\n")


def print_weights(names: Sequence[str]) -> None:
    """`semlink weights`: a line for each, verified by loading it and running its probe."""
    from semlink.training.model_card import verify_weights
    from semlink.weights.cards import shipped_names

    for name in names or shipped_names():
        card = verify_weights(name)
        trained = f"{card['parameters']:,} parameters, {card['steps']:,} steps, seed {card['seed']}"
        sys.stdout.write(f"{name:20} verified: {card['architecture']}, {trained}; {card['data']['terms']}\n")
    if not (names or shipped_names()):
        sys.stdout.write("no weights are shipped with this version\n")
