"""Where the command `semlink` begins: first what ends it, then everything else."""

from __future__ import annotations

from semlink.cli.stopping import stoppable


def main() -> None:
    """Run the command that `sys.argv` says."""
    with stoppable():
        from semlink.cli import commands

        commands.main()
