"""Commands for blocks of one's own, for training, and for the machine that all this runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semlink.cli import completion
from semlink.cli.commands.app import (
    AllowPickle,
    NoPlugins,
    app,
    example,
)
from semlink.cli.stopping import interrupted, patient
from semlink.errors import ScenarioError


@app.command("check-channel", epilog=example("semlink check-channel rician --set k_db=6 --set coherence=64"))
def check_channel(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC", help="a kind, module:Class or path/to/file.py:Class", autocompletion=completion.channels
        ),
    ],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="an option of it")] = None,
    seed: Annotated[int, typer.Option(min=0, help="root of all chance")] = 1,
    no_plugins: NoPlugins = False,
) -> None:
    """Examine a channel: power, noise, fading, chance, gradients. Exit code 1 if a check fails."""
    from semlink.cli.actions import check_channel as examine

    if not examine(spec, set_ or [], seed, plugins=not no_plugins):
        raise typer.Exit(1)


@app.command("check-model", epilog=example("semlink check-model my_jscc.yaml --json"))
def check_model(
    named: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="scenarios with kind: model; or an encoder and a decoder")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="of a scenario; of two networks an option, such as knows=[snr]"
        ),
    ] = None,
    scheme: Annotated[str | None, typer.Option(metavar="NAME", help="only this [all models]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    no_plugins: NoPlugins = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Examine models: symbols, power, SNR, leakage, batch. Exit code 1 if a check fails."""
    from semlink.cli.actions import check_models

    trust = {"plugins": not no_plugins, "pickles": allow_pickle}
    if not check_models(named, scheme, set_ or [], as_json=as_json, **trust):
        raise typer.Exit(1)


@app.command(epilog=example("semlink new channel rain_fade.py; semlink new scenario first --channel rayleigh"))
def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="scenario, or a block, such as channel", autocompletion=completion.new_kinds
        ),
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="rain_fade.py will hold RainFade; a scenario: its name")],
    channel: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="scenario: its channel [awgn]", autocompletion=completion.channels),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(metavar="KIND", help="scenario: its codec [h264]", autocompletion=completion.codecs)
    ] = None,
) -> None:
    """Write a skeleton of a block that runs, or a scenario."""
    if kind == "scenario":
        from semlink.cli.new.scenario import write_scenario

        typer.echo(write_scenario(file, channel or "awgn", codec or "h264"), nl=False)
        return
    from semlink.cli.new.blocks import write_skeleton

    if channel or codec:
        raise ScenarioError(f"new {kind}: --channel and --codec are for `semlink new scenario NAME`")
    typer.echo(write_skeleton(kind, Path(file)), nl=False)


@app.command(epilog=example("semlink doctor --json > doctor.json"))
def doctor(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Look at what runs rest on here: versions, memory, disk. Exit code 1 if a run would not work."""
    import json

    from semlink.cli import doctor as look

    told = look.findings()
    typer.echo(json.dumps(look.as_json(told), indent=1) + "\n" if as_json else look.as_lines(told), nl=False)
    if not look.works(told):
        raise typer.Exit(1)


@app.command(epilog=example("semlink train scenarios/train/sensor.yaml --profile cpu --out runs/sensor"))
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="training recipe in YAML, or a queue of them")],
    profile: Annotated[str, typer.Option(help="cpu or gpu, as the recipe has them")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="run folder [runs/<recipe>]; of a queue the folder of all [runs]")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="data folder, or a pack made before")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="steps instead of the profile's")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="end after so much time, with good weights")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="begin again instead of resuming")] = False,
) -> None:
    """Train a network or a queue of them; a killed run goes on."""
    from semlink.cli.actions import Training, train_file

    try:
        with patient(60.0):
            train_file(recipe, Training(profile, out, data, steps, minutes, fresh))
    except KeyboardInterrupt:
        interrupted("; run again to go on from where it was")


@app.command(epilog=example("semlink weights sensor"))
def weights(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="only these")] = None,
) -> None:
    """Verify the shipped weights against their cards. Exit code 2 if one fails."""
    from semlink.cli.actions import print_weights

    print_weights(names or [])
