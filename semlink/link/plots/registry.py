"""Every plot of a run: adding one is its file and one line here.

A plot reads a finished run, never a block, and gives figures by the stem of
their file; none where the run has nothing of the kind to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from semlink.errors import ScenarioError
from semlink.files import Json
from semlink.link.plots.choice import View, chosen
from semlink.link.plots.curves.model import Sheet
from semlink.link.plots.curves.over_cost import cost_sheets, is_one_budget
from semlink.link.plots.curves.over_snr import snr_sheets
from semlink.link.plots.curves.over_time import time_sheet
from semlink.link.plots.curves.quantity import difference, quantity_of
from semlink.link.plots.curves.scene import Scene, scene
from semlink.link.plots.drawing.figure import sheet_figure
from semlink.link.plots.files import boxes_for_glyphs, check_places, save
from semlink.link.plots.pictures.frames import run_frames
from semlink.link.plots.pictures.latent_manifold import loss_figure, manifold_figure
from semlink.link.plots.pictures.rate_maps import rate_map_figure
from semlink.link.plots.pictures.ratio_maps import ratio_map_figure
from semlink.link.plots.pictures.skipped_frames import strip_figure
from semlink.link.results.finished import FinishedPoint, FinishedRun, metrics_of
from semlink.link.results.pictures import Shown, shown_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLOTS", "Drawn", "Plot", "draw", "folder_names", "merged", "plot_named"]

Named = tuple[str, "Figure"]
Made = tuple[Sequence[Path], "Figure", tuple[str, ...]]
"""A figure with the files that it goes into and what belongs into its caption."""
OVER = ("cost", "readings", "snr", "snr_rates")
"""What curves are drawn over, as files are named."""
REFERENCE = "difference"
"""The kind that needs a reference, and is drawn where there is one."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A kind of figure.

    Attributes:
        name: what `semlink plot --kind` and `Results.plot` call it.
        shows: what it shows, in a few words.
        figures: a finished run and how it is looked at to (stem of the file, figure); `view.metric` is the quality.
        formats: of its files where none is asked for.
        sheets: of curves, what the figures are made of, whose notes are for a caption.
    """

    name: str
    shows: str
    figures: Callable[[FinishedRun, View], Iterable[Named]]
    formats: tuple[str, ...] = ("png",)
    sheets: Callable[[FinishedRun, View], Iterable[Sheet]] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in its files, and what a caption must say of it where the figure itself doesn't."""

    files: tuple[Path, ...]
    caption: tuple[str, ...] = ()


def _curves(name: str, shows: str, sheets: Callable[[FinishedRun, View], Iterable[Sheet]]) -> Plot:
    """A plot of what is laid out as sheets."""

    def figures(run: FinishedRun, view: View) -> Iterator[Named]:
        yield from ((sheet.name, sheet_figure(sheet, view.look)) for sheet in sheets(run, view))

    return Plot(name, shows, figures, VECTOR, sheets)


def _of_quality(sheets: Callable[[Scene], Iterable[Sheet | None]]) -> Callable[[FinishedRun, View], Iterable[Sheet]]:
    def of(run: FinishedRun, view: View) -> Iterator[Sheet]:
        yield from filter(None, sheets(scene(run, quantity_of(view.metric), view)))

    return of


def _of_difference(run: FinishedRun, view: View) -> Iterator[Sheet]:
    """Over the cost, and over the SNR where one budget was run at several."""
    if view.choice.reference is None:
        names = ", ".join(map(repr, dict.fromkeys(p.row.scheme for p in run.points)))
        raise ScenarioError(f"reference: needed for differences and not given, expected one of {names}")
    shown = scene(run, difference(run, view.choice.reference, view.metric), view)
    yield from snr_sheets(shown) if is_one_budget(shown) else cost_sheets(shown)


def _of_records(name: str, figure_of: Callable) -> Callable[[FinishedRun, View], Iterable[Named]]:
    """One figure made of point records alone, whatever the metric."""

    def figures(run: FinishedRun, view: View) -> Iterator[Named]:
        figure = figure_of(chosen(run, view.choice).records, view.look)
        if figure is not None:
            yield name, figure

    return figures


def _of_pictures(
    name: str, figure_of: Callable, which: Literal["points", "middle"] = "middle"
) -> Callable[[FinishedRun, View], Iterable[Named]]:
    """One figure made of the pictures that a run kept."""

    def figures(run: FinishedRun, view: View) -> Iterator[Named]:
        schemes = {p.row.scheme for p in chosen(run, view.choice).points}
        shown: list[Shown] = [s for s in shown_points(run.folder, which) if s.scheme in schemes] if run.manifest else []
        figure = figure_of(shown, view.look)
        if figure is not None:
            yield name, figure

    return figures


def _frames(run: FinishedRun, view: View) -> Iterator[Named]:
    figure = run_frames(run, view) if run.manifest else None
    if figure is not None:
        yield "frames", figure


