"""An empty figure in a look, and what a notebook shows of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from semlink.link.plots.files import rendered
from semlink.link.plots.style import PLAIN, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["new_figure", "picture"]


def new_figure(size: tuple[float, float], *, dots: float | None = None, layout: Any = None) -> Figure:
    """An empty figure of `size` inches that no window shows; a notebook shows it as a picture.

    Args:
        dots: an inch, on the screen and in files, for figures whose pictures lie on whole dots.
    """
    return _figure_class()(figsize=size, dpi=dots, layout=layout)


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class HouseFigure(Figure):
        """A figure that a notebook shows although pyplot doesn't know it."""

        def _repr_png_(self) -> bytes:
            return rendered(self, "png")

    return HouseFigure


def picture(figure_of: Callable[[], Figure], look: Look = PLAIN) -> Figure:
    """What `figure_of` draws, in a look."""
    import matplotlib

    with matplotlib.rc_context(look.rc):
        return figure_of()
