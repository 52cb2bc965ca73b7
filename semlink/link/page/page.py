"""The page as a file: sections in their order, with style, scripts and data inside. It needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semlink import __version__
from semlink.errors import ResultsError
from semlink.files import Json, reason_of, write_atomic
from semlink.link.page.embed import HERE, asset, has_asset, plotly, script_data
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.page.schemes import looks
from semlink.link.page.sections.registry import SECTIONS

__all__ = ["GENERATOR", "check_place", "page", "write_page"]

GENERATOR = '<meta name="generator" content="semlink'
"""What tells a page of ours from any other file."""
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    found = [made for section in SECTIONS if (made := section(runs, options)) is not None]
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    scripts = [asset(f"{part.name}.js") for part in found if has_asset(f"{part.name}.js")]
    return templates.get_template("page.html").render(
        head=_head(runs),
        version=__version__,
        style=Markup(asset("page.css")),
        data=[(name, Markup(script_data(data))) for name, data in _data(runs, options, found)],
        plotly=Markup(plotly()),
        scripts=[Markup(script) for script in (asset("common.js"), *scripts)],
        parts=[
            (part, Markup(templates.get_template(f"{part.name}.html").render(dict(part.context) | {"part": part})))
            for part in found
        ],
    )


def _head(runs: Sequence[NamedRun]) -> Json:
    """Title and description."""
    scenarios = [run.run.manifest.get("scenario") or {} for run in runs]
    names = [str(scenario.get("name") or run.name) for run, scenario in zip(runs, scenarios)]
    return {
        "title": ", ".join(names),
        "words": [str(scenario["description"]) for scenario in scenarios if scenario.get("description")],
    }


def _data(runs: Sequence[NamedRun], options: PageOptions, found: Sequence[Section]) -> list[tuple[str, Json]]:
    """What scripts read: schemes and points of the whole page, then each section's own."""
    points = [
        {
            "key": key,
            "scheme": run.scheme(point.row.scheme),
            "channel": point.row.channel,
            "snr_db": point.row.snr_db,
            "budget": point.row.budget,
            "rate": point.row.rate,
        }
        for run in runs
        for key, point in run.points()
    ]
    whole = {"schemes": looks(runs), "points": points, "metric": options.metric.column}
    return [("page", whole), *((part.name, part.data) for part in found if part.data is not None)]
