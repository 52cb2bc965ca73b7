"""Figures as files: PNG, and SVG, PDF and PGF with their text as text; equal figures give equal bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from semlink.errors import ResultsError, ScenarioError
from semlink.files import JsonDict, write_atomic
from semlink.link.plots.pgf import HEAD
from semlink.link.plots.style import PLAIN, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "boxes_for_glyphs", "check_format", "check_places", "rendered", "save"]

FORMATS = ("png", "svg", "pdf", "pgf")
TOLD: JsonDict = {
    "png": {"Software": "semlink"},
    "svg": {"Date": None, "Creator": "semlink"},
    "pdf": {"CreationDate": None, "Creator": "semlink", "Producer": None},
}
"""What tells a figure of ours, and nothing that would differ from one time or machine to the next."""
MARKS = {
    "png": b"Software\0semlink",
    "svg": b"<dc:title>semlink</dc:title>",
    "pdf": b"/Creator (semlink)",
    "pgf": HEAD.splitlines()[0].encode(),
}
"""How that stands in the files."""


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
    with matplotlib.rc_context(look.rc), boxes_for_glyphs():
        figure.savefig(data, format=kind, metadata=TOLD[kind], dpi=dots)
    is_drawing = kind == "png" and not figure.images and not any(axes.images for axes in figure.axes)
    return _few_colours(data) if is_drawing else data.getvalue()


@contextmanager
def boxes_for_glyphs() -> Iterator[None]:
    """Letters that the font lacks are drawn as boxes, and nothing is warned of: the boxes tell it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def _few_colours(png: io.BytesIO) -> bytes:
    """A drawing with 256 colours, which is half as large and looks the same."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Software", TOLD["png"]["Software"])
    out = io.BytesIO()
    with Image.open(png, formats=("PNG",)) as found:
        drawing = found.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    drawing.save(out, "png", optimize=True, pnginfo=told)
    return out.getvalue()


def check_places(paths: Iterable[Path]) -> None:
    """Refuse to write over what semlink did not draw.

    Raises:
        ResultsError: such a file is there.
    """
    for path in paths:
        if path.exists() and not (path.is_file() and MARKS[path.suffix.removeprefix(".")] in path.read_bytes()):
            raise ResultsError(
                f"{path}: is there already and is no figure of semlink; --force (force=True) writes over it, "
                "--out names another folder"
            )


def save(figure: Figure, path: Path, look: Look = PLAIN) -> Path:
    """Write `figure` in the format of the suffix.

    Raises:
        ScenarioError: PGF cannot hold it.
        ResultsError: the file cannot be written.
    """
    write_atomic(path, rendered(figure, path.suffix.removeprefix("."), look))
    return path
