"""A validation as a page: styles of the report's, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semlink import __version__
from semlink.link.page.embed import asset
from semlink.link.validate.text import counts, found_in_words, number, subjects, summary
from semlink.link.validate.verdict import Row

__all__ = ["page"]

HERE = Path(__file__).parent
STYLES = ("page.css", "print.css")
LOOKS = {
    "agrees": "agrees",
    "better": "better",
    "falls short (known)": "short",
    "differs": "differs",
    "cannot run here": "missing",
}
"""Classes of the page's style."""


def page(rows: Sequence[Row], seed: int) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("page.html").render(
        version=__version__,
        seed=seed,
        styles=[Markup(asset(name)) for name in STYLES],
        total=len(rows),
        counted=[(LOOKS[verdict], verdict, many) for verdict, many in counts(rows).items()],
        differing=[_cells(row) for row in rows if row.verdict == "differs"],
        subjects=[(name, summary(group), [_cells(row) for row in group]) for name, group in subjects(rows)],
    )


def _cells(row: Row) -> dict[str, str]:
    entry = row.entry
    low, high = entry.rule.allowed(entry.theirs)
    allowed = f"{number(low)} to {number(high)}"
    if entry.rule.one_sided:
        allowed = f"at most {number(high)}" if low == -float("inf") else f"at least {number(low)}"
    elif low == high:
        allowed = "the same"
    return {
        "name": row.name,
        "what": entry.what,
        "look": LOOKS[row.verdict],
        "verdict": row.verdict,
        "ours": found_in_words(row.ours),
        "theirs": f"{number(entry.theirs)} {entry.unit}".rstrip(),
        "allowed": allowed,
        "why": entry.rule.why,
        "source": entry.source,
        "from": row.ours.words if row.ours is not None else "",
        "note": row.note,
    }
