"""Results in the hands of a user: tables, per-clip numbers, comparisons, figures, a report, decoded frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.errors import ResultsError, ScenarioError
from semlink.files import Json, JsonDict
from semlink.link.api.records import clip_columns, clips_of, per_trial, rows_as_records
from semlink.link.metrics.registry import PSNR, Metric
from semlink.link.plots.choice import Choice, Names, Numbers, View
from semlink.link.plots.curves.quantity import judged
from semlink.link.plots.files import check_format
from semlink.link.plots.registry import draw, folder_names, merged, plot_named
from semlink.link.plots.style import look_named
from semlink.link.report.results_table import as_text, results_table, show
from semlink.link.results.finished import FinishedRun, read_run

Progress = Callable[[str, int, int], None]

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semlink.link.api.comparison import Comparison
    from semlink.link.api.sender import Sender
    from semlink.link.report.replay import Replay
    from semlink.link.scenario.scenario import Scenario
    from semlink.link.verify.verify import Verification

__all__ = ["Results", "results"]


@dataclass(frozen=True)
class Results:
    """What a run left in its folder, read when it is made; nothing but `frames` computes anything.

    Attributes:
        folder: where `curves.csv` and the points are.
        manifest: scenario, version, commit, packages, wall time.
        sources: name and content of each folder, where several are overlaid.
    """

    folder: Path
    run: FinishedRun = field(repr=False)
    origin: Scenario | None = field(default=None, repr=False)
    plugins: bool = field(default=False, repr=False)
    commands: bool = field(default=False, repr=False)
    sources: tuple[tuple[str, FinishedRun], ...] = field(default=(), repr=False)
    _senders: dict[str, Sender] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        """The table that a run ends with, as plain text."""
        return as_text(self.run.rows, metrics=self.run.metrics)

    @property
    def manifest(self) -> Json:
        return self.run.manifest

    @property
    def doubts(self) -> tuple[str, ...]:
        """What of the folder's points is not used, or is missing, a line each."""
        return self.run.doubts

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The qualities that the points carry."""
        return self.run.metrics

    @property
    def schemes(self) -> tuple[str, ...]:
        """Names of the schemes, in the order of the scenario."""
        return tuple(dict.fromkeys(row.scheme for row in self.run.rows))

    def show(self) -> None:
        """Print the table, styled where standard output is a terminal."""
        show(results_table(self.run.rows, self.run.metrics))

    def table(self, pandas: bool | None = None) -> Any:
        """The rows of `curves.csv`, whose columns `docs/reference/results.md` explains; None for nothing to say.

        Args:
            pandas: True for a DataFrame, False for a list of dicts, None for
                a DataFrame where pandas is installed.
        """
        return _framed(rows_as_records(self.run), pandas)

    def clips(self, pandas: bool | None = None) -> Any:
        """One entry for each clip and trial: where it stands, `clip`, `motion`, `trial`, `channel_uses`, qualities.

        Args:
            pandas: True for a DataFrame, False for a dict of equally long
                arrays, None for a DataFrame where pandas is installed. Both
                answer `clips["psnr_db"]`.
        """
        columns = clip_columns(self.run)
        return _pandas().DataFrame(columns) if _wanted(pandas) else columns

    def per_clip(self, metric: str = "psnr", *, scheme: str | None = None, **place: Any) -> np.ndarray:
        """A quality at one point: float (clip, trial); see `frames` for how a point is named.

        Raises:
            ScenarioError: no such metric, or no single point.
        """
        return per_trial(self.run, self.run.metric(metric).column, scheme, place)

    @property
    def clip_names(self) -> tuple[str, ...]:
        """Names of the clips, in the order of the arrays."""
        return clips_of(self.run)

    def compare(self, reference: str, metric: str = "psnr") -> Comparison:
        """Every scheme against `reference`: BD figures over curves, paired differences at points; print it.

        Args:
            metric: by its name or its column.
        Raises:
            ScenarioError: no such scheme or metric, or nothing to compare.
        """
        from semlink.link.api.comparison import compared

        return compared(self.run, reference, metric)

    def plot(
        self,
        kind: str = "cost",
        metric: str = "psnr",
        *,
        style: str = "plain",
        width: str | None = None,
        schemes: Names = (),
        channel: Names = (),
        snr: Numbers = (),
        budget: Numbers = (),
        reference: str | None = None,
        clip: str | None = None,
        point: str | None = None,
        at: str | Sequence[int] | None = None,
    ) -> Figure:
        """A figure: `cost`, `snr`, `time` or another kind that `semlink plot --help` lists.

        Args:
            metric: by its name or column; `bler` for the block error rate.
            style: `plain`, `ieee` or `slides`.
            width: of the figure, such as `3.5in` or `88mm`.
            schemes, channel: names or patterns (`H.264*`), one or several; everything by default.
            snr, budget: numbers in dB and in channel uses per pixel, one or several.
            reference: the scheme that `difference` takes off all others.
            clip, point, at: of `frames`: the clip, `snr=9,budget=0.024`, and the pixel (x, y) to enlarge.
        Raises:
            ScenarioError: no such kind, metric or choice, or nothing of the kind to show.
        """
        choice = Choice.of(
            schemes=schemes,
            channel=channel,
            snr=snr,
            budget=budget,
            reference=reference,
            clip=clip,
            point=point,
            at=at,
            kinds=[kind],
        )
        plot = plot_named(kind)
        figures = list(plot.figures(self.run, View(judged(self.run, metric), look_named(style, width), choice)))
        if not figures:
            raise ScenarioError(f"plot {kind}: these results have nothing to show ({plot.shows})")
        return figures[0][1]

    def draw(
        self,
        metric: str = "psnr",
        kinds: Sequence[str] = (),
        out: str | Path | None = None,
        *,
        formats: Sequence[str] = (),
        style: str = "plain",
        width: str | None = None,
        schemes: Names = (),
        channel: Names = (),
        snr: Numbers = (),
        budget: Numbers = (),
        reference: str | None = None,
        clip: str | None = None,
        point: str | None = None,
        at: str | Sequence[int] | None = None,
        force: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> list[Path]:
        """Write figures, all kinds by default, into the folder or into `out`, which several folders need.

        Args:
            formats: `png`, `svg`, `pdf` or `pgf`; PNG, and of curves SVG, by default.
            force: write into `out` over files that semlink did not draw.
            say: called with each line that belongs into the caption of a figure without notes, such as one for a paper.
            style, width, schemes, channel, snr, budget, reference, clip, point, at: as in `plot`.
        Raises:
            ScenarioError: no such kind, metric, format or choice.
            ResultsError: the folder cannot be written, or holds a file of somebody else by a figure's name.
        """
        choice = Choice.of(
            schemes=schemes,
            channel=channel,
            snr=snr,
            budget=budget,
            reference=reference,
            clip=clip,
            point=point,
            at=at,
            kinds=kinds,
        )
        look, kept = look_named(style, width), [check_format(name) for name in formats]
        view = View(judged(self.run, metric) if self.run.metrics else PSNR, look, choice)
        figures = draw(self.run, out, view, kept, force=force)
        if say is not None:
            for figure in figures:
                for line in figure.caption:
                    say(f"{figure.files[0].stem}: {line}")
        return [path for figure in figures for path in figure.files]

    def write_tables(self) -> list[Path]:
        """Write `table.csv` and `.md` where the scenario asks for a table, `rate_maps.csv` where rate is allocated.

        Returns:
            The files written.
        """
        from semlink.link.plots.pictures.rate_maps import write_correlations
        from semlink.link.report.clip_table import write_table
        from semlink.link.results.pictures import shown_points
        from semlink.link.scenario.published_table import TableSpec

        spec = dict(self.manifest.get("scenario") or {}).get("table")
        table = [] if spec is None else write_table(self.run.records, TableSpec.model_validate(spec), self.folder)
        return [*table, *write_correlations(shown_points(self.folder, "middle"), self.folder / "rate_maps.csv")]

    def report(
        self,
        path: str | Path | None = None,
        *,
        reference: str | None = None,
        metric: str | None = None,
        video: bool = True,
        max_mb: float = 25.0,
        send: bool = False,
        progress: Progress | None = None,
        force: bool = False,
    ) -> Path:
        """Write one HTML page with curves, comparison, tables and what made them; it needs no other file.

        Args:
            path: `report.html` in the folder by default, or in the working directory for several.
            reference: the scheme that others are compared with first.
            metric: of the curves and the comparison at first; PSNR where it is there.
            video: False leaves clips out, for a small file.
            max_mb: clips beyond are left out.
            send: send the first clip again at points that keep none, with the noise of the run, and keep it.
            progress: called with a point's name, how many are sent and how many there are to send.
            force: write over a file that is there; in the default place a page of semlink is replaced anyway.
        Raises:
            ScenarioError: no such reference or metric, nothing sent at all, or no scenario for `send`.
            SourceError: the clips of `send` are not there any more.
            ResultsError: a file is there already, or it cannot be written.
        """
        from semlink.link.api.report import written

        def sent(run: FinishedRun) -> Sequence[str]:
            from semlink.link.api.resent import keep_films
            from semlink.link.api.sender import sender_for

            alone = run is self.run
            found = (
                self._sender if alone else lambda: sender_for(run, None, plugins=self.plugins, commands=self.commands)
            )
            return keep_films(run, found, progress)

        return written(
            self.run,
            self.sources,
            path,
            reference=reference,
            metric=metric,
            video=video,
            max_mb=max_mb,
            force=force,
            send=sent if send else None,
        )

    def frames(
        self,
        *,
        scheme: str | None = None,
        channel: str | None = None,
        snr_db: float | None = None,
        budget: float | None = None,
        rate: float | None = None,
        clip: int | str = 0,
        trial: int = 0,
    ) -> np.ndarray:
        """What one transmission delivered: float32 (t, h, w), just as the run scored it.

        The clip is sent once more with the same noise. What is left out must
        be the same for all points that are meant.

        Args:
            channel: as in the table, such as `awgn`.
            clip: its number, or its name.
        Raises:
            ScenarioError: no single point, no such clip, or the scenario is not at hand.
            Infeasible: nothing was sent at this point.
        """
        place = {"scheme": scheme, "channel": channel, "snr_db": snr_db, "budget": budget, "rate": rate}
        return self._sender().frames(place, clip, trial)

    def replay(self, key: str | None = None, clip: int | str = 0, trial: int = 0, block: int | None = None) -> Replay:
        """One transmission sent once more, told stage by stage, with what each stage cost; print `as_text` of it.

        Args:
            key: the beginning of a point's key, as the error lists them.
            block: the number of a transport block to follow on its way.
        Raises:
            ScenarioError: no single point, no such clip, trial or block, or the scenario is not at hand.
            Infeasible: nothing was sent at this point.
        """
        from semlink.link.api.replay import point_named, replayed

        return replayed(self._sender(), point_named(self.run, key), clip, trial, block)

    def verify(self, points: int | str | None = None, **how: Any) -> Verification:
        """Whether the numbers hold on this machine: drawn points computed again; `semlink.verify` says more.

        Args:
            points: how many, or `"all"`.
            how: `seed`, `workers`, `progress` and `left` of `semlink.verify`.
        """
        from semlink.link.verify.asked import verify

        if self.sources:
            raise ScenarioError("verify: takes one folder")
        how |= {"plugins": self.plugins, "commands": self.commands}
        return verify(self.folder, points, scenario=self.origin, **how)

    def source(self, clip: int | str = 0) -> np.ndarray:
        """The frames of a clip before anything happened to them: float32 (t, h, w)."""
        return self._sender().source(clip)

    def _sender(self) -> Sender:
        """What sends clips again; its clips are loaded and its blocks built once."""
        if "here" not in self._senders:
            from semlink.link.api.sender import sender_for

            allowed = {"plugins": self.plugins, "commands": self.commands}
            self._senders["here"] = sender_for(self.run, self.origin, **allowed)
        return self._senders["here"]


def results(
    folder: str | Path,
    *more: str | Path,
    scenario: Scenario | None = None,
    plugins: bool = False,
    commands: bool = False,
) -> Results:
    """What `semlink run` left in a folder; several folders are overlaid, schemes named after theirs.

    Args:
        scenario: for `frames`, where the folder's manifest does not lead to the scenario's files any more.
        plugins: True if `frames` may import the classes of a user that the manifest names; they may do whatever you
            may, so only for folders of people whom you trust. Nothing else imports anything.
        commands: True if `frames` may start the programs that a codec of kind `command` names: only if you trust it.
    Raises:
        ResultsError: there is no such folder, or it holds no results.
    """
    if not more:
        return Results(Path(folder), read_run(folder), scenario, plugins, commands)
    folders = [folder, *more]
    places = [Path(each).resolve() for each in folders]
    twice = next((each for n, each in enumerate(folders) if places[n] in places[:n]), None)
    if twice is not None:
        raise ResultsError(f"{twice}: is given twice; each folder once")
    sources = tuple(zip(folder_names(folders), map(read_run, folders)))
    return Results(Path("."), merged(dict(sources)), scenario, plugins, commands, sources)


def _framed(records: list[JsonDict], pandas: bool | None) -> Any:
    return _pandas().DataFrame.from_records(records) if _wanted(pandas) else records


def _wanted(pandas: bool | None) -> bool:
    from importlib.util import find_spec

    return find_spec("pandas") is not None if pandas is None else pandas


def _pandas() -> Any:
    from importlib import import_module

    try:
        return import_module("pandas")
    except ImportError as fault:
        raise ScenarioError("pandas is not installed; `pip install pandas`, or leave pandas=True out") from fault
