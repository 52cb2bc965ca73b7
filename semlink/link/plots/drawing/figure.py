"""Sheets of curves laid out as figures: panels on top, then the legend, then the notes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlink.files import JsonDict
from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.curves.model import Sheet
from semlink.link.plots.drawing.axes import draw_panel
from semlink.link.plots.drawing.legend import Box, add_colour_bar, add_legend, shade_room, shades
from semlink.link.plots.drawing.scales import per_clip_scale, set_limits
from semlink.link.plots.style import PLAIN, Look, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["sheet_figure"]

PANEL_IN = {1: 5.6, 2: 3.7, 3: 2.95}
"""Width of a panel where the look gives none to the whole, by how many stand side by side."""
TALL = {1: 0.63, 2: 0.78, 3: 0.85}
"""Height of a panel over its width."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, in inches."""

    columns: int
    lines: int
    width: float
    height: float
    left: float
    right: float
    gap: float
    title: float
    ticks: float
    margin: float

    @property
    def total(self) -> float:
        return self.left + self.columns * self.width + (self.columns - 1) * self.gap + self.right


def sheet_figure(sheet: Sheet, look: Look = PLAIN) -> Figure:
    """One sheet laid out as a figure."""
    return picture(lambda: _figure(sheet, look), look)


def _figure(sheet: Sheet, look: Look) -> Figure:
    """Sizes in inches, bottom up."""
    at = _layout(sheet, look)
    total = at.total
    figure = new_figure((total, 8.0))
    legend, legend_height = (None, 0.0) if sheet.shade_label else add_legend(figure, sheet, look, total - 2 * at.margin)
    small_in = 1.25 * look.small_pt / 72
    lines = [wrap(note, int((total - 2 * at.margin) / (0.56 * look.small_pt / 72))) for note in sheet.notes]
    notes = "\n".join(lines) if look.notes else ""
    notes_height = small_in * (notes.count("\n") + 1) + 0.06 if notes else 0.0
    letters = int(at.width / (0.88 * look.letter_in))
    titles = [wrap(panel.title, letters) for panel in sheet.panels]
    above = look.line_in * max((text.count("\n") for text in titles), default=0)
    title = (at.title if any(titles) else 0.4 * at.title) + above
    base = at.margin + notes_height + legend_height + at.ticks
    scale = 2.6 * look.line_in if _has_clip_scale(sheet, look) else 0.0
    apart = 0.5 * look.line_in
    tall = base + at.lines * (at.height + title) + (at.lines - 1) * apart + scale
    figure.set_size_inches(total, tall)
    words: JsonDict = {"fontsize": look.small_pt, "color": "#333333", "va": "bottom", "linespacing": 1.25}
    figure.text(at.margin / total, at.margin / tall, notes, **words)
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, (at.margin + notes_height) / tall), transform=figure.transFigure)
    boxes = []
    for place in range(len(sheet.panels)):
        line, column = divmod(place, at.columns)
        bottom = base + (at.lines - 1 - line) * (at.height + title + apart)
        left = at.left + column * (at.width + at.gap)
        boxes.append((left / total, bottom / tall, at.width / total, at.height / tall))
    _panels(figure, sheet, look, at, boxes, titles)
    return figure


def _layout(sheet: Sheet, look: Look) -> Layout:
    """Panels side by side as far as the width allows, each as high as looks well."""
    left = 1.8 * look.line_in + 3.8 * look.letter_in
    gap, margin = 1.5 * look.letter_in + 0.1, min(0.14, 0.5 * look.line_in)
    right = shade_room(sheet, look) if sheet.shade_label else 1.6 * look.letter_in + 0.12
    most = 2 if len(sheet.panels) == 4 else min(len(sheet.panels), 3)
    if look.width_in is None:
        columns, width = most, PANEL_IN[most]
    else:
        room = look.width_in - left - right
        columns = max(1, min(most, int((room + gap) / (look.least_panel_in + gap))))
        columns = 2 if columns == 3 and len(sheet.panels) == 4 else columns
        width = max((room - (columns - 1) * gap) / columns, 0.4)
    lines = math.ceil(len(sheet.panels) / columns)
    title, ticks = 1.7 * look.line_in, 2.7 * look.line_in
    return Layout(columns, lines, width, TALL[columns] * width, left, right, gap, title, ticks, margin)


def _panels(figure: Figure, sheet: Sheet, look: Look, at: Layout, boxes: Sequence[Box], titles: Sequence[str]) -> None:
    """Axes in their boxes, labels on the outer ones only."""
    first: Axes | None = None
    norm, is_shared = shades(sheet), at.columns > 1 and len(sheet.xlabel) * 0.85 * look.letter_in > at.width
    for place, (panel, box) in enumerate(zip(sheet.panels, boxes)):
        axes = figure.add_axes(box, sharex=first, sharey=first)
        first = first or axes
        draw_panel(axes, panel, sheet, look, norm)
        below, is_left = place + at.columns < len(sheet.panels), place % at.columns == 0
        axes.tick_params(labelbottom=not below, labelleft=is_left)
        axes.set_xlabel("" if below or is_shared else wrap(sheet.xlabel, 99))
        axes.set_ylabel(wrap(sheet.ylabel, int(at.height / (0.8 * look.letter_in))) if is_left else "")
        axes.set_title(titles[place], loc="left")
    if first is None:
        return
    if is_shared:
        _shared_label(figure, wrap(sheet.xlabel, 99), boxes, 2.1 * look.line_in)
    set_limits(first, sheet, look, at.width)
    if _has_clip_scale(sheet, look):
        per_clip_scale(first, sheet, look, at.width)
    if norm is not None:
        add_colour_bar(figure, sheet, look, boxes, norm)


def _shared_label(figure: Figure, label: str, boxes: Sequence[Box], below_in: float) -> None:
    """What panels too narrow for it have on their axis, once below all of them."""
    left, right = min(box[0] for box in boxes), max(box[0] + box[2] for box in boxes)
    bottom = min(box[1] for box in boxes) - below_in / figure.get_size_inches()[1]
    figure.text((left + right) / 2, bottom, label, ha="center", va="center")


def _has_clip_scale(sheet: Sheet, look: Look) -> bool:
    return look.second_scale and len(sheet.panels) == 1 and sheet.pixels is not None
