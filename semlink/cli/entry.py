"""Where the command `semlink` begins: first what ends it and what it speaks through, then everything else."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress

from semlink.cli.stopping import stoppable

SILENT = (errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO)
"""Why standard output may take nothing more."""


def main() -> None:
    """Run the command that `sys.argv` says."""
    with stoppable():
        _speak_anyway()
        from semlink.cli import commands

        try:
            try:
                commands.main()
            finally:
                sys.stdout.flush()
        except OSError as fault:
            if fault.filename is not None or fault.errno not in SILENT:
                raise
            _be_silent(fault)


def _speak_anyway() -> None:
    """Text reaches terminals that cannot show all of it, and a stream that is closed takes it without a word."""
    for name in ("stdout", "stderr"):
        if vars(sys)[name] is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process is
        stream = vars(sys)[name]
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _be_silent(fault: OSError) -> None:
    """Standard output took not all that was said; what was kept in files is kept. Exit code 2."""
    with suppress(OSError):
        sys.stderr.write(f"semlink: standard output: {(fault.strerror or str(fault)).lower()}; files are kept\n")
        sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to say goes nowhere
    sys.exit(2)
