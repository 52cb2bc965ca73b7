"""What a verification found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from semlink.files import JsonDict
from semlink.link.verify.compare import Difference
from semlink.link.verify.verify import CANNOT, DIFFERS, HOLDS, SAME, Checked, Verification
from semlink.yaml12.words import shown

__all__ = ["as_json", "as_text"]

WORDS = {SAME: "the same to the last digit", HOLDS: "holds", DIFFERS: "differs", CANNOT: "cannot be computed here"}
NOTHING = 1e-9
MOST_TOLD, MOST_HELD = 8, 2
"""Differences of a point that are told one by one, and where all of them are within what is allowed."""


def as_text(found: Verification) -> str:
    """All of it, the verdict last."""
    lines = [f"{found.folder}: {found.rows} rows"]
    lines += [f"  {line}" for line in found.said]
    lines += [f"  wrong: {line}" for line in found.wrong]
    if not (found.wrong or found.alone):
        lines.append("  table, points and checksums agree with one another")
    if found.points:
        lines.append(f"{len(found.points)} points computed again, drawn with --seed {found.seed}")
    for point in found.points:
        lines += _of_point(point)
    return "".join(f"{shown(line)}\n" for line in [*lines, _verdict(found)])


def _of_point(point: Checked) -> Iterator[str]:
    yield f"  {WORDS[point.verdict]}: {point.place}" + (f": {point.why}" if point.why else "")
    holds = point.verdict == HOLDS
    unlike = [one for one in point.differences if not _looks_equal(one)]
    worst = sorted(unlike, key=lambda one: -one.far)
    most = MOST_HELD if holds else MOST_TOLD
    yield from (f"    {_in_words(one)}" for one in worst[:most])
    if len(worst) > most:
        yield f"    and {len(worst) - most} more, by less of what is allowed"
    yield from (f"    {line}" for line in point.remarks)


def _looks_equal(one: Difference) -> bool:
    """Whether its line would show the same twice, or a distance of nothing."""
    return one.holds and (abs(one.by or 0.0) < NOTHING or (bool(one.theirs) and one.theirs == one.ours))


def _in_words(one: Difference) -> str:
    by = "" if one.by is None else f" ({one.by:+.3g}, {'within' if one.holds else 'allowed'} {one.allowed:.2g})"
    if not one.theirs and one.by is not None:
        return f"{one.column}: {one.by:.3g} ({'within' if one.holds else 'allowed'} {one.allowed:.2g})"
    return f"{one.column}: {one.theirs} there, {one.ours} here{by}"


def _verdict(found: Verification) -> str:
    hold = len(found.of(SAME)) + len(found.of(HOLDS))
    unseen = (
        f"; of {found.alone} of {found.rows} rows no trial and no checksum could be looked at" if found.alone else ""
    )
    if found.code == 1:
        parts = [f"{len(found.of(DIFFERS))} of {len(found.points)} points differ"] if found.of(DIFFERS) else []
        parts += [f"{found.missing} of its points missing"] if found.missing else []
        parts += ["the folder contradicts itself"] if len(found.wrong) > bool(found.missing) else []
        parts += [found.cannot] if found.cannot else []
        return f"does not hold: {'; '.join(parts)}{unseen}"
    if found.cannot or not found.points:
        return f"cannot be said: {found.cannot or 'there is no point to compute'}"
    if found.code == 2:
        counts = f"{hold} of {len(found.points)} points hold, {len(found.of(CANNOT))} not computed"
        return f"cannot be said of all: {counts}{unseen}"
    same = len(found.of(SAME))
    return f"holds: {hold} of {hold} points, {same} of them to the last digit{unseen}"


def as_json(found: Verification) -> JsonDict:
    """For programs."""
    return {
        "folder": str(found.folder),
        "verdict": ("holds", "differs", "cannot")[found.code],
        "rows": found.rows,
        "missing": found.missing,
        "alone": found.alone,
        "seed": found.seed,
        "cannot": found.cannot,
        "wrong": list(found.wrong),
        "said": list(found.said),
        "points": [
            {
                "place": point.place,
                "key": point.key,
                "verdict": point.verdict,
                "why": point.why,
                "remarks": list(point.remarks),
                "differences": [
                    {
                        "column": one.column,
                        "theirs": one.theirs,
                        "ours": one.ours,
                        "by": one.by,
                        "allowed": one.allowed,
                        "holds": one.holds,
                    }
                    for one in point.differences
                ],
            }
            for point in found.points
        ],
    }
