"""The command line. Nothing heavy is imported before a command needs it; commands are listed in the order of import."""

from __future__ import annotations

from semlink.cli.commands import runs, seeing, tools
from semlink.cli.commands.app import app
from semlink.cli.usage import obey

__all__ = ["app", "main", "runs", "seeing", "tools"]


def main() -> None:
    """Run a command."""
    obey(app)
