"""Every plot of a run: adding one is its file and one line here.

A plot reads a finished run, never a block, and gives figures by the stem of
their file; none where the run has nothing of the kind to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from semlink.errors import ScenarioError
from semlink.files import Json
from semlink.link.metrics.registry import Metric
from semlink.link.plots.curves import SHEETS, Sheet, cost_sheets, snr_sheets, stem
from semlink.link.plots.figure import sheet_figure
from semlink.link.plots.frames import outputs_figure
from semlink.link.plots.latent_manifold import loss_figure, manifold_figure
from semlink.link.plots.over_time import time_sheet
from semlink.link.plots.rate_maps import rate_map_figure
from semlink.link.plots.ratio_maps import ratio_map_figure
from semlink.link.plots.skipped_frames import strip_figure
from semlink.link.plots.style import save
from semlink.link.results.finished import FinishedPoint, FinishedRun, metrics_of
from semlink.link.results.pictures import shown_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "Plot", "draw", "folder_names", "merged", "plot_named"]

Named = tuple[str, "Figure"]


@dataclass(frozen=True, slots=True)
class Plot:
    """A kind of figure.

    Attributes:
        name: what `semlink plot --kind` and `Results.plot` call it.
        shows: what it shows, in a few words.
        figures: a finished run and a metric to (stem of the file, figure).
        formats: of its files.
    """

    name: str
    shows: str
    figures: Callable[[FinishedRun, Metric], Iterable[Named]]
    formats: tuple[str, ...] = ("png",)


def _of_sheets(sheets: Callable[[FinishedRun, Metric], Sequence[Sheet | None]]) -> Callable:
    """Figures of what is laid out as sheets."""

    def figures(run: FinishedRun, metric: Metric) -> Iterator[Named]:
        yield from ((sheet.name, sheet_figure(sheet)) for sheet in sheets(run, metric) if sheet is not None)

    return figures


def _of_records(name: str, figure_of: Callable) -> Callable:
    """One figure made of point records alone, whatever the metric."""

    def figures(run: FinishedRun, metric: Metric) -> Iterator[Named]:
        figure = figure_of(run.records)
        if figure is not None:
            yield name, figure

    return figures


def _of_pictures(name: str, figure_of: Callable, which: Literal["points", "middle"] = "middle") -> Callable:
    """One figure made of the pictures that a run kept."""

    def figures(run: FinishedRun, metric: Metric) -> Iterator[Named]:
        figure = figure_of(shown_points(run.folder, which)) if run.manifest else None
        if figure is not None:
            yield name, figure

    return figures


VECTOR = ("png", "svg")
PLOTS = (
    Plot("cost", "quality over cost", _of_sheets(lambda run, m: cost_sheets(run.rows, m)), VECTOR),
    Plot("snr", "quality over SNR, where several were run", _of_sheets(lambda run, m: snr_sheets(run.rows, m)), VECTOR),
    Plot("time", "PSNR over frames, for clips in groups", _of_sheets(lambda run, m: (time_sheet(run),)), VECTOR),
    Plot("manifold", "codes of a generator, in two coordinates", _of_records("manifold", manifold_figure)),
    Plot("fit_loss", "loss of a generator's fit over epochs", _of_records("fit_loss", loss_figure)),
    Plot("frames", "one frame of one clip, by every scheme", _of_pictures("frames", outputs_figure)),
    Plot("strip", "frames that a sensor leaves out, as filled in", _of_pictures("strip", strip_figure)),
    Plot("rate_maps", "where schemes spend their symbols", _of_pictures("rate_maps", rate_map_figure)),
    Plot("ratio_maps", "maps of readings a pixel", _of_pictures("ratio_maps", ratio_map_figure, "points")),
)


def plot_named(name: str) -> Plot:
    """The plot of that name.

    Raises:
        ScenarioError: there is none; names those that are there.
    """
    found = next((plot for plot in PLOTS if plot.name == name), None)
    if found is None:
        raise ScenarioError(f"no plot {name!r}; there are {', '.join(plot.name for plot in PLOTS)}")
    return found


def draw(
    run: FinishedRun, out: str | Path | None = None, metric: str = "psnr", kinds: Sequence[str] = ()
) -> list[Path]:
    """Draw a run into a folder; nothing where no point could be sent at all.

    Args:
        out: the run's own folder by default.
        kinds: plots by name; all by default.
    Returns:
        The files written.
    Raises:
        ResultsError: `out` cannot be written.
        ScenarioError: no such plot, or no row carries `metric`.
    """
    plots = [plot_named(kind) for kind in kinds] or list(PLOTS)
    if not run.metrics:
        return []
    folder, judged = Path(out or run.folder), run.metric(metric)
    files = [
        save(figure, folder / f"{name}.{kind}")
        for plot in plots
        for name, figure in plot.figures(run, judged)
        for kind in plot.formats
    ]
    if out is None and not kinds:  # what an earlier scenario of this folder gave, and this one does not
        for left in {folder / f"{stem(judged)}_vs_{over}.{kind}" for over in SHEETS for kind in VECTOR} - set(files):
            left.unlink(missing_ok=True)
    return files


def merged(runs: Mapping[str, FinishedRun]) -> FinishedRun:
    """Several runs as one; schemes carry the name of their run."""
    points: list[FinishedPoint] = []
    told: list[Json] = []
    for name, run in runs.items():
        for point in run.points:
            scheme = f"{name}: {point.row.scheme}"
            record = {**point.record, "scheme": scheme} if point.record else point.record
            points.append(FinishedPoint(replace(point.row, scheme=scheme), record))
            told += point.record.get("metrics", ())
    doubts = tuple(line for run in runs.values() for line in run.doubts)
    metrics = metrics_of([point.row for point in points], told)
    return FinishedRun(Path("."), tuple(points), metrics, doubts=doubts)


def folder_names(directories: Iterable[str | Path]) -> list[str]:
    """The shortest tails of the paths that tell the folders apart."""
    paths = [Path(d).resolve() for d in directories]
    for depth in range(1, max(len(p.parts) for p in paths) + 1):
        names = ["/".join(p.parts[-depth:]) for p in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({place})" for place, name in enumerate(names, start=1)]
