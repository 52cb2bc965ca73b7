"""A command run, and what is said where it fails: one line, for a wrong option in the words of every other refusal."""

from __future__ import annotations

import re
import sys
from typing import NoReturn

import typer

from semlink.errors import NoPoints, SemlinkError, TimeUp
from semlink.yaml12.words import shown

__all__ = ["POINTS_LEFT", "obey", "plain"]

POINTS_LEFT = 3
"""Exit code of a run that had to end before all points were finished."""
CODES = {TimeUp: POINTS_LEFT, NoPoints: 0}
"""Exit codes of what is told as a fault; 2 of all others."""
UsageFault: type[Exception] = typer.BadParameter.__mro__[1]
"""A wrong option or argument; typer brings its own class or click's."""
WRONG = re.compile(r"Invalid value for '(?P<name>[^']+)': (?P<why>.*)", re.DOTALL)
WORDS = (
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"need \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"need at most \1"),
    (re.compile(r"Input should be a valid integer.*"), "need a whole number"),
    (re.compile(r"Input should be a valid number.*"), "need a number"),
)


def plain(message: str) -> str:
    """The message of a parser in a plain line: `--trial: need 0 or more`."""
    found = WRONG.fullmatch(message.removesuffix("."))
    if found is None:
        return message.removesuffix(".")
    why = found["why"].removesuffix(".")
    for pattern, words in WORDS:
        if pattern.fullmatch(why):
            return f"{found['name']}: {pattern.sub(words, why)}"
    return f"{found['name']}: {why}"


def obey(app: typer.Typer) -> NoReturn:
    """Run a command; errors meant for the user are one line and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="semlink")
    except MemoryError as fault:
        told = str(fault) if isinstance(fault, SemlinkError) else f"memory is short: {fault or 'nothing is left'}"
        sys.stderr.write(f"semlink: {told}\n")
        sys.exit(2)
    except SemlinkError as fault:
        sys.stderr.write("".join(f"semlink: {shown(line)}\n" for line in str(fault).splitlines()))
        sys.exit(next((code for kind, code in CODES.items() if isinstance(fault, kind)), 2))
    except OSError as fault:
        if fault.filename is None:
            raise  # of standard output, which the entry tells of
        from semlink.files import told_of_file

        sys.stderr.write(f"semlink: {told_of_file(fault)}\n")
        sys.exit(2)
    except UsageFault as fault:
        command = getattr(getattr(fault, "ctx", None), "command_path", "semlink")
        reason = plain(fault.format_message())  # type: ignore[attr-defined]
        sys.stderr.write(f"{command}: {reason} (see {command} --help)\n")
        sys.exit(2)
    except typer.Abort:
        raise KeyboardInterrupt from None
    sys.exit(code if isinstance(code, int) else 0)
