"""What can go wrong, in words a user can act on.

Every class is a `SemlinkError` and also the standard exception that fits, so
library callers may catch either. The command line prints the message on one
line and exits with 2.
"""

from __future__ import annotations


class SemlinkError(Exception):
    """Base of every error that is meant for the user."""


class ScenarioError(SemlinkError, ValueError):
    """The scenario says something that cannot be done; carries file and line."""


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


class ResultsError(SemlinkError, OSError):
    """A results folder that cannot be read or written."""
