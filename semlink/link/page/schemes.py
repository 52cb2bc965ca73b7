"""How each scheme looks, everywhere on the page and in the figures alike."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.files import JsonDict
from semlink.link.page.parts import NamedRun
from semlink.link.plots.style import COLOURS, MARKERS
from semlink.link.results.labels import schemes_of

__all__ = ["looks", "names_of"]

SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "<": "triangle-left",
    "p": "pentagon",
    ">": "triangle-right",
    "h": "hexagon",
    "*": "star",
}
"""By marker of the figures, that of the page."""
BOUND = "bound"
"""On the quality that is drawn; other words say what else it is a bound on."""
DASHES = ("solid", "dashdot", "longdashdot")


def names_of(runs: Sequence[NamedRun]) -> tuple[str, ...]:
    """The schemes of the page, in the order of the folders and their files."""
    return tuple(run.scheme(name) for run in runs for name in schemes_of(run.run.rows))


def looks(runs: Sequence[NamedRun]) -> list[JsonDict]:
    """Name, colour, marker and line of each scheme; bounds dashed, or dotted, with hollow markers."""
    found: list[JsonDict] = []
    for run in runs:
        for name in schemes_of(run.run.rows):
            mine = [row for row in run.run.rows if row.scheme == name]
            order, bound = len(found), run.run.bounds.get(name, BOUND) if any(row.bound for row in mine) else ""
            found.append(
                {
                    "name": run.scheme(name),
                    "run": run.place,
                    "colour": COLOURS[order % len(COLOURS)],
                    "symbol": SYMBOLS[MARKERS[order % len(MARKERS)]] + ("-open" if bound else ""),
                    "dash": DASHES[(order // len(COLOURS)) % 3] if not bound else "dash" if bound == BOUND else "dot",
                    "bound": bound,
                    "genie": next((row.genie for row in mine if row.genie), ""),
                }
            )
    return found
