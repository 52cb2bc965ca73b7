"""The page of a run or of several: what is asked for, looked up and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from semlink.errors import ScenarioError
from semlink.link.compare.compare import check_reference
from semlink.link.page.page import check_place, write_page
from semlink.link.page.parts import PageOptions, named_runs
from semlink.link.results.finished import FinishedRun

__all__ = ["written"]

PAGE = "report.html"
LEAST_MB = 1.0


def written(
    run: FinishedRun,
    sources: Sequence[tuple[str, FinishedRun]],
    path: str | Path | None,
    *,
    reference: str | None,
    metric: str | None,
    video: bool,
    max_mb: float,
    force: bool,
    send: Callable[[FinishedRun], Sequence[str]] | None = None,
) -> Path:
    """See `Results.report`.

    Args:
        run: all folders as one.
        sources: each folder with its name; empty for one alone.
        send: sends the clips of a folder that its films lack; gives what could not be kept, a line each.
    """
    if not max_mb >= LEAST_MB:
        raise ScenarioError(f"max_mb: got {max_mb:g}, expected {LEAST_MB:g} or more")
    if reference is not None:
        check_reference(run.rows, reference, run.folder)
    judged = run.metric("psnr" if metric is None else metric)
    place = Path(path) if path is not None else run.folder / PAGE
    if not force:
        check_place(place, replaces_ours=path is None)
    unsent = [line for _, each in sources or (("", run),) for line in (send(each) if send else ())]
    named = named_runs(sources or ((run.folder.resolve().name, run),))
    return write_page(named, place, PageOptions(judged, reference, video, max_mb, unsent=unsent))
