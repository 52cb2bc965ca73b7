"""Commands that look at what runs left, or hold it against something."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semlink.cli import completion
from semlink.cli.commands.app import (
    KINDS,
    AllowCommands,
    AllowPlugins,
    Metric,
    app,
    example,
)
from semlink.cli.stopping import interrupted


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
    allow_commands: AllowCommands = False,
) -> None:
    """Send one clip of a finished run again, stage by stage. Exit code 1 if its numbers differ."""
    from semlink.cli.actions import replay as again

    allowed = {"plugins": allow_plugins, "commands": allow_commands}
    if not again(folder, point, clip, trial, block, out, force=force, **allowed):
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
    allow_commands: AllowCommands = False,
) -> None:
    """Compute points of a folder again: do its numbers hold?

    Exit code 1 if not, 2 if it cannot be said.
    """
    from semlink.cli.actions import verify_folder

    how = {"everything": all_, "plugins": allow_plugins, "commands": allow_commands}
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
    """Measure published numbers here and compare. Exit code 1 if one differs."""
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
