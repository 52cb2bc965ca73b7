"""`rate_maps.png` and `rate_maps.csv`: where schemes with rate allocation spend their symbols, and what that follows.

Beside each map stand the rank correlations (Spearman) of the symbols of a block
with its texture, the standard deviation of its pixels, and with the error that
would be left if all blocks got the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.files import write_atomic
from semlink.link.metrics.rank_correlation import rank_correlation
from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.style import PLAIN, Look
from semlink.link.results.pictures import RateMap, Shown
from semlink.link.results.texts import to_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class NamedMap:
    """A rate map and whose it is."""

    scheme: str
    kept: RateMap

    @property
    def with_texture(self) -> float:
        return rank_correlation(self.kept.uses, self.kept.texture)

    @property
    def with_error(self) -> float:
        return rank_correlation(self.kept.uses, self.kept.error)


def rate_map_figure(shown: Sequence[Shown], look: Look = PLAIN) -> Figure | None:
    """The maps of schemes with rate allocation; None where there is none."""
    maps = named_maps(shown)
    return picture(lambda: _figure(maps, look), look) if maps else None


def write_correlations(shown: Sequence[Shown], path: Path) -> list[Path]:
    """Write what the maps follow as a table; nothing where no scheme allocates rate."""
    maps = named_maps(shown)
    if not maps:
        return []
    write_atomic(path, _table(maps).encode())
    return [path]


def named_maps(shown: Sequence[Shown]) -> list[NamedMap]:
    return [NamedMap(point.scheme, kept) for point in shown for kept in point.picture.rate_maps]


def _table(maps: Sequence[NamedMap]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["scheme", "clip", "uses_a_block", "spearman_texture", "spearman_error"])
    for m in maps:
        rows.writerow(
            [
                to_cell(m.scheme),
                to_cell(m.kept.clip),
                f"{m.kept.uses.mean():.3f}",
                f"{m.with_texture:.3f}",
                f"{m.with_error:.3f}",
            ]
        )
    return text.getvalue()


def _figure(maps: Sequence[NamedMap], look: Look) -> Figure:
    shown = maps[:MOST_SHOWN]
    figure = new_figure(look.size(7.6, 2.5 * len(shown) + 0.5), layout="constrained")
    axes = figure.subplots(len(shown), 3, squeeze=False)
    most = max(int(m.kept.uses.max()) for m in shown)
    image: Any = None
    for row, m in zip(axes, shown):
        for axis in row:
            axis.set_axis_off()
        row[0].imshow(m.kept.frame, cmap="gray", vmin=0, vmax=255)
        row[0].set_title(f"{m.kept.clip}")
        image = row[1].imshow(m.kept.uses, cmap="viridis", vmin=0, vmax=most, interpolation="nearest")
        row[1].set_title(f"{m.scheme}, {m.kept.uses.mean():.1f} a block")
        row[2].imshow(np.sqrt(m.kept.error), cmap="magma", vmin=0, interpolation="nearest")
        row[2].set_title(f"error if even; $\\rho$ {m.with_error:.2f}, texture {m.with_texture:.2f}")
    bar = figure.colorbar(image, ax=axes[:, 1], shrink=0.8, location="bottom", aspect=30)
    bar.set_label("channel uses of a block")
    return figure
