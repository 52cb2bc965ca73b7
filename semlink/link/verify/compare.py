"""A point of theirs beside the same one computed here: the same, within what chance explains, or something else.

What is allowed follows from our own trials: an interval of theirs may be whatever they wrote. Both met the same noise,
so the same code gives the same digits, and another processor nearly so. Another version of a codec sends other packets:
then all transmissions move a little, and some lose blocks that arrived before. So means must lie within the interval
over noise, and single transmissions must agree but for a few, or in the middle where versions differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from semlink.files import Json
from semlink.ledger import PURPOSES
from semlink.link.metrics.intervals import share_interval, t_halfwidth
from semlink.link.metrics.registry import Metric
from semlink.link.results.rows import COLUMNS, Row, cells, value

__all__ = ["Difference", "differences", "remarks"]

COSTS = (*PURPOSES, "channel_uses", "channel_uses_per_pixel")
DRIFT = 0.01
"""Part of a point's cost that another version of a codec may spend more or less."""
OF_INTERVAL = 0.25
"""Part of itself that an interval may differ by where a quality does."""
STEPS = 10.0
"""Single transmissions may drift by as many steps of the last shown digit: 0.1 dB."""
FEW = 0.1
"""Part of the transmissions that may be others, as where rounding decides of a block."""
SAME = 1e-9
LATER = ("agreement_bytes", "choice_bits", "psnr_clips_ci95", "bler_ci95_low", "bler_ci95_high", "outage")
"""Columns that earlier versions did not have."""
NOT_COMPARED = ("note", "scheme", "channel", "snr_db", "budget", "rate")
"""What versions may say in other words, and what the point was found by."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of theirs that is another here.

    Attributes:
        column: of the row; of a clip's entry with the clip before it.
        theirs, ours: as they stand in the table, or are said; empty where only the distance is told.
        by: ours less theirs; None where they are no numbers.
        allowed: what chance and versions explain; 0 for nothing.
    """

    column: str
    theirs: str
    ours: str
    by: float | None = None
    allowed: float = 0.0

    @property
    def holds(self) -> bool:
        return self.far <= 1

    @property
    def far(self) -> float:
        """How much of what is allowed is taken."""
        if self.by is None or math.isnan(self.by):
            return math.inf
        return abs(self.by) / self.allowed if self.allowed else math.inf


def differences(
    row: Row,
    theirs: Json,
    ours_row: Row,
    ours: Json,
    metrics: Sequence[Metric],
    *,
    adaptive: bool,
    same_code: bool,
    exact: bool = False,
) -> tuple[Difference, ...]:
    """What of a row, and of the record behind it, is another here.

    Args:
        theirs: their record; empty where the folder has none.
        adaptive: the number of trials follows from what they give.
        same_code: they say that they had the versions of today.
        exact: they say that they had the very code of today as well.
    """
    allowed = _allowed(ours_row, ours, metrics)
    found = list(_of_row(row, ours_row, allowed))
    if exact and not theirs:
        found = list(_explained(found, metrics))
    drifts = any(d.holds for d in found if d.column in allowed)
    if drifts and adaptive:
        found = [d for d in found if d.column != "trials"]
    if theirs and ours.get("clips") and theirs.get("clips"):
        found += _of_clips(theirs["clips"], ours["clips"], metrics, allowed, loose=bool(found) or drifts)
        for metric in metrics:
            found += _paired(theirs["clips"], ours["clips"], metric, FEW if same_code else 1.0)
    return tuple(found)


def remarks(row: Row, ours: Row) -> Iterator[str]:
    """What a table says in other words, or not at all."""
    if " ".join(row.note.split()) != " ".join(ours.note.split()):
        yield f"its note is {row.note!r}, here {ours.note!r}"
    unsaid = [name for name in LATER if value(row, name) is None and value(ours, name) is not None]
    if unsaid:
        yield f"it says nothing of {', '.join(unsaid)}"


def _allowed(row: Row, ours: Json, metrics: Sequence[Metric]) -> Mapping[str, float]:
    """By the column, how far a number of theirs may be from that of `row`."""
    found = {}
    for metric in metrics:
        half = value(row, metric.interval)
        found[metric.column] = max(half or 0.0, 10.0**-metric.decimals)
        if half is not None:
            found[metric.interval] = max(OF_INTERVAL * half, 10.0**-metric.decimals)
    if (over_clips := value(row, "psnr_clips_ci95")) is not None:
        found["psnr_clips_ci95"] = max(OF_INTERVAL * over_clips, 0.01)
    total = value(row, "channel_uses")
    if total is not None:
        found |= dict.fromkeys(COSTS, DRIFT * total)
        found["channel_uses_per_pixel"] = DRIFT * (value(row, "channel_uses_per_pixel") or 0.0)
    hit = np.array([lost > 0 for clip in ours.get("clips", ()) for lost in clip.get("lost", ())], float)
    if hit.size:
        low, high = share_interval(hit, np.ones(hit.size))
        found["outage"] = max(high - float(hit.mean()), float(hit.mean()) - low)
    shares = {name: value(row, name) for name in ("bler", "bler_ci95_low", "bler_ci95_high")}
    if all(share is not None for share in shares.values()):
        share, low, high = (float(s) for s in shares.values() if s is not None)
        found |= dict.fromkeys(shares, max(high - share, share - low))
    return found


