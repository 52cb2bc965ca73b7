"""What can go wrong, in words a user can act on.

Every class is a `SemlinkError` and also the standard exception that fits, so
library callers may catch either. The command line prints the message on one
line and exits with 2.
"""

from __future__ import annotations

import difflib
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_PACKAGE = Path(__file__).resolve().parent
_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = ("site-packages", "dist-packages")
ALIKE, MORE, BEGINNING = 0.66, 3, 3
"""A word may be another one misspelt: so like it, by so many letters longer; or its beginning, of so many letters."""


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was probably meant: misspelt, cut short or in other capitals; None if none is like it."""
    allowed = list(allowed)
    if near := difflib.get_close_matches(word, [a for a in allowed if abs(len(a) - len(word)) <= MORE], 1, ALIKE):
        return near[0]
    plain = word.casefold()
    begun = [a for a in allowed if a.casefold() == plain or len(plain) >= BEGINNING and a.casefold().startswith(plain)]
    return min(begun, key=len, default=None)


class SemlinkError(Exception):
    """Base of every error that is meant for the user.

    Attributes:
        trace: the whole traceback where a user's class raised something else; else ''.
    """

    trace: str = ""


class ScenarioError(SemlinkError, ValueError):
    """The scenario says something that cannot be done; carries file and line."""


class NoPoints(ScenarioError):
    """A part of a scenario in which there is nothing to do; the other parts have it all."""


class UnknownBlock(ScenarioError):
    """A `kind` that neither semlink nor any plug-in offers."""


class PluginRefused(ScenarioError):
    """Code of a user or of a plug-in, named where none is wanted."""


class SourceError(SemlinkError, ValueError):
    """A source that cannot be read, is too short, or has the wrong size."""


class Infeasible(SemlinkError, ValueError):
    """An operating point that no bitstream or symbol block fits into.

    The sweep keeps the row, leaves its quality empty and notes the reason.
    """


class BudgetExceeded(SemlinkError, ValueError):
    """A charge that the ledger's budget cannot carry."""


class LedgerMismatch(SemlinkError, ValueError):
    """What reached the antenna is not what the ledger paid for."""


class BoundaryError(SemlinkError, RuntimeError):
    """A receiver that used something which did not reach its antenna."""


class ChannelFault(SemlinkError, ValueError):
    """A channel whose output cannot be true: wrong count, NaN, wrong type."""


class InterfaceError(SemlinkError, TypeError):
    """Two blocks that do not fit together."""


class PluginFault(InterfaceError):
    """A user's class that raised in the middle of the work, or returned what its interface does not allow."""


class ModelError(SemlinkError, ValueError):
    """Weights that are missing, of another architecture, or fail their probe."""


class TrainingError(SemlinkError, RuntimeError):
    """A training run that cannot start or continue."""


class MemoryShort(SemlinkError, MemoryError):
    """Work that takes more memory than there is."""


class TimeUp(SemlinkError, TimeoutError):
    """A run whose time was over before any point was finished."""


class ResultsError(SemlinkError, OSError):
    """A results folder that cannot be read or written."""


E = TypeVar("E", bound=SemlinkError)


def placed(fault: E, where: str) -> E:
    """The same error with the place in front of its words."""
    told = type(fault)(f"{where}: {fault}")
    vars(told).update(vars(fault))
    return told


@contextmanager
def told_at(where: str) -> Iterator[None]:
    """Put a place in front of every error that is raised inside; that nothing fits (`Infeasible`) is none."""
    try:
        yield
    except Infeasible:
        raise
    except SemlinkError as fault:
        raise placed(fault, where) from fault


def traced(told: E, fault: BaseException) -> E:
    """`told` with the traceback of what a user's class raised."""
    told.trace = "".join(traceback.format_exception(fault))
    return told


def raised(fault: BaseException) -> str:
    """What was raised and why, with the innermost place in a user's file: `KeyError: 'x' (my_codec.py:12)`."""
    said = (str(fault).strip().splitlines() or [""])[0]
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if _is_users(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(fault).__name__}{': ' if said else ''}{said}{place}"


def _is_users(file: str) -> bool:
    """Whether somebody wrote it beside semlink, the installed packages and Python's library; a notebook's cell too."""
    path = Path(file)
    if any(part in _INSTALLED for part in path.parts):
        return False
    return not file.startswith("<frozen") and not any(path.is_relative_to(home) for home in (_PACKAGE, _LIBRARY))
