r"""A figure as PGF, for `\input` in a document: LaTeX sets its text in the fonts of the document.

Matplotlib asks LaTeX how wide texts are; here its own fonts tell, so that none
need be installed and equal figures give equal files. Every text is anchored
where it belongs, so that only the room left for it follows from that measure.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from semlink.errors import ScenarioError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEAD = r"""% A figure of semlink. In the preamble: \usepackage{pgf}; where the figure goes: \input{NAME.pgf}
% Its text is set in the fonts of the document.
"""
SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "#": r"\#",
    "&": r"\&",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{THIN SPACE}": r"\,",
    "\N{PLUS-MINUS SIGN}": r"\ensuremath{\pm}",
    "\N{MULTIPLICATION SIGN}": r"\ensuremath{\times}",
}
"""What LaTeX would take for something else; matplotlib itself looks after % and the minus sign."""


def as_pgf(figure: Figure, *, serif: bool = False) -> str:
    """The figure as text of a `.pgf` file.

    Args:
        serif: whether its text is set in the serif fonts of the document, or in those without.
    Raises:
        ScenarioError: it holds pictures.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    if figure.images or any(axes.images for axes in figure.axes):
        raise ScenarioError("format: pgf holds no pictures; take pdf, svg or png for this kind of figure")
    canvas, before = figure.canvas, figure.dpi
    try:
        FigureCanvasBase(figure)
        figure.dpi = 72
        out = io.StringIO()
        out.write(HEAD)
        size = [f"{side:f}in" for side in figure.get_size_inches()]
        out.write("\\begingroup\\makeatletter\n\\providecommand\\mathdefault[1]{#1}%\n\\begin{pgfpicture}\n")
        out.write(f"\\pgfpathrectangle{{\\pgfpointorigin}}{{\\pgfqpoint{{{size[0]}}}{{{size[1]}}}}}\n")
        out.write("\\pgfusepath{use as bounding box, clip}\n")
        figure.draw(_renderer(figure, out, serif=serif))
        out.write("\\end{pgfpicture}\n\\makeatother\\endgroup\n")
    finally:
        figure.dpi = before
        figure.set_canvas(canvas)
    return out.getvalue()


def for_latex(text: str) -> str:
    r"""Text as LaTeX reads it; what stands between dollar signs is mathematics already, and `\$` a dollar."""
    parts = re.split(r"(?<!\\)\$", text)
    told = [
        part if place % 2 else "".join(SIGNS.get(sign, sign) for sign in part.replace(r"\$", "\0")).replace("\0", r"\$")
        for place, part in enumerate(parts)
    ]
    return "$".join(told)


def _renderer(figure: Figure, out: io.StringIO, *, serif: bool) -> Any:
    """What writes PGF to `out`."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.backends.backend_pgf import RendererPgf

    measure = RendererAgg(1, 1, figure.dpi)

    class Renderer(RendererPgf):
        """PGF whose texts are measured here and escaped."""

        def get_text_width_height_descent(self, s, prop, ismath):  # type: ignore[no-untyped-def]
            return measure.get_text_width_height_descent(s, prop, ismath)

        def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):  # type: ignore[no-untyped-def]
            prop = prop.copy()
            prop.set_family("serif" if serif else "sans-serif")
            super().draw_text(gc, x, y, for_latex(s), prop, angle, ismath, mtext)

    return Renderer(figure, out)
