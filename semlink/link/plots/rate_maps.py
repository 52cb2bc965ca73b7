"""`rate_maps.png` and `rate_maps.csv`: where schemes with rate allocation spend their symbols, and what that follows.

Beside each map stand the rank correlations (Spearman) of the symbols of a block
with its texture, the standard deviation of its pixels, and with the error that
would be left if all blocks got the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.errors import Infeasible
from semlink.files import write_atomic
from semlink.link.chain.transmit import run_clip
from semlink.link.metrics.rank_correlation import rank_correlation
from semlink.link.plots.frames import middle_points
from semlink.link.plots.style import new_figure, picture, save
from semlink.link.scenario.scenario import scheme_name
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import GridPoint
from semlink.payload import Agreement
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class RateMap:
    """Channel uses of each block of one clip, and what they may follow."""

    scheme: str
    clip: str
    frame: np.ndarray
    uses: np.ndarray
    texture: np.ndarray
    error: np.ndarray

    @property
    def with_texture(self) -> float:
        return rank_correlation(self.uses, self.texture)

    @property
    def with_error(self) -> float:
        return rank_correlation(self.uses, self.error)


def draw_rate_maps(bench: PointRunner, path: Path) -> list[Path]:
    """Draw maps and write their correlations; nothing where no scheme allocates rate."""
    maps = rate_maps(bench)
    if not maps:
        return []
    save(picture(lambda: _figure(maps)), path)
    table = path.with_suffix(".csv")
    write_atomic(table, _table(maps).encode())
    return [path, table]


def rate_maps(bench: PointRunner) -> list[RateMap]:
    """The maps of each scheme at the middle of its grid, for every clip."""
    return [found for point in middle_points(bench) for found in _maps_at(bench, point)]


def _maps_at(bench: PointRunner, point: GridPoint) -> Iterator[RateMap]:
    link: Any = bench.link(point)
    if not hasattr(link.transmitter, "uses_of_blocks"):
        return
    try:
        agreed, budget = bench.agree(point)
    except Infeasible:
        return
    even = replace(link, transmitter=replace(link.transmitter, allocation="uniform"))
    for number, clip in enumerate(bench.clips.frames):
        seeds = Seeds(bench.scenario.seed, (number,), 0)
        uses = link.transmitter.uses_of_blocks(clip, agreed, seeds)
        if uses.max() - uses.min() <= 1:  # all blocks alike, but for what does not divide
            continue
        left = run_clip(even, clip, _evenly(agreed, uses), seeds, budget=budget)
        pixels = clip.pixels[0].numpy()
        error = ((left.frames.pixels[0].numpy() - pixels) ** 2).mean(0)
        name, stride = scheme_name(bench.scenario.schemes[point.scheme]), -(-pixels.shape[1] // uses.shape[0])
        middle = pixels[len(pixels) // 2]
        texture = by_block(middle**2, stride) - by_block(middle, stride) ** 2
        yield RateMap(name, bench.clips.names[number], middle, uses, texture, by_block(error, stride))


def _evenly(agreed: Agreement, uses: np.ndarray) -> Agreement:
    """The same cost, shared out evenly."""
    if agreed.point.budget_uses is not None:
        return agreed
    return replace(agreed, point=replace(agreed.point, rate=2 * float(uses.mean())))


def by_block(image: np.ndarray, stride: int) -> np.ndarray:
    """Means over blocks of `stride` x `stride` pixels; those at the edges may be smaller."""
    rows, columns = (np.arange(0, size, stride) for size in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, 0), columns, 1)
    ones = np.add.reduceat(np.add.reduceat(np.ones_like(image), rows, 0), columns, 1)
    return sums / ones


def _table(maps: Sequence[RateMap]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["scheme", "clip", "uses_a_block", "spearman_texture", "spearman_error"])
    for m in maps:
        rows.writerow([m.scheme, m.clip, f"{m.uses.mean():.3f}", f"{m.with_texture:.3f}", f"{m.with_error:.3f}"])
    return text.getvalue()


def _figure(maps: Sequence[RateMap]) -> Figure:
    shown = maps[:MOST_SHOWN]
    figure = new_figure((7.6, 2.5 * len(shown) + 0.5), layout="constrained")
    axes = figure.subplots(len(shown), 3, squeeze=False)
    most = max(int(m.uses.max()) for m in shown)
    image = None
    for row, m in zip(axes, shown):
        for axis in row:
            axis.set_axis_off()
        row[0].imshow(m.frame, cmap="gray", vmin=0, vmax=1)
        row[0].set_title(f"{m.clip}")
        image = row[1].imshow(m.uses, cmap="viridis", vmin=0, vmax=most, interpolation="nearest")
        row[1].set_title(f"{m.scheme}, {m.uses.mean():.1f} a block")
        row[2].imshow(np.sqrt(m.error), cmap="magma", vmin=0, interpolation="nearest")
        row[2].set_title(f"error if even; $\\rho$ {m.with_error:.2f}, texture {m.with_texture:.2f}")
    bar = figure.colorbar(image, ax=axes[:, 1], shrink=0.8, location="bottom", aspect=30)
    bar.set_label("channel uses of a block")
    return figure
