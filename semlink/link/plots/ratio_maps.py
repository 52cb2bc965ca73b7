"""`ratio_maps.png`: the ratio maps of a scenario's sensors, a few tiles of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.link.plots.style import new_figure, picture, save
from semlink.link.scenario.scenario import scheme_name
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 16  # pixels a side
COLUMNS = 4


def draw_ratio_maps(bench: PointRunner, path: Path) -> list[Path]:
    """Draw the maps that are not the same everywhere; nothing if there are none."""
    maps = mixed_maps(bench)
    if not maps:
        return []
    save(picture(lambda: _figure(maps)), path)
    return [path]


def mixed_maps(bench: PointRunner) -> list[tuple[str, np.ndarray]]:
    """Title and counts (h, w) of every sensor whose map mixes counts."""
    shape = bench.clips.frames[0].shape
    found: list[tuple[str, np.ndarray]] = []
    for point in grid(bench.scenario):
        transmitter: Any = bench.link(point).transmitter
        camera = (
            transmitter.camera_at(point.rate)
            if hasattr(transmitter, "camera_at")
            else getattr(transmitter, "camera", None)
        )
        if camera is None or not hasattr(camera.sensor, "counts"):
            continue
        counts = camera.sensor.counts(shape).numpy()
        title = f"{scheme_name(bench.scenario.schemes[point.scheme])}\n{counts.mean():.2f} measurements a pixel"
        if counts.min() != counts.max() and title not in [t for t, _ in found]:
            found.append((title, counts))
    return found


def _figure(maps: Sequence[tuple[str, np.ndarray]]) -> Figure:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    offer = [0, 1, 2, 4, 8]
    colours = ListedColormap(["#000000", "#30305e", "#3f6fa8", "#6fc3b8", "#f5f2c0"])
    norm = BoundaryNorm([-0.5, 0.5, 1.5, 3, 6, 12], colours.N)
    rows, columns = -(-len(maps) // COLUMNS), min(len(maps), COLUMNS)
    size = (2.3 * columns + 1.0, 2.6 * rows)
    figure = new_figure(size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    image = None
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (title, counts) in zip(axes.flat, maps):
        image = axis.imshow(counts[:SHOWN, :SHOWN], cmap=colours, norm=norm, interpolation="nearest")
        axis.set_title(title)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0, 1, 2, 4.5, 9])
    bar.ax.set_yticklabels([str(n) for n in offer])
    bar.set_label(f"measurements of a pixel in a window ({SHOWN} x {SHOWN} pixels shown)")
    return figure
