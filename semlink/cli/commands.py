"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from semlink import __version__
from semlink.cli import completion
from semlink.cli.stopping import interrupted, patient
from semlink.cli.usage import POINTS_LEFT, obey
from semlink.errors import ScenarioError

app = typer.Typer(
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

Scenario = Annotated[Path, typer.Argument(metavar="FILE", help="scenario in YAML")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a value, such as sweep.snr_db=[4,8]")
]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="refuse what names code, such as file.py:Class")]
AllowPlugins = Annotated[
    bool, typer.Option("--allow-plugins", help="run the code that the folder's scenario names: only if you trust it")
]
Metric = Annotated[str, typer.Option(help="psnr, ssim or another quality of the results, by name or column")]
KINDS = "cost, snr, difference, time, frames, ratio_maps, rate_maps, strip, manifold or fit_loss"
"""What `semlink.link.plots.registry` offers; written out so that --help imports nothing heavy."""


def example(text: str) -> str:
    return f"Example: {text}"


@app.callback(invoke_without_command=True, epilog=example("semlink run scenarios/quickstart.yaml"))
def face(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="print the version")] = False
) -> None:
    """The referee for video over noisy channels: run scenarios, draw quality-versus-cost curves."""
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


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
) -> None:
    """Compute a scenario's missing points and draw its curves."""
    from semlink.cli.actions import run_scenario

    if workers is not None and workers < 1:
        raise ScenarioError(f"--workers: got {workers}; need 1 or more")
    workers = workers or (None if on else os.cpu_count() or 1)
    how = {"workers": workers, "fresh": fresh, "shard": shard, "max_minutes": max_minutes, "share": share, "on": on}
    try:
        if not run_scenario(file, out, set_ or [], plugins=not no_plugins, **how):
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
    """How far a run is: done, missing, failed, who is at it, time left. Exit code 1 if points are missing."""
    from semlink.cli.actions import print_status

    if not print_status(folder, as_json=as_json):
        raise typer.Exit(1)


@app.command(epilog=example("semlink show scenarios/cliff.yaml --set seed=2"))
def show(file: Scenario, set_: Overrides = None, no_plugins: NoPlugins = False) -> None:
    """Print the scenario with every default filled in."""
    import semlink
    from semlink.yaml12.write import write_yaml

    scenario = semlink.load(file, set_ or [], plugins=not no_plugins)
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


@app.command(epilog=example("semlink plot results/fig13 --style ieee --format pdf --width 3.5in --out figures"))
def plot(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="results folders")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="where figures go [the folder itself; needed for several]")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help=f"{KINDS} [all]", autocompletion=completion.plots)
    ] = None,
    metric: Annotated[str, typer.Option(help="psnr, ssim or another quality, by name or column, or bler")] = "psnr",
    style: Annotated[str, typer.Option(help="plain, ieee or slides")] = "plain",
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="FORMAT", help="png, svg, pdf or pgf [png, and svg of curves]"),
    ] = None,
    width: Annotated[str | None, typer.Option(metavar="LENGTH", help="of a figure: 3.5in, 88mm, 8.8cm, 252pt")] = None,
    schemes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="only this; patterns such as 'H.264*'; give it again for more",
            autocompletion=completion.schemes,
        ),
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(metavar="NAME", help="only this, or a pattern")] = None,
    snr: Annotated[list[str] | None, typer.Option(metavar="DB", help="only these, such as 6,9,12")] = None,
    budget: Annotated[list[str] | None, typer.Option(metavar="USES", help="only these, channel uses per pixel")] = None,
    reference: Annotated[str | None, typer.Option(metavar="NAME", help="also draw differences to this scheme")] = None,
    clip: Annotated[str | None, typer.Option(metavar="NAME", help="of frames: this clip")] = None,
    point: Annotated[str | None, typer.Option(metavar="PLACE", help="of frames: such as snr=9,budget=0.024")] = None,
    at: Annotated[str | None, typer.Option(metavar="X,Y", help="of frames: the pixel to enlarge around")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over files that are no figures of semlink")] = False,
) -> None:
    """Draw figures again, of several folders as one, for papers."""
    from semlink.cli.actions import draw

    draw(
        folders,
        out,
        metric,
        kind or [],
        style=style,
        formats=format_ or [],
        width=width,
        schemes=schemes or [],
        channel=channel or [],
        snr=snr or [],
        budget=budget or [],
        reference=reference,
        clip=clip,
        point=point,
        at=at,
        force=force,
    )


