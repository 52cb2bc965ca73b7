"""Quality over cost and over SNR, drawn by the page from its points."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.link.page.parts import NamedRun, PageOptions, Section

__all__ = ["section"]


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """Always there: a page has points, if only some that could not be sent."""
    return Section("curves", "Curves", context={"several": len(runs) > 1})
