"""`manifold.png` and `fit_loss.png`: where a generator's codes of a clip lie, and how their fit went.

Both come from what reconstructions told in the point files: for each clip the
codes of its frames in their first two principal coordinates (`plane`), and the
loss at some epochs (`loss`). A sequence whose frames lie along a line in the
order of time has a rank correlation (Spearman) of 1 between its first
coordinate and time, up to its sign.

Source: [hyder2019gmlr, Fig. 6 to 8, Fig. 11].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.files import Json
from semlink.link.metrics.rank_correlation import rank_correlation
from semlink.link.plots.canvas import new_figure, picture
from semlink.link.plots.style import PLAIN, Look, line_style, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS, MOST_COLUMNS = 12, 4


@dataclass(frozen=True, slots=True)
class Manifold:
    """Codes of one clip under one scheme in two coordinates, `plane` (t, 2)."""

    scheme: str
    clip: str
    plane: np.ndarray

    @property
    def order(self) -> float:
        """|Spearman| of the first coordinate and time; NaN where all frames have one code."""
        along = self.plane[:, 0]
        if len(along) < 2 or np.ptp(along) == 0:
            return float("nan")
        return abs(rank_correlation(along, np.arange(len(along))))


def manifold_figure(records: Iterable[Json], look: Look = PLAIN) -> Figure | None:
    """A row for each scheme and a column for each clip, or rows of schemes for one clip; None without codes."""
    found = manifolds(records)
    return picture(lambda: _planes(found, look), look) if found else None


def loss_figure(records: Iterable[Json], look: Look = PLAIN) -> Figure | None:
    """The loss over epochs, its geometric mean over clips; None where no reconstruction tells of it."""
    curves = losses(records)
    return picture(lambda: _curves(curves, look), look) if curves else None


def manifolds(records: Iterable[Json]) -> list[Manifold]:
    """The codes of all clips in the records of points, scheme by scheme."""
    return [
        Manifold(_title(record), clip["name"], np.array(clip["told"]["plane"], float))
        for record in records
        for clip in record["clips"]
        if "plane" in clip.get("told", {})
    ]


def losses(records: Iterable[Json]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Epochs and loss of each point; clips that ended early keep their last value."""
    curves = {}
    for record in records:
        told = [np.array(clip["told"]["loss"], float) for clip in record["clips"] if "loss" in clip.get("told", {})]
        if not told:
            continue
        epochs = np.unique(np.concatenate([points[:, 0] for points in told]))
        values = [np.interp(np.log(epochs), np.log(p[:, 0]), np.log(np.maximum(p[:, 1], 1e-12))) for p in told]
        curves[_title(record)] = (epochs, np.exp(np.mean(values, axis=0)))
    return curves


def _title(record: Json) -> str:
    return record["scheme"] + ("" if record["rate"] is None else f" @ {record['rate']:g}")


def _planes(found: Sequence[Manifold], look: Look) -> Figure:
    from matplotlib.ticker import MaxNLocator

    schemes = list(dict.fromkeys(m.scheme for m in found))
    clips = list(dict.fromkeys(m.clip for m in found))[:MOST_COLUMNS]
    shown = [m for m in found if m.clip in clips]
    columns = len(clips) if len(clips) > 1 else min(len(schemes), MOST_COLUMNS)
    shown = shown[: MOST_ROWS * columns]
    rows = -(-len(shown) // columns)
    figure = new_figure(look.size(2.5 * columns + 1.1, 2.5 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    frames = max(len(m.plane) for m in shown)
    dots: Any = None
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, m in zip(axes.flat, shown):
        axis.plot(*m.plane.T, color="#b0b0b0", linewidth=0.6, zorder=1)
        time = np.arange(len(m.plane))
        dots = axis.scatter(*m.plane.T, c=time, cmap="viridis", vmin=0, vmax=frames - 1, s=16, zorder=2)
        _square(axis, m.plane)
        axis.set_title(f"{wrap(m.scheme, 34)}\n{wrap(m.clip, 22)}: $|\\rho|$ {m.order:.3f}", fontsize=8)
    bar = figure.colorbar(dots, ax=axes, shrink=0.8 if rows > 1 else 1.0, aspect=30)
    bar.set_label("frame")
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    figure.supxlabel("first principal coordinate of the codes", fontsize=9)
    figure.supylabel("second principal coordinate", fontsize=9)
    return figure


def _square(axis: Axes, plane: np.ndarray) -> None:
    """The same scale both ways, so that a line looks like one."""
    middle, half = (plane.max(0) + plane.min(0)) / 2, max(0.55 * np.ptp(plane, axis=0).max(), 1e-3)
    axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axis.set_box_aspect(1)
    axis.locator_params(nbins=4)


def _curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], look: Look) -> Figure:
    figure = new_figure(look.size(7.2, 4.0), layout="constrained")
    axis = figure.subplots()
    for order, (name, (epochs, values)) in enumerate(curves.items()):
        axis.loglog(epochs, values, label=wrap(name, 46), **line_style(order) | {"marker": ""})
    axis.set(xlabel="epoch", ylabel="loss (geometric mean over clips)")
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
