"""How far a results folder is, in lines."""

from __future__ import annotations

from semlink.link.sweep.sharing.standing import Standing
from semlink.units import in_words

__all__ = ["as_text"]

MOST = 10
"""Missing points that are named."""


def as_text(told: Standing) -> str:
    """A line on how far it is, then one for whoever is at work, each failure, and points that are not there."""
    part = "" if told.shard is None else f" (shard {told.shard[0]} of {told.shard[1]})"
    counts = f"{told.done} of {told.points} points done{part}"
    counts += f", {len(told.missing)} missing" if told.missing else ""
    counts += f", {len(told.failed)} of them failed" if told.failed else ""
    if told.missing and told.seconds_left is not None:
        counts += f"; about {in_words(told.seconds_left)} with {told.workers} worker{'s' * (told.workers != 1)}"
    lines = [f"{told.folder}: {counts}"]
    for one in told.at_work:
        points = f", at {len(one.points)} point{'s' * (len(one.points) != 1)}" if one.points else ""
        lines.append(f"  at work: process {one.pid} on {one.host} for {in_words(one.since_s)}{points}")
    if told.missing and not told.at_work:
        lines.append("  nobody is at work; semlink run goes on")
    lines += [f"  failed: {one.point}: {one.told}" for one in told.failed]
    lines += [f"  missing: {name}" for name in told.missing[:MOST]]
    lines += [f"  and {len(told.missing) - MOST} more" if len(told.missing) > MOST else ""]
    lines += [f"  {told.stale} of other scenarios or versions, kept and not used" if told.stale else ""]
    return "".join(f"{line}\n" for line in lines if line)
