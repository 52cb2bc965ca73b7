"""What the sections of the page are made from, and what each of them gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from semlink.files import Json
from semlink.link.metrics.registry import Metric
from semlink.link.results.finished import FinishedPoint, FinishedRun

if TYPE_CHECKING:
    from semlink.link.page.compared import Compared

__all__ = ["MAX_MB", "NamedRun", "PageOptions", "Section", "named_runs"]


@dataclass(frozen=True, slots=True)
class NamedRun:
    """A results folder as the page calls it.

    Attributes:
        name: the shortest tail of its path that tells the folders apart.
        place: among the folders of the page.
        is_alone: whether it is the only one; schemes of several carry the name of their folder.
    """

    name: str
    run: FinishedRun
    place: int = 0
    is_alone: bool = True

    def scheme(self, name: str) -> str:
        """A scheme as the page calls it."""
        return name if self.is_alone else f"{self.name}: {name}"

    def points(self) -> Iterator[tuple[str, FinishedPoint]]:
        """Each point with the key that the page selects it by."""
        for number, point in enumerate(self.run.points):
            yield f"{self.place}.{number}", point


MAX_MB = 25.0
"""A page that can be sent by mail."""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the caller wishes.

    Attributes:
        metric: shown first.
        reference: the scheme, as the page calls it, that others are compared with first; None leaves the choice.
        video: False leaves clips out.
        max_mb: what the page may take with them; clips beyond are left out, and counted.
        unsent: what could not be sent again for the page, a line each.
        compared: what was compared, for each group of folders with the same clips.
        single: that a page shows one transmission alone, and of which trial; None for a report.
    """

    metric: Metric
    reference: str | None = None
    video: bool = True
    max_mb: float = MAX_MB
    unsent: Sequence[str] = ()
    compared: Sequence[Compared] = ()
    single: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        name: of its template `templates/<name>.html`, its script `assets/<name>.js` if there is one, and its anchor.
        title: its heading.
        data: what the script reads by `semlink.data(name)`; numbers that are not finite become null.
        context: what the template is filled with.
    """

    name: str
    title: str
    data: Json | None = None
    context: Json = field(default_factory=dict)


def named_runs(runs: Sequence[tuple[str, FinishedRun]]) -> tuple[NamedRun, ...]:
    """Folders with their names, in their order."""
    return tuple(NamedRun(name, run, place, len(runs) == 1) for place, (name, run) in enumerate(runs))
