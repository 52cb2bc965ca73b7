"""Figures as files: PNG, and SVG, PDF and PGF with their text as text; equal figures give equal bytes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from semlink.errors import ScenarioError
from semlink.files import JsonDict, write_atomic
from semlink.link.plots.style import PLAIN, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "check_format", "rendered", "save"]

FORMATS = ("png", "svg", "pdf", "pgf")
NOT_TOLD: JsonDict = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What would differ from one time or machine to the next."""


def check_format(name: str) -> str:
    """The format, if figures are written in it.

    Raises:
        ScenarioError: they are not.
    """
    if name not in FORMATS:
        raise ScenarioError(f"format: got {name!r}, expected one of {', '.join(FORMATS)}")
    return name


def rendered(figure: Figure, kind: str, look: Look = PLAIN) -> bytes:
    """`figure` as a file.

    Raises:
        ScenarioError: PGF cannot hold it.
    """
    import matplotlib

    if kind == "pgf":
        from semlink.link.plots.pgf import as_pgf

        with matplotlib.rc_context(look.rc):
            return as_pgf(figure, serif="STIX" in look.fonts[0]).encode()
    data = io.BytesIO()
    dots = "figure" if figure.images else look.dots  # pictures on whole dots stay there
    with matplotlib.rc_context(look.rc), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # boxes in the figure tell it
        figure.savefig(data, format=kind, metadata=NOT_TOLD[kind], dpi=dots)
    is_drawing = kind == "png" and not figure.images and not any(axes.images for axes in figure.axes)
    return _few_colours(data) if is_drawing else data.getvalue()


def _few_colours(png: io.BytesIO) -> bytes:
    """A drawing with 256 colours, which is half as large and looks the same."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(png) as found:
        drawing = found.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    drawing.save(out, "png", optimize=True)
    return out.getvalue()


def save(figure: Figure, path: Path, look: Look = PLAIN) -> Path:
    """Write `figure` in the format of the suffix.

    Raises:
        ScenarioError: PGF cannot hold it.
        ResultsError: the file cannot be written.
    """
    write_atomic(path, rendered(figure, path.suffix.removeprefix("."), look))
    return path
