"""How figures look: colours, markers and styles as plain data, without matplotlib."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, replace
from typing import Any

from semlink.errors import ScenarioError
from semlink.files import JsonDict
from semlink.link.results.labels import SNR_NAME

__all__ = ["COLOURS", "LOOKS", "MARKERS", "PLAIN", "Look", "line_style", "look_named", "wrap"]

# Okabe and Ito's colours without yellow, which fades on white; safe for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h", "*")
LINES = ("-", (0, (7, 1.6, 1.4, 1.6)), (0, (3, 1, 1, 1, 1, 1)))
"""Of the first seven schemes, and of those whose colours are used again."""
BOUND, NEARLY_BOUND = "--", (0, (1.2, 1.2))
"""Lines of bounds on what is drawn, and of limits on something else."""


@dataclass(frozen=True, slots=True)
class Look:
    """A style of figures; sizes of text in points, the rest in inches.

    Attributes:
        width_in: of the whole figure; None: as its panels need.
        least_panel_in: panels side by side are no narrower.
        notes: whether what must be said stands below the curves; else it is for the caption.
        second_scale: whether a lone panel has channel uses per clip on top.
    """

    name: str
    shows: str
    fonts: tuple[str, ...] = ("DejaVu Sans",)
    math: str = "dejavusans"
    text_pt: float = 9.0
    small_pt: float = 7.5
    line_pt: float = 1.5
    marker_pt: float = 5.0
    width_in: float | None = None
    least_panel_in: float = 1.8
    dots: int = 200
    notes: bool = True
    second_scale: bool = True

    @property
    def letter_in(self) -> float:
        """A letter's width, on the safe side."""
        return 0.61 * self.text_pt / 72

    @property
    def line_in(self) -> float:
        """A line's height."""
        return 1.3 * self.text_pt / 72

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Of a figure that is as wide as it likes, in inches; at the look's width, if it has one."""
        return (width, height) if self.width_in is None else (self.width_in, height * self.width_in / width)

    @property
    def rc(self) -> Any:
        """Matplotlib's settings."""
        return {
            "font.family": list(self.fonts),
            "mathtext.fontset": self.math,
            "font.size": self.text_pt,
            **dict.fromkeys(("axes.titlesize", "axes.labelsize", "legend.fontsize"), self.text_pt),
            **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), max(self.text_pt - 0.5, 8.0)),
            "axes.linewidth": 0.47 * self.line_pt,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.labelpad": 0.3 * self.text_pt,
            "axes.unicode_minus": True,
            "axes.formatter.use_mathtext": True,
            "grid.color": "#d9d9d9",
            "grid.linewidth": 0.4 * self.line_pt,
            "legend.frameon": False,
            "legend.borderpad": 0.0,
            "legend.borderaxespad": 0.0,
            "legend.labelspacing": 0.35,
            "legend.handlelength": 2.8,
            "legend.handletextpad": 0.6,
            "legend.columnspacing": 1.6,
            "svg.hashsalt": "semlink",
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
            "path.simplify": False,
            "figure.dpi": 100,
            "savefig.facecolor": "white",
        }


PLAIN = Look("plain", "as a run draws them, with what must be said below")
LOOKS = (
    PLAIN,
    Look(
        "ieee",
        "one column of 3.5 in; 7.16 in for two; words for the caption are printed",
        fonts=("STIXGeneral", "DejaVu Sans"),
        math="stix",
        text_pt=8.0,
        small_pt=8.0,
        line_pt=1.1,
        marker_pt=3.6,
        width_in=3.5,
        least_panel_in=1.1,
        dots=300,
        notes=False,
        second_scale=False,
    ),
    Look(
        "slides",
        "10 in wide, large letters and lines",
        text_pt=16.0,
        small_pt=13.0,
        line_pt=2.8,
        marker_pt=9.0,
        width_in=10.0,
        least_panel_in=3.2,
        dots=150,
        notes=False,
        second_scale=False,
    ),
)
UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
"""In inches; points are TeX's, as of \\columnwidth."""
WIDTHS_IN = (1.5, 40.0)


def look_named(name: str, width: str | None = None) -> Look:
    """A style, at another width if one is given.

    Raises:
        ScenarioError: there is no such style, or the width is none.
    """
    found = next((look for look in LOOKS if look.name == name), None)
    if found is None:
        raise ScenarioError(f"style: got {name!r}, expected one of {', '.join(look.name for look in LOOKS)}")
    return found if width is None else replace(found, width_in=inches(width))


def inches(width: str) -> float:
    """A length with its unit, such as 3.5in.

    Raises:
        ScenarioError: no number, no unit, or a width that no figure has.
    """
    read = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", width, re.ASCII)
    if read is None or read[2] not in UNITS:
        raise ScenarioError(f"width: got {width!r}, expected a number with its unit: in, cm, mm or pt, such as 3.5in")
    found = float(read[1]) * UNITS[read[2]]
    low, high = WIDTHS_IN
    if not low <= found <= high:
        raise ScenarioError(f"width: got {width!r}, expected {low:g}in to {high:g}in")
    return found


def line_style(
    order: int, look: Look = PLAIN, *, bound: str = "", genie: bool = False, marker: int | None = None
) -> JsonDict:
    """Colour, marker and line of the scheme at place `order`; bounds dashed with hollow markers.

    Colours repeat after seven schemes and markers after twelve; a repeated
    colour comes with a dash-dotted line.

    Args:
        bound: what it is a bound on, '' for none; of anything but the quality it is dotted.
        marker: the place of the marker, where it tells folders apart and not schemes.
    """
    colour = COLOURS[order % len(COLOURS)]
    line = LINES[(order // len(COLOURS)) % len(LINES)]
    return {
        "color": colour,
        "marker": MARKERS[(order if marker is None else marker) % len(MARKERS)],
        "linestyle": line if not bound else BOUND if bound == "bound" else NEARLY_BOUND,
        "linewidth": look.line_pt * (1.5 if genie else 1.0),
        "markersize": look.marker_pt,
        "markerfacecolor": "white" if bound else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 0.67 * look.line_pt,
    }


def wrap(text: str, width: int) -> str:
    """`text` in lines of about `width` characters, as matplotlib is to draw it.

    Lines break between words; one that no line could hold breaks after a sign
    inside it, so that no word is cut in two. Dollar signs are made harmless.
    """
    width = max(width, 6)
    words = [part for word in text.split(" ") for part in _parts(word, width)]
    lines = [""]
    for glue, word in words:
        longer = f"{lines[-1]}{glue}{word}" if lines[-1] else word
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines).replace("$", r"\$").replace(SNR_NAME, r"$E_\mathrm{s}/N_0$")


def _parts(word: str, width: int) -> list[tuple[str, str]]:
    """A word with the space before it; of one that is too long its parts, and those cut where nothing else helps."""
    if len(word) <= width:
        return [(" ", word)]
    pieces = [piece for piece in re.split(r"(?<=[(,:/=_.)-])", word) if piece]
    cut = [part for piece in pieces for part in (textwrap.wrap(piece, width) or [piece])]
    return [(" " if not place else "", part) for place, part in enumerate(cut)]
