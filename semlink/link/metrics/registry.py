"""Every quality that a run can score: adding one is its file and one line here.

A scenario names them under `metrics`. A user's own stands there as
`my_metric.py:sharpness` or `module:sharpness`, or under the name of an entry
point `metric.<name>`; it is a function of two clips, or a `Metric`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from semlink.colour.look import Look
from semlink.errors import InterfaceError, ScenarioError, SemlinkError, nearest, raised, traced
from semlink.link.metrics.ms_ssim import missing_scales, ms_ssim
from semlink.link.metrics.psnr_ssim import psnr_by_frame, psnr_db, psnr_yuv611_db, ssim, ssim_by_frame
from semlink.link.metrics.seen import Sees, scored
from semlink.link.metrics.vmaf import small_for_vmaf, vmaf
from semlink.link.metrics.xpsnr import xpsnr_by_frame, xpsnr_db
from semlink.plugins import fingerprint, load_class
from semlink.plugins.contents import text_files
from semlink.plugins.entry_points import offered
from semlink.plugins.trust.permission import refuse_plugin

__all__ = [
    "METRICS",
    "PSNR",
    "Metric",
    "check_metric_name",
    "extremes_of",
    "generic",
    "metric_key",
    "metrics_named",
    "named_column",
]


GRAY = Look()


@dataclass(frozen=True, slots=True)
class Metric:
    """A quality of a received clip.

    Attributes:
        name: what a scenario calls it.
        column: its column in `curves.csv`; the half width of its interval
            stands under `interval`.
        label: on axes, with the unit in brackets, such as `PSNR [dB]`.
        decimals: of its numbers in tables.
        function: two arrays (t, h, w), the source in [0, 1] and what was
            received, to one finite number.
        sees: what it is given of colour frames, see `semlink.link.metrics.seen`; by default their luma.
        source: where it is defined, as `key, place`.
        higher_is_better: False for errors and distances.
        by_frame: the same for each frame, (t,); None where a clip has no such thing.
        caution: from height and width of the frames to what is to be told of their numbers; '' for nothing.
        revision: raised with a change of the numbers that `function` gives; points of the earlier ones are stale.
        extremes: what a receiver scores that knows nothing, and the best that is plausible of a transmission;
            None where only a clip can tell. Intervals reckon with them where nothing like that was seen.
        package: a module of the extra `perceptual` that computes it; '' for none.
    """

    name: str
    column: str
    label: str
    decimals: int
    function: Callable[[Any, Any], float]
    source: str = ""
    higher_is_better: bool = True
    by_frame: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    caution: Callable[[int, int], str] | None = None
    revision: int = 1
    extremes: tuple[float, float] | None = None
    package: str = ""
    sees: Sees = "luma"

    @property
    def interval(self) -> str:
        """The column with the half width of its 95 % interval: psnr_db -> psnr_ci95."""
        return self.column.removesuffix("_db") + "_ci95"

    @property
    def title(self) -> str:
        """The label without its unit."""
        return self.label.partition(" [")[0]

    @property
    def unit(self) -> str:
        """What stands in the label's brackets; '' for a pure number."""
        return self.label.partition(" [")[2].removesuffix("]")

    @property
    def is_shipped(self) -> bool:
        return self in METRICS

    def check_colour(self, colour: str) -> None:
        """Refuse frames that it cannot score.

        Raises:
            ScenarioError: says which it can.
        """
        if self.sees == "ycbcr" and colour == "gray":
            raise ScenarioError(
                f"{self.name}: scores luma and chroma, and the source gives gray; score psnr, or set colour"
            )

    def frames(self, reference: np.ndarray, received: np.ndarray, look: Look = GRAY) -> np.ndarray | None:
        """The quality of each frame; None where a clip has no such thing."""
        return None if self.by_frame is None else scored(self.by_frame, self.sees, reference, received, look)

    def score(self, reference: np.ndarray, received: np.ndarray, look: Look = GRAY) -> float:
        """The quality of one clip (t, rows, w), whose colour `look` tells.

        Raises:
            InterfaceError: the function failed, or gave something else than one finite number.
        """
        try:
            found = float(scored(self.function, self.sees, reference, received, look))
        except SemlinkError:
            raise
        except (Exception, SystemExit) as fault:
            raise traced(InterfaceError(f"metric {self.name}: raised {raised(fault)}"), fault) from fault
        if not math.isfinite(found):
            raise InterfaceError(f"metric {self.name}: gave {found}; need a finite number for every clip")
        return found


