"""All points in a table, those that could not be sent with their reason."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.link.page.parts import NamedRun, PageOptions, Section

__all__ = ["section"]


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """Filled by the page from its points."""
    return Section("table", "All points")
