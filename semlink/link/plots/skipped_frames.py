"""`strip.png`: frames around a gap, as each scheme fills it.

Drawn where a sensor leaves frames out: one row for each scheme, the source
first, with the PSNR of every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.plots.frames import as_picture, middle_points
from semlink.link.plots.style import new_figure, picture, save, wrap
from semlink.link.scenario.scenario import scheme_name
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import GridPoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SKIPPED = "skipped"
AROUND, MOST_FRAMES = 1, 9


@dataclass(frozen=True, slots=True)
class Row:
    """What one scheme made of the frames shown: pictures (h, w) or (h, w, 3), and a word below each."""

    title: str
    pictures: tuple[np.ndarray, ...]
    words: tuple[str, ...]


def draw_strip(bench: PointRunner, path: Path, *, clip: int = 0) -> list[Path]:
    """Draw the frames around the gap; nothing where no sensor leaves one out."""
    gaps = [(point, numbers) for point in middle_points(bench) if (numbers := gap(bench, point))]
    if not gaps:
        return []
    shown = gaps[0][1]
    frames = bench.clips.frames[clip].pixels[0].numpy()
    planes = getattr(bench.scenario.source, "planes", 1)
    skipped = set(_skipped(bench, gaps[0][0]))
    words = tuple(f"frame {t + 1}{', missing' if t in skipped else ''}" for t in shown)
    rows = [Row("source", tuple(as_picture(frames[t], planes) for t in shown), words)]
    for point, _ in gaps:
        agreed, budget = bench.agree(point)
        received = bench.first_outcome(point, agreed, budget, clip).frames.pixels[0].numpy()
        marks = tuple(f"{psnr_db(frames[t], received[t]):.1f} dB" for t in shown)
        title = scheme_name(bench.scenario.schemes[point.scheme])
        rows.append(Row(title, tuple(as_picture(received[t], planes) for t in shown), marks))
    save(picture(lambda: _figure(rows)), path)
    return [path]


def gap(bench: PointRunner, point: GridPoint) -> tuple[int, ...]:
    """The frames to show: the first run of skipped frames with a neighbour on each side; none if all are read."""
    skipped = _skipped(bench, point)
    if not skipped:
        return ()
    last = skipped[0]
    while last + 1 in skipped:
        last += 1
    frames = bench.clips.frames[0].shape.t
    return tuple(range(max(skipped[0] - AROUND, 0), min(last + AROUND, frames - 1) + 1))[:MOST_FRAMES]


def _skipped(bench: PointRunner, point: GridPoint) -> list[int]:
    kinds = bench.link(point).frame_kinds(bench.clips.frames[0].shape, point.rate)
    return [t for t, kind in enumerate(kinds) if kind == SKIPPED]


def _figure(rows: Sequence[Row]) -> Figure:
    columns = len(rows[0].pictures)
    figure = new_figure((1.25 * columns + 1.6, 1.5 * len(rows)), layout="constrained")
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
