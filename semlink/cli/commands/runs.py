"""Commands that run scenarios, and that say what one may write in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from semlink.cli import completion
from semlink.cli.commands.app import (
    AllowCommands,
    AllowPickle,
    NoPlugins,
    Overrides,
    Scenario,
    app,
    example,
)
from semlink.cli.stopping import interrupted
from semlink.cli.usage import POINTS_LEFT
from semlink.errors import ScenarioError
from semlink.plugins.trust.permission import commands_allowed, pickles_allowed


@app.command(epilog=example("semlink run scenarios/quickstart.yaml --workers 2"))
def run(
    file: Scenario,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="results folder [results/<name>]")] = None,
    set_: Overrides = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="processes [one a core]")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="forget finished points, pictures and coded clips")] = False,
    shard: Annotated[str | None, typer.Option(metavar="K/N", help="only the K-th of N parts; see merge")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(metavar="N", help="end in time; exit code 3 if points are left")
    ] = None,
    on: Annotated[str | None, typer.Option(metavar="WHERE", help="ray, or ray://HOST:PORT, instead of here")] = None,
    share: Annotated[bool, typer.Option("--share", help="beside other runs with --share in the same folder")] = False,
    no_plugins: NoPlugins = False,
    allow_commands: AllowCommands = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Compute a scenario's missing points and draw its curves."""
    from semlink.link.sweep.sharing.asked import refuse_wrong

    if workers is not None and workers < 1:
        raise ScenarioError(f"--workers: got {workers}; need 1 or more")
    refuse_wrong(shard=shard, max_minutes=max_minutes, on=on, fresh=fresh, share=share, options=True)
    workers = workers or (None if on else os.cpu_count() or 1)
    from semlink.cli.actions import run_scenario

    how = {"workers": workers, "fresh": fresh, "shard": shard, "max_minutes": max_minutes, "share": share, "on": on}
    try:
        with commands_allowed(allow_commands), pickles_allowed(allow_pickle):
            done = run_scenario(file, out, set_ or [], plugins=not no_plugins, **how)
        if not done:
            raise typer.Exit(POINTS_LEFT)
    except KeyboardInterrupt:
        interrupted("; finished points are kept, run again to continue")


@app.command(epilog=example("semlink merge results/cliff results/cliff.shard-*"))
def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="results folder to join them in")],
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="results folders of one scenario")],
) -> None:
    """Join results folders of one scenario, such as its shards. Exit code 1 if points are missing."""
    from semlink.cli.actions import merge as join

    if not join(out, folders):
        raise typer.Exit(1)


@app.command(epilog=example("semlink status results/cliff"))
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="results folder")],
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """How far a run is, and how long it takes. Exit code 1 if points are missing."""
    from semlink.cli.actions import print_status

    if not print_status(folder, as_json=as_json):
        raise typer.Exit(1)


@app.command(epilog=example("semlink show scenarios/cliff.yaml --set seed=2"))
def show(
    file: Scenario,
    set_: Overrides = None,
    no_plugins: NoPlugins = False,
    allow_commands: AllowCommands = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Print the scenario with every default filled in."""
    import semlink
    from semlink.yaml12.write import write_yaml

    scenario = semlink.load(file, set_ or [], plugins=not no_plugins, commands=allow_commands, pickles=allow_pickle)
    typer.echo(write_yaml(scenario.model_dump(mode="json")), nl=False)


@app.command("list", epilog=example("semlink list channel"))
def list_(
    interface: Annotated[
        str | None,
        typer.Argument(metavar="[INTERFACE]", help="only this, such as channel", autocompletion=completion.interfaces),
    ] = None,
) -> None:
    """List every block and plug-in with its options."""
    from semlink.cli.block_list import describe

    typer.echo(describe(interface), nl=False)


@app.command(epilog=example("semlink schema > scenario.schema.json"))
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    import json

    from semlink.link.scenario.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))


@app.command(epilog=example("semlink cite scenarios/cliff.yaml"))
def cite(
    file: Scenario,
    no_plugins: NoPlugins = False,
    allow_commands: AllowCommands = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Print BibTeX of what a scenario uses."""
    from semlink.cli.actions import citations

    with commands_allowed(allow_commands), pickles_allowed(allow_pickle):
        typer.echo(citations(file, plugins=not no_plugins), nl=False)