VECTOR = ("png", "svg")
PLOTS = (
    _curves("cost", "quality over cost", _of_quality(cost_sheets)),
    _curves("snr", "quality over SNR, where several were run", _of_quality(snr_sheets)),
    _curves(REFERENCE, "paired differences to a reference", _of_difference),
    _curves("time", "PSNR over frames, for clips in groups", _of_quality(lambda shown: (time_sheet(shown),))),
    Plot("manifold", "codes of a generator, in two coordinates", _of_records("manifold", manifold_figure)),
    Plot("fit_loss", "loss of a generator's fit over epochs", _of_records("fit_loss", loss_figure)),
    Plot("frames", "one frame of one clip, by every scheme", _frames),
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
    run: FinishedRun,
    out: str | Path | None = None,
    view: View | None = None,
    formats: Sequence[str] = (),
    *,
    force: bool = False,
) -> list[Drawn]:
    """Draw a run into a folder; nothing where no point could be sent at all.

    Args:
        out: the run's own folder by default.
        view: what is drawn and how; all kinds where its choice names none.
        formats: PNG, and of curves SVG, by default.
        force: write into `out` over files that semlink did not draw.
    Raises:
        ResultsError: `out` cannot be written, or holds a file of somebody else by a figure's name.
        ScenarioError: a choice that leads to nothing.
    """
    view = View() if view is None else view
    kinds = view.choice.kinds
    plots = [plot_named(kind) for kind in kinds] or [p for p in PLOTS if p.name != REFERENCE or view.choice.reference]
    if not run.metrics:
        return []
    if out is None and any(point.origin for point in run.points):
        raise ScenarioError("out: needed for figures of several folders, since they belong to none; give --out DIR")
    folder = Path(out or run.folder)
    if folder.is_file():
        raise ScenarioError(f"out: {folder} is a file; figures need a folder")
    with boxes_for_glyphs():
        made = list(chain.from_iterable(_made(plot, run, folder, view, formats) for plot in plots))
    if out is not None and not force:
        check_places(path for paths, _, _ in made for path in paths)
    drawn = [Drawn(tuple(save(figure, path, view.look) for path in paths), notes) for paths, figure, notes in made]
    if kinds and not drawn:
        nothing = "; ".join(f"{plot.name}: {plot.shows}" for plot in plots)
        raise ScenarioError(f"kind: these results, as chosen, have nothing to show ({nothing})")
    if out is None and view == View(view.metric) and not formats:
        _forget(folder, quantity_of(view.metric).stem, {path for one in drawn for path in one.files})
    return drawn


def _made(plot: Plot, run: FinishedRun, folder: Path, view: View, formats: Sequence[str]) -> Iterator[Made]:
    """The figures of a plot; of pictures none where only PGF is asked for, unless their kind is too."""
    kinds = [kind for kind in formats or plot.formats if kind != "pgf" or plot.sheets or view.choice.kinds]
    if not kinds:
        return
    if plot.sheets is None:
        named: list[tuple[str, Figure, tuple[str, ...]]] = [
            (name, figure, ()) for name, figure in plot.figures(run, view)
        ]
    else:
        named = [(s.name, sheet_figure(s, view.look), s.notes) for s in plot.sheets(run, view)]
    for name, figure, notes in named:
        yield [folder / f"{name}.{kind}" for kind in kinds], figure, () if view.look.notes else notes


def _forget(folder: Path, stem: str, drawn: set[Path]) -> None:
    """Remove what an earlier scenario of this folder gave, and this one does not."""
    for left in {folder / f"{stem}_vs_{over}.{kind}" for over in OVER for kind in VECTOR} - drawn:
        left.unlink(missing_ok=True)


def merged(runs: Mapping[str, FinishedRun]) -> FinishedRun:
    """Several runs as one; schemes carry the name of their run."""
    points: list[FinishedPoint] = []
    told: list[Json] = []
    bounds = {f"{name}: {scheme}": words for name, run in runs.items() for scheme, words in run.bounds.items()}
    for name, run in runs.items():
        for point in run.points:
            scheme = f"{name}: {point.row.scheme}"
            record = {**point.record, "scheme": scheme} if point.record else point.record
            points.append(FinishedPoint(replace(point.row, scheme=scheme), record, origin=name))
            told += point.record.get("metrics", ())
    doubts = tuple(line for run in runs.values() for line in run.doubts)
    metrics = metrics_of([point.row for point in points], told)
    return FinishedRun(Path("."), tuple(points), metrics, doubts=doubts, bounds=bounds)


def folder_names(directories: Iterable[str | Path]) -> list[str]:
    """The shortest tails of the paths that tell the folders apart."""
    paths = [Path(d).resolve() for d in directories]
    for depth in range(1, max(len(p.parts) for p in paths) + 1):
        names = ["/".join(p.parts[-depth:]) for p in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({place})" for place, name in enumerate(names, start=1)]
