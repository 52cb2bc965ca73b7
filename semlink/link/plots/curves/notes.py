"""What must be said with curves: what intervals are, what is left out, what lies on top of each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from semlink.link.plots.choice import said
from semlink.link.plots.curves.model import COINCIDENT, Curve, Sheet, coincident, quality_range, spread
from semlink.link.plots.curves.scene import Key, Scene
from semlink.link.results.labels import in_words
from semlink.link.results.rows import value

__all__ = ["BUDGET_PANELS", "SCHEME_PANELS", "SNR_PANELS", "notes"]

MAX_NOTES = 6  # schemes with points left out, each in a line
FULL = 0.97
"""Share of a budget that counts as spent."""
Words = tuple[str, str, Callable[[Key], str]]
"""What panels differ in, why these were chosen, and how one that is left out is called."""
CHOSEN = "where schemes differ most and what lies between others tells least"
SNR_PANELS: Words = (CHOSEN, "--snr", lambda key: f"{key[1]:g} dB" if key[1] is not None else key[0])
BUDGET_PANELS: Words = (CHOSEN, "--budget", lambda key: f"{key[1]:g}" if key[1] is not None else key[0])
SCHEME_PANELS: Words = ("the first", "--schemes", lambda key: str(key[1]))


def notes(sheet: Sheet, scene: Scene, left: Sequence[Key], words: Words) -> Sheet:
    """The sheet with its notes.

    Args:
        left: panels for which there is no room.
    """
    lines = [_conditions(scene), *_reference(scene), *_intervals(sheet, scene), *_bounds(sheet), *_folders(sheet)]
    if not scene.quantity.higher_is_better and not scene.quantity.log:
        lines.append("Lower is better.")
    if sheet.name.endswith("_vs_snr"):
        lines += _unspent(scene)
    lines += _no_panel(sheet, left, words)
    lines += _not_drawn(scene)
    lines += _on_top(sheet)
    return replace(sheet, notes=tuple(line for line in lines if line))


def _conditions(scene: Scene) -> str:
    """Channel (where the titles don't say it), clips and trials behind the points."""
    rows = [p.row for p in scene.points]
    channels = {r.channel for r in rows}
    parts = [f"Channel: {rows[0].channel}"] if len(channels) == 1 and rows[0].channel else []
    for name, counts in (("clips", [r.clips for r in rows]), ("trials", [r.trials for r in rows if not r.bound])):
        found = [n for n in counts if n]
        if found:
            low, high = min(found), max(found)
            parts.append(f"{low if low == high else f'{low} to {high}'} {name[:-1] if high == 1 else name}")
    return ", ".join(parts) + "." if parts else ""


def _reference(scene: Scene) -> Iterator[str]:
    if scene.quantity.zero:
        yield f"Each clip and trial less the same of {scene.quantity.zero}, which is the line at 0."


def _intervals(sheet: Sheet, scene: Scene) -> Iterator[str]:
    """What is drawn around points; how far the light lines reach, since an axis may cut them off."""
    cut = "" if quality_range(sheet) is None else ", cut off at the edge"
    if any(high > low for low, high in (dot.trials for dot in sheet.dots)):
        held = "" if sheet.log_y else ", clips held fixed"
        yield f"Bands and bars: 95 % confidence interval of the {scene.quantity.mean}{held}{cut}."
    halves = [(dot.clips[1] - dot.clips[0]) / 2 for dot in sheet.dots if dot.clips[1] > dot.clips[0]]
    if halves:
        digits = 1 if max(halves) >= 1 else 3
        reach = f"\N{PLUS-MINUS SIGN}{min(halves):.{digits}f} to {max(halves):.{digits}f}"
        mostly = "" if scene.quantity.zero else "; clips differ alike for all schemes, see --kind difference"
        yield f"Light lines: the same over clips, {reach}{cut}{mostly}."
    if sheet.log_y and any(dot.y <= 0 for dot in sheet.dots):
        yield "Arrows: nothing was lost; they begin at the upper end of the interval."


def _bounds(sheet: Sheet) -> Iterator[str]:
    found = dict.fromkeys((c.label, c.bound) for c in sheet.curves if c.bound and c.bound != "bound")
    for label, bound in found:
        yield f"Dotted: {label}, a {bound}, none on the {sheet.ylabel.partition(' [')[0]} that is drawn."


def _folders(sheet: Sheet) -> Iterator[str]:
    if sheet.folders:
        yield "Colours tell schemes apart, markers the folders."


def _unspent(scene: Scene) -> Iterator[str]:
    """Schemes that leave a part of the budget, since curves over the SNR do not show it."""
    found: dict[str, list[float]] = {}
    for row in (p.row for p in scene.points):
        spent = value(row, "channel_uses_per_pixel")
        if row.budget and spent is not None and spent < FULL * row.budget:
            found.setdefault(row.scheme, []).append(100 * spent / row.budget)
    for scheme, shares in list(found.items())[:MAX_NOTES]:
        low, high = math.floor(min(shares)), math.floor(max(shares))
        yield f"Of its budget {scheme} spends {low if low == high else f'{low} to {high}'} % at some points."


def _no_panel(sheet: Sheet, left: Sequence[Key], words: Words) -> Iterator[str]:
    why, option, name = words
    if left:
        channels = list(dict.fromkeys(channel for channel, _ in left))
        told = [name(key) + (f" ({key[0]})" if len(channels) > 1 and key[0] else "") for key in left]
        shown = len(sheet.panels)
        yield f"{shown} of {shown + len(left)} panels are shown, {why}; left out: {said(told)}. {option} chooses."


def _not_drawn(scene: Scene) -> list[str]:
    """A line for each scheme with points that could not be drawn."""
    lines = []
    for scheme in dict.fromkeys(p.row.scheme for p in scene.points):
        if scene.quantity.zero and all(not scene.drawable(p) for p in scene.points if p.row.scheme == scheme):
            continue  # the reference itself
        missing = [p for p in scene.points if p.row.scheme == scheme and not scene.drawable(p)]
        lossless = [p for p in missing if p.row.psnr_db is not None and not math.isfinite(p.row.psnr_db)]
        rest = [p for p in missing if p not in lossless and not (scene.quantity.log and p.row.psnr_db is not None)]
        reasons = list(dict.fromkeys(in_words(p.row.note) for p in rest if p.row.note))
        if lossless:
            lines.append(f"Not drawn: {scheme}, {_points(len(lossless))} without any error.")
        if rest:
            first = reasons[0].partition("; ")[0] if reasons else ""
            why = f" ({first}{', and other reasons' if len(reasons) > 1 else ''})" if reasons else ""
            lines.append(f"Not drawn: {scheme}, {_points(len(rest))}{why}.")
    more = len(lines) - MAX_NOTES
    return [*lines[:MAX_NOTES], f"Not drawn: points of {more} more schemes, see curves.csv."] if more > 1 else lines


def _on_top(sheet: Sheet) -> Iterator[str]:
    """A line for each group of curves on top of each other: of equal numbers, or too close to be told apart."""
    if sheet.shade_label or sheet.log_y:
        return
    found: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for panel in sheet.panels:
        equal = coincident(panel.curves, 0.0)
        close = [group for group in coincident(panel.curves, COINCIDENT * spread(sheet.panels)) if group not in equal]
        for is_equal, groups in ((True, equal), (False, close)):
            for group in groups:
                found.setdefault((is_equal, tuple(_name(panel.curves[i], sheet) for i in group)), []).append(
                    panel.title
                )
    for (is_equal, labels), titles in found.items():
        where = "" if len(titles) == len(sheet.panels) else f" ({'; '.join(t for t in titles if t)})"
        if is_equal:
            yield f"Coincide{where}: {' = '.join(labels)}."
        else:
            yield f"Too close to be told apart here{where}: {', '.join(labels)}."


def _name(curve: Curve, sheet: Sheet) -> str:
    return curve.label if curve.folder is None else f"{sheet.folders[curve.folder]}: {curve.label}"


def _points(count: int) -> str:
    return f"{count} point" + ("s" if count > 1 else "")
