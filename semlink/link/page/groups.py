"""Folders that show the same clips, whose curves may lie over each other and be compared."""

from __future__ import annotations

from collections.abc import Sequence

from semlink.link.page.parts import NamedRun
from semlink.link.plots.registry import merged
from semlink.link.results.finished import FinishedRun

__all__ = ["group_names", "groups_of", "together"]


def groups_of(runs: Sequence[NamedRun]) -> tuple[int, ...]:
    """For each folder the number of its group; folders are in one if they have the same clips and the same chance."""
    found: dict[object, int] = {}
    return tuple(found.setdefault(_clips(run), len(found)) for run in runs)


def group_names(runs: Sequence[NamedRun]) -> list[str]:
    """Each group by the names of its folders."""
    groups = groups_of(runs)
    return [", ".join(r.name for r, g in zip(runs, groups) if g == group) for group in dict.fromkeys(groups)]


def together(runs: Sequence[NamedRun]) -> list[FinishedRun]:
    """Each group as one run, schemes as the page calls them."""
    groups = groups_of(runs)
    if len(runs) == 1:
        return [runs[0].run]
    return [
        merged({run.name: run.run for run, mine in zip(runs, groups) if mine == group})
        for group in dict.fromkeys(groups)
    ]


def _clips(run: NamedRun) -> object:
    """What its clips are known by; a folder that does not say stands alone."""
    digest = run.run.manifest.get("clips_digest")
    seeds = tuple(sorted({row.seed for row in run.run.rows if row.seed is not None}))
    return (digest, seeds) if digest else run.place
