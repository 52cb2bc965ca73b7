"""The reference of published points, from the entries that `semlink validate` measures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

from places import table

from semlink.link.validate.entries.registry import entries, home
from semlink.link.validate.entry import Entry, Rule
from semlink.link.validate.text import number

MOST = 60
"""Rows of a series; longer ones are told in a line."""
HEAD = ("point", "what is measured", "theirs", "allowed", "why", "source")


def page() -> str:
    """Every point by subject and series."""
    every = entries(home())
    quick = sum(entry.cost == "quick" for entry in every)
    words = f"holds ours against: {len(every):,} points, {quick} of them in `--quick`"
    lines = ["# Published points", "", f"What [`semlink validate`](../how_to/validate.md) {words}."]
    for subject, found in groupby(every, lambda entry: entry.name.partition("/")[0]):
        lines += ["", f"## {subject}", ""]
        for _, series in groupby(found, lambda entry: entry.name.rpartition("/")[0]):
            lines += _series(list(series))
    return "\n".join([*lines, ""])


def _series(found: list[Entry]) -> Iterator[str]:
    shown = found if len(found) <= MOST else [entry for entry in found if entry.cost == "quick"]
    yield from table(HEAD, [_row(entry) for entry in shown])
    if len(shown) < len(found):
        yield f"\nThose of `--quick` only; with `--full` there are {len(found)} of this kind."
    yield ""


def _row(entry: Entry) -> tuple[str, ...]:
    cost = "" if entry.cost == "quick" else " (full)"
    short = "" if entry.short is None else f"; known to fall short: ours was {number(entry.short.committed)}"
    theirs = f"{number(entry.theirs)} {entry.unit}".rstrip()
    return (f"`{entry.name}`{cost}", entry.what, theirs, _allowed(entry.rule) + short, entry.rule.why, entry.source)


def _allowed(rule: Rule) -> str:
    if math.isinf(rule.below):
        return f"at most {number(rule.above)} more" if rule.above else "not more"
    if math.isinf(rule.above):
        return f"at most {number(rule.below)} less" if rule.below else "not less"
    return f"± {number(rule.above)}" if rule.above else "the same"
