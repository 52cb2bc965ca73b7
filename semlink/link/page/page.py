"""The page as a file: sections in their order, with style, scripts and data inside. It needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semlink import __version__
from semlink.errors import ResultsError
from semlink.files import Json, reason_of, write_atomic
from semlink.link.metrics.registry import Metric
from semlink.link.page.cautions import cautions
from semlink.link.page.compared import compared
from semlink.link.page.embed import HERE, asset, has_asset, plotly, script_data
from semlink.link.page.groups import group_names
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.page.points import OVER_CLIPS, metrics_on, points_of
from semlink.link.page.schemes import looks
from semlink.link.page.sections.registry import SECTIONS
from semlink.link.page.summary import summary
from semlink.link.results.labels import COST_NAMES, SNR_NAME

__all__ = ["GENERATOR", "check_place", "page", "put_together", "write_page"]

GENERATOR = '<meta name="generator" content="semlink'
"""What tells a page of ours from any other file."""
SHARED = ("common.js", "chart.js", "panels.js", "films.js")
"""Scripts that sections build on."""
STYLES = ("page.css", "video.css", "print.css")
LOOKED_AT = 2000
"""Bytes at the beginning of a file among which the mark of ours stands."""


def write_page(runs: Sequence[NamedRun], path: Path, options: PageOptions) -> Path:
    """Write the page.

    Raises:
        ResultsError: the file cannot be written.
    """
    write_atomic(path, page(runs, options).encode(errors="backslashreplace"))
    return path


def check_place(path: Path, *, replaces_ours: bool) -> None:
    """Refuse to write over a file.

    Args:
        replaces_ours: a page that semlink wrote may go.
    Raises:
        ResultsError: a file is there.
    """
    if not path.exists() or (replaces_ours and _is_ours(path)):
        return
    raise ResultsError(f"{path}: is there already; --force (force=True) writes over it, --out names another file")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(LOOKED_AT)
    except OSError as fault:
        raise ResultsError(f"{path}: cannot be written ({reason_of(fault)})") from fault


def page(runs: Sequence[NamedRun], options: PageOptions) -> str:
    """The page as HTML."""
    options = replace(options, compared=compared(runs, options.metric, options.reference))
    found = [made for section in SECTIONS if (made := section(runs, options)) is not None]
    return put_together(_head(runs, options), runs, options, found)


def put_together(head: Json, runs: Sequence[NamedRun], options: PageOptions, found: Sequence[Section]) -> str:
    """Sections below a head, as HTML with all that they need inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [*SHARED, *(f"{part.name}.js" for part in found if has_asset(f"{part.name}.js")), "start.js"]
    return templates.get_template("page.html").render(
        head=head,
        version=__version__,
        styles=[Markup(asset(name)) for name in STYLES],
        data=[(name, Markup(script_data(data))) for name, data in _data(runs, options, found)],
        plotly=Markup(plotly()),
        scripts=[Markup(asset(name)) for name in scripts],
        parts=[
            (part, Markup(templates.get_template(f"{part.name}.html").render(dict(part.context) | {"part": part})))
            for part in found
        ],
    )


def _head(runs: Sequence[NamedRun], options: PageOptions) -> Json:
    """What it is, who wins, what to beware of."""
    scenarios = [run.run.manifest.get("scenario") or {} for run in runs]
    names = [str(scenario.get("name") or run.name) for run, scenario in zip(runs, scenarios)]
    return {
        "title": ", ".join(dict.fromkeys(names)),
        "words": [str(scenario["description"]) for scenario in scenarios if scenario.get("description")],
        "made_of": [(run.name, _made_of(run)) for run in runs],
        "summary": [line for each in options.compared for line in summary(each.run, options.metric, each.by_reference)],
        "cautions": cautions(runs),
        "alone": len(runs) == 1,
        "single": False,
    }


def _made_of(run: NamedRun) -> str:
    """Clips, trials, channels and SNRs of a folder in a line."""
    rows, manifest = run.run.rows, run.run.manifest
    clips, trials = ([n for row in rows if (n := found(row))] for found in (lambda r: r.clips, lambda r: r.trials))
    parts = [_counted(len(rows), "operating point"), _counted(len({row.scheme for row in rows}), "scheme")]
    parts += [_counted(max(clips), "clip")] if clips else []
    parts += (
        [
            f"{_counted(max(trials), 'trial')} a clip"
            if min(trials) == max(trials)
            else f"{min(trials)} to {max(trials)} trials a clip"
        ]
        if trials
        else []
    )
    parts += [f"semlink {manifest['version']}"] if manifest.get("version") else []
    parts += [f"commit {str(manifest['commit'])[:10]}"] if manifest.get("commit") else []
    return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _data(runs: Sequence[NamedRun], options: PageOptions, found: Sequence[Section]) -> list[tuple[str, Json]]:
    """What scripts read: schemes, metrics and points of the whole page, then each section's own."""
    whole = {
        "schemes": looks(runs),
        "points": points_of(runs),
        "metrics": [_described(metric) for metric in metrics_on(runs)],
        "metric": options.metric.column,
        "snr": SNR_NAME,
        "costs": COST_NAMES,
        "groups": group_names(runs),
    }
    return [("page", whole), *((part.name, part.data) for part in found if part.data is not None)]


def _described(metric: Metric) -> Json:
    return {
        "column": metric.column,
        "label": metric.label,
        "title": metric.title,
        "unit": metric.unit,
        "decimals": metric.decimals,
        "over_noise": metric.interval,
        "over_clips": metric.column.removesuffix("_db") + OVER_CLIPS,
        "higher_is_better": metric.higher_is_better,
    }
