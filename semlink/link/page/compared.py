"""Which comparisons the page holds, made once for the summary and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semlink.errors import ScenarioError
from semlink.link.compare.compare import compare
from semlink.link.compare.gaps import Comparison
from semlink.link.metrics.registry import Metric
from semlink.link.page.groups import together
from semlink.link.page.parts import NamedRun
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import schemes_of

__all__ = ["MOST_PAIRS", "MOST_REFERENCES", "Compared", "compared"]

MOST_REFERENCES = 12
MOST_PAIRS = 400
"""Differences of two schemes at a point up to which all are made unasked, which takes a quarter of a minute."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Comparisons of folders of the same clips, by their reference.

    Attributes:
        left_out: schemes that are no reference since that would take long.
        why_none: why nothing is compared; '' where something is, or where that would take long.
    """

    run: FinishedRun
    by_reference: Mapping[str, Comparison]
    left_out: Sequence[str] = ()
    why_none: str = ""


def compared(runs: Sequence[NamedRun], metric: Metric, reference: str | None) -> tuple[Compared, ...]:
    """For each group of folders with the same clips its comparisons, the wished reference first."""
    return tuple(_of(run, metric, reference) for run in together(runs))


def _of(run: FinishedRun, metric: Metric, reference: str | None) -> Compared:
    names = schemes_of(run.rows)
    first = [name for name in names if name == reference]
    order = [*first, *(name for name in names if name not in first)]
    pairs = len(run.rows) * (len(names) - 1) / 2
    if len(names) > MOST_REFERENCES or pairs > MOST_PAIRS:
        order = first or ([_plain(run)] if len(run.rows) <= MOST_PAIRS else [])
    made: dict[str, Comparison] = {}
    why = ""
    for name in order:
        try:
            made[name] = compare(run, name, metric.column, tuple(made.values()))
        except ScenarioError as fault:  # nothing can be compared with this one, which the tables of the others show
            why = why or str(fault).removeprefix(f"{run.folder}: ")
    return Compared(run, made, [name for name in names if name not in order], "" if made else why)


def _plain(run: FinishedRun) -> str:
    """A scheme to compare with that a receiver could run: the one with most points."""
    able = [row.scheme for row in run.rows if not row.bound and not row.genie] or [row.scheme for row in run.rows]
    return max(dict.fromkeys(able), key=able.count)