def _explained(found: Sequence[Difference], metrics: Sequence[Metric]) -> Iterator[Difference]:
    """Nothing of a row's is allowed that moved alone: a mean that chance moves takes its interval along."""
    by_column = {one.column for one in found}
    partners = {m.column: (m.interval, m) for m in metrics} | {m.interval: (m.column, m) for m in metrics}
    for one in found:
        if one.column in partners:
            partner, metric = partners[one.column]
            yield one if partner in by_column else replace(one, allowed=min(one.allowed, 10.0**-metric.decimals))
        else:
            yield one if by_column & partners.keys() else replace(one, allowed=0.0)


def _of_row(row: Row, ours: Row, allowed: Mapping[str, float]) -> Iterator[Difference]:
    texts = [dict(zip(COLUMNS, cells(one))) for one in (row, ours)]
    for one, told in zip((row, ours), texts, strict=True):
        told |= {name: f"{n:.8g}" if isinstance(n, float) else str(n or "") for name, n in one.extra.items()}
    for name in dict.fromkeys([*texts[0], *texts[1]]):
        theirs, here = (told.get(name, "") for told in texts)
        if theirs == here or name in NOT_COMPARED or (name in LATER and not theirs):
            continue
        pair = value(row, name), value(ours, name)
        by = None if pair[0] is None or pair[1] is None else pair[1] - pair[0]
        yield Difference(name, theirs or "nothing", here or "nothing", by, allowed.get(name, 0.0))


def _of_clips(
    theirs: Sequence[Json],
    ours: Sequence[Json],
    metrics: Sequence[Metric],
    allowed: Mapping[str, float],
    *,
    loose: bool,
) -> Iterator[Difference]:
    """What of the clips' own values is another.

    Args:
        loose: rows differ already, so that what follows from single transmissions may too.
    """
    names = [[str(clip.get("name")) for clip in clips] for clips in (theirs, ours)]
    if names[0] != names[1]:
        yield Difference("clips", ", ".join(names[0]), ", ".join(names[1]))
        return
    for clip, here in zip(theirs, ours, strict=True):
        for metric in metrics:
            yield from _of_values(clip, here, metric, allowed[metric.column] * math.sqrt(len(ours)))
        rest = [name for name in here if name not in {m.column for m in metrics}]
        for name in rest if not loose else ():
            if name in clip and not _alike(clip[name], here[name]):
                yield Difference(f"{here['name']}, {name}", "other values", "other values")


def _of_values(clip: Json, here: Json, metric: Metric, allowed: float) -> Iterator[Difference]:
    """One difference for all trials of a clip."""
    theirs, ours = (np.array(c.get(metric.column) or [math.nan], float) for c in (clip, here))
    if _alike(list(theirs), list(ours)):
        return
    half = t_halfwidth(ours.tolist())
    least = allowed if math.isnan(half) else max(allowed, half)
    means = [f"{metric.column} {v.mean():.{metric.decimals + 2}f} on average" for v in (theirs, ours)]
    by = float(ours.mean() - theirs.mean())
    if abs(by) <= SAME * max(1.0, abs(ours.mean())):
        return  # other trials of the same mean; those that differ are told by their distance
    yield Difference(f"{here['name']}, {metric.column}", means[0], means[1], by, least)


def _paired(theirs: Sequence[Json], ours: Sequence[Json], metric: Metric, few: float) -> Iterator[Difference]:
    """Single transmissions, which met the same noise there and here."""
    apart = [
        abs(b - a)
        for clip, here in zip(theirs, ours)
        for a, b in zip(clip.get(metric.column) or (), here[metric.column])
    ]
    if not apart or max(apart) <= SAME * max(map(abs, ours[0][metric.column]), default=1.0):
        return
    step = STEPS * 10.0**-metric.decimals
    middle, beyond = float(np.median(apart)), sum(one > step for one in apart)
    yield Difference(f"{metric.column} of single transmissions, median distance", "", "", middle, step)
    if beyond:
        told = f"part of the transmissions whose {metric.column} is another by more than {step:g}"
        yield Difference(told, "", "", beyond / len(apart), few)


def _alike(a: object, b: object) -> bool:
    """Whether two JSON values are the same but for rounding."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_alike(a[name], b[name]) for name in a)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=SAME, abs_tol=SAME) or (math.isnan(a) and math.isnan(b))
    return a == b
