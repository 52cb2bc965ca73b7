"""Ours against theirs: what the interval of ours allows to say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from semlink.link.validate.entry import Entry, Found

__all__ = ["VERDICTS", "Row", "judged", "not_run", "raised"]

Verdict = Literal["agrees", "better", "falls short (known)", "differs", "cannot run here"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry with what was found.

    Attributes:
        verdict: `agrees`: ours may well lie where the rule allows; `better`: it certainly (95 %) lies on the better
            side of theirs, where the rule has only one; `falls short (known)`: certainly worse than theirs, as it was
            before; `differs`: the interval of ours excludes what is allowed; `cannot run here`: something is missing.
        ours: None where nothing was measured.
        note: why it could not run, how it failed, or why it falls short.
        seconds: of the measurement, which several entries may share.
    """

    entry: Entry
    verdict: Verdict
    ours: Found | None = None
    note: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.entry.name


def judged(entry: Entry, ours: Found, seconds: float = 0.0) -> Row:
    """The verdict on what was measured."""
    if any(map(math.isnan, (ours.value, ours.least, ours.most))):
        return Row(entry, "differs", ours, "what was measured is not a number", seconds)
    low, high = entry.rule.allowed(entry.theirs)
    if low <= ours.most and ours.least <= high:
        return Row(entry, "better" if _surely_better(entry, ours) else "agrees", ours, "", seconds)
    if entry.short is not None and ours.least <= high:
        if ours.most >= entry.short.committed - entry.short.slack:
            return Row(entry, "falls short (known)", ours, entry.short.why, seconds)
        was = f"it was {entry.short.committed:g} and fell short of theirs already; now it is worse by more than "
        return Row(entry, "differs", ours, f"{was}{entry.short.slack:g}", seconds)
    return Row(entry, "differs", ours, f"allowed is {_range(low, high)}: {entry.rule.why}", seconds)


def _surely_better(entry: Entry, ours: Found) -> bool:
    lower_is_better = math.isinf(entry.rule.below)
    return entry.rule.one_sided and (ours.high < entry.theirs if lower_is_better else ours.low > entry.theirs)


def _range(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at most {high:.5g}"
    if low == high:
        return f"{low:.5g}"
    return f"at least {low:.5g}" if math.isinf(high) else f"{low:.5g} to {high:.5g}"


def not_run(entry: Entry, why: str) -> Row:
    return Row(entry, "cannot run here", None, why)


def raised(entry: Entry, fault: str, seconds: float = 0.0) -> Row:
    return Row(entry, "differs", None, f"the measurement failed: {fault}", seconds)
