"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any

import typer
from places import table

from semlink.cli.commands import app


def page() -> str:
    """Every command with its arguments and options, as `semlink COMMAND --help` has them."""
    group: Any = typer.main.get_command(app)
    lines = ["# Commands", "", "What `semlink COMMAND --help` prints.", ""]
    for name, command in group.commands.items():
        if command.hidden:
            continue
        context = command.make_context(name, [], resilient_parsing=True)
        rows = [_row(part, context) for part in command.params if part.name != "help"]
        lines += [f"## semlink {name}", "", command.help or "", "", *table(("", "meaning"), rows), ""]
        example = (command.epilog or "").removeprefix("Example: ")
        lines += ["```sh", example, "```", ""] if example else []
    return "\n".join(lines)


def _row(part: Any, context: Any) -> tuple[str, str]:
    """An option as `--out DIR`, an argument as the command's usage line has it, and what it is."""
    words, meaning = part.get_help_record(context)
    return f"`{words if part.param_type_name == 'option' else part.metavar or part.name}`", " ".join(meaning.split())
