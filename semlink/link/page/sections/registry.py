"""Every section of the page, in the order of the page: adding one is its file, its template and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.page.sections import again, comparison, curves, ledger, reception, table, video

__all__ = ["SECTIONS"]

SECTIONS: tuple[Callable[[Sequence[NamedRun], PageOptions], Section | None], ...] = (
    curves.section,
    comparison.section,
    video.section,
    ledger.section,
    reception.section,
    table.section,
    again.section,
)
