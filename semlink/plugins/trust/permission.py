"""Whether code that a scenario or a results folder names may be imported at all.

A class of a user is a program: it may do whatever its user may. A scenario that one wrote oneself, or has read, may
bring its own; what comes from other people may not, unless somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from semlink.errors import PluginRefused

__all__ = ["REFUSED", "plugins_refused", "refuse_plugin"]

REFUSED = "is refused here"

_REFUSED: ContextVar[bool] = ContextVar("plugins are refused", default=False)


@contextmanager
def plugins_refused(refused: bool = True) -> Iterator[None]:
    """Inside, nothing that a file names is imported (in this thread); with False nothing changes."""
    before = _REFUSED.set(refused or _REFUSED.get())
    try:
        yield
    finally:
        _REFUSED.reset(before)


def refuse_plugin(interface: str, kind: str) -> None:
    """Raise PluginRefused where code may not be imported."""
    if _REFUSED.get():
        raise PluginRefused(f"{interface}: {kind!r} names code of a user or of a plug-in, which {REFUSED}")
