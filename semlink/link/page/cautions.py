"""What a reader should know before believing the numbers, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from semlink import __version__
from semlink.link.page.groups import groups_of
from semlink.link.page.parts import NamedRun
from semlink.link.results.finished import FinishedRun

__all__ = ["cautions"]


def cautions(runs: Sequence[NamedRun]) -> list[str]:
    """Of each folder, then of folders beside one another."""
    found = [
        line if run.is_alone else f"{run.name}: {line}"
        for run in runs
        for line in (*_warned(run.run), *run.run.doubts, *_versions(run.run), *_ranges(run.run), *_lone(run.run))
    ]
    if len(set(groups_of(runs))) > 1:
        found.append(
            "The folders do not have the same clips and the same seed: their curves stand side by side, and no "
            "difference between them is paired."
        )
    return list(dict.fromkeys(found))


def _warned(run: FinishedRun) -> Sequence[str]:
    return [str(line) for line in run.manifest.get("warnings") or ()]


def _versions(run: FinishedRun) -> Iterator[str]:
    """Points of several versions or commits, and of another version than the one that made the page."""
    told = [record["versions"] for record in run.records if isinstance(record.get("versions"), Mapping)]
    versions = dict.fromkeys(str(each.get("semlink")) for each in told if each.get("semlink"))
    others = [version for version in versions if version != __version__]
    if others:
        yield f"points were computed by semlink {', '.join(others)}; this page was made by {__version__}"
    if not run.manifest:
        yield "there is no manifest: scenario, seeds and versions behind the numbers are not known"
    elif str(run.manifest.get("commit") or "").endswith("+"):
        yield "the code differed from its commit when this was run, so the commit alone does not give the numbers again"


def _ranges(run: FinishedRun) -> Iterator[str]:
    ranges = {str(clip["range"]) for clip in run.manifest.get("clips") or () if clip.get("range")}
    if len(ranges) > 1:
        yield f"clips of {' and '.join(sorted(ranges))} range of luma are mixed: their PSNR counts from different peaks"


def _lone(run: FinishedRun) -> Iterator[str]:
    if run.rows and all((row.clips or 0) == 1 for row in run.rows):
        yield "one clip: nothing here says how it would be with another"
    if run.points and not run.records:
        yield "the folder holds curves.csv without its points: no differences can be paired"