@app.command(epilog=example('semlink compare results/codecs --reference "H.264"'))
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="results folder")],
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the scheme to compare with; needed", autocompletion=completion.schemes),
    ] = None,
    metric: Metric = "psnr",
) -> None:
    """BD-PSNR, BD-rate and paired differences against one scheme."""
    from semlink.cli.actions import print_comparison

    print_comparison(folder, reference, metric)


@app.command(epilog=example('semlink report results/codecs --reference "H.264"'))
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="results folders")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="the page [report.html in the folder]")] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the scheme to compare with first", autocompletion=completion.schemes),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="the quality to show first, by name or column [psnr]")] = None,
    no_video: Annotated[bool, typer.Option("--no-video", help="leave clips out, for a small file")] = False,
    send: Annotated[bool, typer.Option("--send", help="send the first clip again where no video is kept")] = False,
    max_mb: Annotated[float, typer.Option(metavar="MB", min=1.0, help="leave out clips beyond this size")] = 25.0,
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
) -> None:
    """One HTML page of curves, comparison, clips and tables. It needs no other file, and prints."""
    from semlink.cli.actions import write_report

    shown = {"reference": reference, "metric": metric, "video": not no_video, "max_mb": max_mb}
    try:
        write_report(folders, out, **shown, send=send, force=force)
    except KeyboardInterrupt:
        interrupted("; clips that were sent are kept, run again to continue" if send else "")


@app.command(
    epilog=example("semlink replay results/quickstart --point KEY --out replay.html; without --point it lists the keys")
)
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="results folder")],
    point: Annotated[str | None, typer.Option(metavar="KEY", help="beginning of a point's key [lists them]")] = None,
    clip: Annotated[str, typer.Option(metavar="N", help="number or name of the clip")] = "0",
    trial: Annotated[int, typer.Option(metavar="K", min=0, help="number of the trial")] = 0,
    block: Annotated[int | None, typer.Option(metavar="N", min=0, help="follow this transport block")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="also a page of it, such as replay.html")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
    allow_plugins: AllowPlugins = False,
) -> None:
    """Send one clip of a finished run again, stage by stage. Exit code 1 if its numbers differ."""
    from semlink.cli.actions import replay as again

    if not again(folder, point, clip, trial, block, out, force=force, plugins=allow_plugins):
        raise typer.Exit(1)


@app.command(epilog=example("semlink verify results/quickstart --points 5"))
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="results folder, of whomever")],
    points: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="points to compute again [one a scheme, at least 3]")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="compute all points again")] = False,
    seed: Annotated[int | None, typer.Option(metavar="S", min=0, help="draw the same points again")] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="processes")] = 1,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="your own copy of the scenario, which leads to the clips")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="also write what was found, for programs")] = None,
    allow_plugins: AllowPlugins = False,
) -> None:
    """Compute points of a folder again: do its numbers hold?

    Exit code 1 if not, 2 if it cannot be said.
    """
    from semlink.cli.actions import verify_folder

    how = {"everything": all_, "plugins": allow_plugins}
    if code := verify_folder(folder, points, seed, workers, scenario, json, **how):
        raise typer.Exit(code)


@app.command(epilog=example("semlink validate --only ldpc --page validate.html"))
def validate(
    full: Annotated[
        bool, typer.Option("--full/--quick", help="all points, in most of an hour, or those of half a minute")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="a point, a beginning such as ldpc/threshold, or a pattern; give it again for more",
            autocompletion=completion.subjects,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="name the points and measure nothing")] = False,
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write the rows for programs")] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="write an HTML page")] = None,
    seed: Annotated[int, typer.Option(min=0, help="root of all chance")] = 1,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="processes")] = 1,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="clips that some points need [SEMLINK_DATA or ../shared/data]")
    ] = None,
) -> None:
    """Ours beside published numbers: coding, channels, metrics, papers. Exit code 1 if one differs."""
    from semlink.cli.actions import list_points, print_validation

    if list_:
        list_points(full, only or [])
        return
    try:
        passed = print_validation(json_, page, full=full, only=only or [], seed=seed, workers=workers, data=data)
    except KeyboardInterrupt:
        interrupted()
    if not passed:
        raise typer.Exit(1)


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


@app.command(epilog=example("semlink cite scenarios/cliff.yaml"))
def cite(file: Scenario, no_plugins: NoPlugins = False) -> None:
    """Print BibTeX of what a scenario uses."""
    from semlink.cli.actions import citations

    typer.echo(citations(file, plugins=not no_plugins), nl=False)


def main() -> None:
    """Run a command."""
    obey(app)


if __name__ == "__main__":
    main()
