"""Where the command `semlink` begins: first what ends it and what it speaks through, then everything else."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress

from semlink.cli.stopping import stoppable

SILENT = (errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO)
"""Why standard output may take nothing more."""


_UNMAPPED = re.compile(r"(\S+\.so\S*): (?:failed to map segment|cannot allocate memory|cannot map)", re.IGNORECASE)
"""How the system says that a library does not fit into memory any more."""


def main() -> None:
    """Run the command that `sys.argv` says."""
    _occupy()
    with stoppable():
        _speak_anyway()
        try:
            _refuse_nowhere()
            try:
                from semlink.cli import commands

                commands.main()
            finally:
                sys.stdout.flush()
        except ImportError as fault:
            if (library := _UNMAPPED.search(str(fault))) is None:
                raise
            _say_short(library[1])
        except MemoryError:
            _say_short("a library")
        except OSError as fault:
            if fault.errno not in SILENT:
                _say((fault.strerror or str(fault)).lower())
                sys.exit(2)
            _be_silent(fault)


def _refuse_nowhere() -> None:
    """Without a folder to be in, libraries are not found and nothing relative means anything."""
    try:
        os.getcwd()
    except FileNotFoundError:
        _say("the folder that you are in is gone; change to another")
        sys.exit(2)


def _say_short(what: str) -> None:
    """Memory does not even suffice to begin. Exit code 2."""
    from semlink.memory import LIBRARIES_BYTES, said_bytes, spare_bytes

    spare = spare_bytes()
    free = "" if spare is None else f"; {said_bytes(spare)} are free"
    needed = f"all libraries together take {said_bytes(LIBRARIES_BYTES)} of addresses in each process (ulimit -v)"
    _say(f"memory is short: {what} cannot be loaded{free}, and {needed}")
    sys.exit(2)


def _occupy() -> None:
    """Put nothing in the place of standard streams that are closed, which the next file would take."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            taken = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(taken, True)


def _speak_anyway() -> None:
    """Text reaches terminals that cannot show all of it; a closed standard output fails as a full one does.

    A closed standard error takes all without a word.
    """
    for name, mode in (("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if vars(sys)[name] is None:
            taken = os.open(os.devnull, mode)
            setattr(sys, name, open(taken, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process is
        stream = vars(sys)[name]
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _be_silent(fault: OSError) -> None:
    """Standard output took not all that was said; what was kept in files is kept. Exit code 2."""
    why = "closed" if fault.errno == errno.EBADF else (fault.strerror or str(fault)).lower()
    _say(f"standard output: {why}; files are kept")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to say goes nowhere
    sys.exit(2)


def _say(what: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"semlink: {what}\n")
        sys.stderr.flush()