GREY = 0.5
"""What a receiver shows that knows nothing."""
GREY_DB = 10.8
"""PSNR of mid-grey against evenly distributed pixels: their variance is 1/12."""
GOOD_DB = 40.0
"""PSNR that video at the rates of a channel hardly exceeds."""
METRICS = (
    Metric(
        "psnr", "psnr_db", "PSNR [dB]", 2, psnr_db, by_frame=psnr_by_frame, extremes=(GREY_DB, GOOD_DB), sees="samples"
    ),
    Metric(
        "ssim", "ssim", "SSIM", 4, ssim, "wang2004, eq. (13)", by_frame=ssim_by_frame, extremes=(0.0, 1.0), sees="each"
    ),
    Metric(
        "ms_ssim",
        "ms_ssim",
        "MS-SSIM",
        4,
        ms_ssim,
        "wang2003, eq. (7)",
        caution=missing_scales,
        revision=2,
        extremes=(0.0, 1.0),
        sees="each",
    ),
    Metric(
        "xpsnr",
        "xpsnr_db",
        "XPSNR [dB]",
        2,
        xpsnr_db,
        "helmrich2020, weights and their smoothing",
        by_frame=xpsnr_by_frame,
        extremes=(GREY_DB, GOOD_DB),
    ),
    Metric(
        "vmaf",
        "vmaf",
        "VMAF",
        1,
        vmaf,
        "vmaf2016, model v0.6.1",
        caution=small_for_vmaf,
        package="vmaf_torch",
        extremes=(0.0, 100.0),
    ),
    Metric("psnr_y", "psnr_y_db", "PSNR-Y [dB]", 2, psnr_db, by_frame=psnr_by_frame, extremes=(GREY_DB, GOOD_DB)),
    Metric(
        "psnr_yuv611",
        "psnr_yuv611_db",
        "PSNR-YUV 6:1:1 [dB]",
        2,
        psnr_yuv611_db,
        "ohm2012, combined PSNR_YUV",
        extremes=(GREY_DB, GOOD_DB),
        sees="ycbcr",
    ),
)
PSNR = METRICS[0]


def extremes_of(metric: Metric, reference: np.ndarray, look: Look = GRAY) -> tuple[float, float] | None:
    """What a receiver scores on a clip (t, rows, w) that knows nothing of it, and the best that is plausible.

    None where the metric cannot score a flat grey clip.
    """
    try:
        worst = metric.score(reference, np.full_like(reference, GREY), look)
        best = metric.score(reference, reference, look) if metric.extremes is None else metric.extremes[1]
    except SemlinkError:
        return None
    return worst, best


def check_metric_name(name: str) -> str:
    """The name, if it may stand in a scenario.

    Raises:
        ValueError: neither shipped nor offered by a plug-in, and no `file.py:function`.
    """
    known = [metric.name for metric in METRICS]
    if name in known:
        package = METRICS[known.index(name)].package
        if package and package not in sys.modules and find_spec(package) is None:
            raise ValueError(f"{name}: needs {package}, which is not installed: pip install 'semlink[perceptual]'")
        return name
    if ":" in name or name in offered("metric"):
        refuse_plugin("metric", name)
        return name
    near = nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    allowed = ", ".join(map(repr, [*known, *offered("metric")]))
    raise ValueError(f"got {name!r}, expected one of {allowed}, or file.py:function or module:function{hint}")


def metrics_named(names: Iterable[str], folder: Path | None = None, *, taken: Sequence[str] = ()) -> tuple[Metric, ...]:
    """The metrics of a scenario, PSNR always among them, each once.

    Args:
        names: as the scenario has them.
        folder: where files are looked up first.
        taken: columns that a user's metric may not have.
    Raises:
        ScenarioError, UnknownBlock: a name leads nowhere, or two metrics claim one column.
    """
    shipped = {metric.name: metric for metric in METRICS}
    wanted = dict.fromkeys(names)
    order = [
        *(name for name in shipped if name in wanted or name == PSNR.name),
        *(n for n in wanted if n not in shipped),
    ]
    found = tuple(shipped[name] if name in shipped else _users(name, folder) for name in order)
    columns = [*taken]
    for metric in found:
        mine = [metric.column, metric.interval]
        twice = [] if metric.is_shipped else [column for column in mine if column in columns]
        if twice:
            raise ScenarioError(f"metric {metric.name}: column {twice[0]!r} is taken; give its Metric another column")
        columns += mine
    return found


def metric_key(name: str, folder: Path | None = None) -> Any:
    """What a number depends on: the name, a revision after the first, and of a user's own its text and files."""
    shipped = {metric.name: metric for metric in METRICS}
    if name in shipped:
        return name if shipped[name].revision == 1 else [name, shipped[name].revision]
    files = text_files(name, folder)
    return [name, fingerprint(name, interface="metric", folder=folder), *([files] if files else [])]


def named_column(word: str, metrics: Iterable[Metric]) -> str:
    """The column that a user means by a metric's name or column."""
    return next((m.column for m in (*metrics, *METRICS) if word in (m.name, m.column)), word)


def generic(column: str) -> Metric:
    """A stand-in for a column of which nothing but its name is known."""
    return Metric(column, column, column, 4, _cannot_score)


def _users(kind: str, folder: Path | None) -> Metric:
    """A user's metric; of a plain function its name is the column and the label."""
    found: Any = load_class(kind, "metric", folder=folder)
    if isinstance(found, type) or not (isinstance(found, Metric) or callable(found)):
        got = found.__name__ if isinstance(found, type) else type(found).__name__
        raise InterfaceError(f"metric {kind}: is {got}; need a function (reference, received) or a semlink.Metric")
    if not isinstance(found, Metric):
        name = kind.rsplit(":", 1)[-1]
        found = Metric(kind, name, name.replace("_", " "), 4, found)
    if not re.fullmatch(r"[A-Za-z]\w*", found.column):
        raise ScenarioError(f"metric {kind}: column {found.column!r} has other signs than letters, digits and _")
    return found


def _cannot_score(reference: np.ndarray, received: np.ndarray) -> float:
    raise InterfaceError("this metric is known by its column alone and cannot be computed")
