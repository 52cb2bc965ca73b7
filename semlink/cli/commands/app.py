"""The command `semlink`, options that several of its commands have, and where commands find them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semlink import __version__

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
AllowCommands = Annotated[
    bool,
    typer.Option(
        "--allow-commands", help="start the programs that a codec of kind command names: only if you trust it"
    ),
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="read weights that are pickles (.pt, .pth), for tensors alone")
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
