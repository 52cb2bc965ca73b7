"""`strip.png`: frames around a gap, as each scheme fills it.

Drawn where a sensor leaves frames out: one row for each scheme, the source
first, with the PSNR of every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.pictures.frames import as_picture
from semlink.link.plots.style import PLAIN, Look, wrap
from semlink.link.results.pictures import SKIPPED, Picture, Shown, gap

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """What one scheme made of the frames shown: pictures (h, w) or (h, w, 3), and a word below each."""

    title: str
    pictures: tuple[np.ndarray, ...]
    words: tuple[str, ...]


def strip_figure(shown: Sequence[Shown], look: Look = PLAIN) -> Figure | None:
    """The frames around the gap; None where no sensor leaves one out."""
    gaps = [(point, numbers) for point in shown if (numbers := gap(_kinds(point)))]
    gaps = [(point, numbers) for point, numbers in gaps if point.picture.received is not None]
    if not gaps:
        return None
    first, numbers = gaps[0]
    kinds = _kinds(first)
    words = tuple(f"frame {t + 1}{', missing' if kinds[t] == SKIPPED else ''}" for t in numbers)
    rows = [Row("source", _pictures(first.picture, first.picture.source, numbers), words)]
    for point, _ in gaps:
        psnr = (point.clip or {})["psnr_of_first_trial"]
        marks = tuple(f"{psnr[t]:.1f} dB" for t in numbers)
        rows.append(Row(point.scheme, _pictures(point.picture, point.picture.received, numbers), marks))
    return picture(lambda: _figure(rows, look), look)


def _kinds(point: Shown) -> Sequence[str]:
    """Whether each frame was read; records of earlier versions do not say, and nothing was skipped then."""
    return point.record.get("frame_kinds", ())


def _pictures(kept: Picture, frames: np.ndarray | None, numbers: Sequence[int]) -> tuple[np.ndarray, ...]:
    assert frames is not None
    return tuple(as_picture(frames[kept.numbers.index(t)], kept.planes) for t in numbers)


def _figure(rows: Sequence[Row], look: Look) -> Figure:
    columns = len(rows[0].pictures)
    figure = new_figure(look.size(1.25 * columns + 1.6, 1.5 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows):
        for axis, image, word in zip(line, row.pictures, row.words):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.set_xlabel(word, fontsize=7.5)
            for side in axis.spines.values():
                side.set_visible(False)
        line[0].set_ylabel(wrap(row.title, 18), rotation=0, ha="right", va="center", fontsize=8.5)
    return figure
