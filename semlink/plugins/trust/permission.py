"""Whether code that a scenario or a results folder names may be imported, and programs that it names be started.

A class of a user is a program: it may do whatever its user may. A scenario that one wrote oneself, or has read, may
bring its own; what comes from other people may not, unless somebody says so. Programs are started for nobody who has
not said so, for a command line does not show at a glance what it does. A pickle is a program too; those of weights
are read by torch's reader of tensors alone, which in the past could be led astray, and by it only if somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from semlink.errors import PluginRefused

__all__ = [
    "READS",
    "REFUSED",
    "STARTS",
    "commands_allowed",
    "pickles_allowed",
    "plugins_refused",
    "refuse_command",
    "refuse_pickle",
    "refuse_plugin",
]

REFUSED = "is refused here"
STARTS = "would start the program"
READS = "would read the pickle"

_REFUSED: ContextVar[bool] = ContextVar("plugins are refused", default=False)
_BARRED: ContextVar[bool] = ContextVar("commands are refused, whoever allows them", default=False)
_COMMANDS: ContextVar[bool] = ContextVar("commands are allowed", default=False)
_PICKLES: ContextVar[bool] = ContextVar("pickles are read", default=False)


@contextmanager
def plugins_refused(refused: bool = True, *, commands: bool = True) -> Iterator[None]:
    """Inside, nothing that a file names is imported (in this thread); with False nothing changes.

    Args:
        commands: False leaves it to `commands_allowed` whether programs may be started.
    """
    before = _REFUSED.set(refused or _REFUSED.get())
    barred = _BARRED.set(refused and commands or _BARRED.get())
    try:
        yield
    finally:
        _BARRED.reset(barred)
        _REFUSED.reset(before)


def refuse_plugin(interface: str, kind: str) -> None:
    """Raise PluginRefused where code may not be imported."""
    if _REFUSED.get():
        raise PluginRefused(f"{interface}: {kind!r} names code of a user or of a plug-in, which {REFUSED}")


@contextmanager
def commands_allowed(allowed: bool = True) -> Iterator[None]:
    """Inside, scenarios may name programs to start (in this thread); with False nothing changes."""
    before = _COMMANDS.set(allowed or _COMMANDS.get())
    try:
        yield
    finally:
        _COMMANDS.reset(before)


def refuse_command(program: str) -> None:
    """Raise PluginRefused where a scenario may not name programs."""
    if _BARRED.get():
        raise PluginRefused(f"{STARTS} {program!r}, which {REFUSED}")
    if not _COMMANDS.get():
        raise PluginRefused(f"{STARTS} {program!r}, which {REFUSED} without --allow-commands")


@contextmanager
def pickles_allowed(allowed: bool = True) -> Iterator[None]:
    """Inside, scenarios may name weights that are pickles (in this thread); with False nothing changes."""
    before = _PICKLES.set(allowed or _PICKLES.get())
    try:
        yield
    finally:
        _PICKLES.reset(before)


def refuse_pickle(path: str) -> None:
    """Raise PluginRefused where weights may not be pickles."""
    if not _PICKLES.get():
        raise PluginRefused(
            f"{READS} {path!r}, which {REFUSED} without --allow-pickle: a pickle is a program that runs while it is "
            "read; allowed, it is read for tensors alone, and best turned into safetensors"
        )
