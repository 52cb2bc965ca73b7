"""Where the symbols went: the ledger of each point by purpose."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.ledger import PURPOSES
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.results.rows import value

__all__ = ["section"]


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """None where nothing is sent."""
    rows = [row for run in runs for row in run.run.rows]
    used = [purpose for purpose in PURPOSES if any(value(row, purpose) for row in rows)]
    return Section("ledger", "Where the symbols went", {"purposes": used}) if used else None
