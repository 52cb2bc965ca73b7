"""How to do it again: the scenario with every default filled in."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.yaml12.write import write_yaml

__all__ = ["section"]


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """The resolved scenario of each folder."""
    scenarios = [
        {"name": run.name, "text": write_yaml(dict(run.run.manifest["scenario"]), width=110)}
        for run in runs
        if run.run.manifest.get("scenario")
    ]
    return Section("again", "How to do it again", context={"scenarios": scenarios}) if scenarios else None
