"""`frames.png`: one frame of one clip as each scheme delivers it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from semlink.errors import ScenarioError
from semlink.link.plots.choice import View, chosen, is_at, said
from semlink.link.plots.pictures.frame_panels import Cell, frames_figure
from semlink.link.results.finished import FinishedPoint, FinishedRun
from semlink.link.results.pictures import Picture, Shown, shown_points
from semlink.link.results.rows import from_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 11


def run_frames(run: FinishedRun, view: View) -> Figure | None:
    """The middle frame of a kept clip, by every scheme at its middle point or at the one that is chosen.

    Raises:
        ScenarioError: no picture is kept of what is chosen.
    """
    choice = view.choice
    kept = [s for s in shown_points(run.folder, "points") if s.picture.source is not None]
    wanted = {_place(point) for point in chosen(run, choice).points}
    here = [s for s in kept if _place(_point(s)) in wanted and is_at(_point(s), choice.point)]
    if choice.clip is not None:
        here = [s for s in here if fnmatchcase(_clip_name(s), choice.clip)]
    if choice.clip is not None or choice.point:
        _check(here, kept, choice.clip)
    middle = [s for s in shown_points(run.folder, "middle") if _place(_point(s)) in map(_place, map(_point, here))]
    return outputs_figure(_one_each(middle, here), view)


def outputs_figure(shown: Sequence[Shown], view: View | None = None) -> Figure | None:
    """The middle frame of the first clip at the middle point of every scheme; None without a picture."""
    view = View() if view is None else view
    kept = [point for point in shown if point.picture.source is not None]
    if not kept:
        return None
    source = as_picture(*_middle(kept[0].picture, "source"))
    before = as_picture(*_middle(kept[0].picture, "source", back=1))
    motion = np.abs(source - before)
    clip = next((name for point in kept if (name := _clip_name(point))), "")
    cells = [Cell("source", source, clip), *(_cell(point) for point in kept[:MOST_PANELS])]
    at = view.choice.at
    detail = "around the chosen pixel" if at else "where schemes differ most" if len(cells) > 2 else "with most edges"
    notes = [f"Orange: the detail below each frame, {detail}. The dB are those of the whole clip in this transmission."]
    if any(cell.genie for cell in cells):
        notes.append("Bold: knows what no receiver could (genie).")
    left = [point.scheme for point in kept[MOST_PANELS:]]
    if left:
        notes.append(f"Left out: {said(left)}; --schemes chooses.")
    return frames_figure(
        cells, motion=motion if motion.ndim == 2 else motion.mean(2), at=at, look=view.look, notes=notes
    )


def as_picture(frame: np.ndarray, planes: int) -> np.ndarray:
    """A kept frame, uint8, in [0, 1]: gray as (h, w); of three planes, one above the other, as (h, w, 3)."""
    frame = frame / 255.0
    return frame if planes == 1 else frame.reshape(planes, -1, frame.shape[1]).transpose(1, 2, 0)


def _point(shown: Shown) -> FinishedPoint:
    return FinishedPoint(from_json(shown.record["row"]))


def _place(point: FinishedPoint) -> tuple:
    return (point.row.scheme, *point.row.point)


def _clip_name(shown: Shown) -> str:
    return str(shown.clip["name"]) if shown.clip else ""


def _check(here: Sequence[Shown], kept: Sequence[Shown], clip: str | None) -> None:
    """Refuse a choice of which nothing is kept."""
    if here:
        return
    clips = said(map(repr, dict.fromkeys(filter(None, map(_clip_name, kept))))) or "none"
    if clip is not None and not any(fnmatchcase(_clip_name(s), clip) for s in kept):
        raise ScenarioError(f"clip: no picture of {clip!r} is kept; there are pictures of {clips}")
    places = said(dict.fromkeys(map(_words, kept)), 6) or "none"
    raise ScenarioError(f"point: no picture is kept there; there are pictures at {places}")


def _words(shown: Shown) -> str:
    row = _point(shown).row
    told = {"snr": row.snr_db, "budget": row.budget, "rate": row.rate if row.budget is None else None}
    return ",".join(f"{name}={number:g}" for name, number in told.items() if number is not None) or "any point"


def _one_each(middle: Iterable[Shown], here: Iterable[Shown]) -> list[Shown]:
    """A picture for each scheme: of its middle point if that is chosen, else of the first that is."""
    found: dict[str, Shown] = {}
    for shown in (*middle, *here):
        found.setdefault(shown.scheme, shown)
    return [found[scheme] for scheme in dict.fromkeys(shown.scheme for shown in here)]


def _middle(picture: Picture, name: str, *, back: int = 0) -> tuple[np.ndarray, int]:
    """The middle frame, or that `back` before it, and the planes that it has."""
    frames = picture.source if name == "source" else picture.received
    assert frames is not None
    number = max(picture.middle - back, 0)
    return frames[picture.numbers.index(number)], picture.planes


def _cell(shown: Shown) -> Cell:
    row, clip, snr_db = shown.record["row"], shown.clip, shown.record["snr_db"]
    where = "" if snr_db is None else f", {snr_db:g}\N{NO-BREAK SPACE}dB"
    if shown.picture.received is None or clip is None:
        return Cell(shown.scheme, None, f"does not fit{where}")
    senses = row["channel_uses"] is None
    sensed = row["measurements_per_pixel"]
    cost = f"{sensed:.3g} readings a pixel" if senses else f"{clip['channel_uses'][0]:,.0f} uses"
    genie = ", ".join(shown.record["genie"])
    marks = [f"genie: {genie}"] if genie else []
    marks += ["bound"] if shown.record["bound"] and not senses else []
    name = shown.scheme + (f" ({'; '.join(marks)})" if marks else "")
    caption = f"{cost}{where}, clip {clip['psnr_db'][0]:.1f}\N{NO-BREAK SPACE}dB"
    return Cell(name, as_picture(*_middle(shown.picture, "received")), caption, bool(genie))
