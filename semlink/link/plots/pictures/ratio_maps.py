"""`ratio_maps.png`: the ratio maps of a scenario's sensors, a few tiles of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.style import PLAIN, Look
from semlink.link.results.pictures import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4


def ratio_map_figure(shown: Sequence[Shown], look: Look = PLAIN) -> Figure | None:
    """The maps that are not the same everywhere; None if there are none."""
    maps = mixed_maps(shown)
    return picture(lambda: _figure(maps, look), look) if maps else None


def mixed_maps(shown: Sequence[Shown]) -> list[tuple[str, np.ndarray]]:
    """Title and counts of every sensor whose map mixes counts."""
    kept = [(point.scheme, point.picture) for point in shown]
    maps = {
        f"{scheme}\n{picture.mean_count:.2f} measurements a pixel": picture.counts
        for scheme, picture in reversed(kept)
        if picture.counts is not None
    }
    return list(reversed(maps.items()))


def _figure(maps: Sequence[tuple[str, np.ndarray]], look: Look) -> Figure:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    offer = [0, 1, 2, 4, 8]
    colours = ListedColormap(["#000000", "#30305e", "#3f6fa8", "#6fc3b8", "#f5f2c0"])
    norm = BoundaryNorm([-0.5, 0.5, 1.5, 3, 6, 12], colours.N)
    rows, columns = -(-len(maps) // COLUMNS), min(len(maps), COLUMNS)
    size = (2.3 * columns + 1.0, 2.6 * rows)
    figure = new_figure(look.size(*size), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    image: Any = None
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (title, counts) in zip(axes.flat, maps):
        image = axis.imshow(counts, cmap=colours, norm=norm, interpolation="nearest")
        axis.set_title(title)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0, 1, 2, 4.5, 9])
    bar.ax.set_yticklabels([str(n) for n in offer])
    bar.set_label(f"measurements of a pixel in a window ({len(maps[0][1])} x {len(maps[0][1][0])} pixels shown)")
    return figure
