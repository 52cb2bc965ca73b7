"""Whether the numbers of somebody's results folder hold on this machine.

Nothing in the folder is trusted: its table is held against its points, these against their checksums and laws, their
keys against the scenario and the code here, and drawn points are computed again somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from semlink import __version__
from semlink.errors import SemlinkError
from semlink.files import Json
from semlink.link.results.code import commit
from semlink.link.results.course.merge import scenarios_apart
from semlink.link.results.finished import grid_place
from semlink.link.results.folder import packages
from semlink.link.results.labels import place_in_words
from semlink.link.results.qualities import scored
from semlink.link.results.rows import CURVES, Row, from_json
from semlink.link.scenario.of_manifest import scenario_of_manifest
from semlink.link.scenario.scenario import Scenario
from semlink.link.sweep.grid import GridPoint, grid, place_in_rows
from semlink.link.sweep.point_key import point_keys, specs_of
from semlink.link.sweep.time_left import TimeLeft
from semlink.link.verify.again import Again, Tell, computed
from semlink.link.verify.compare import Difference, differences, remarks
from semlink.link.verify.kept import Kept, look_over, unlike
from semlink.link.verify.sample import drawn
from semlink.plugins.contents import specs_inside
from semlink.plugins.trust.permission import commands_allowed, plugins_refused
from semlink.weights.cards import RANDOM

__all__ = ["CANNOT", "DIFFERS", "HOLDS", "SAME", "Checked", "Verification", "verified"]

OF_POINT = "what its point says was compared, not its row of the table, which says something else"
ROW_ALONE = "its row stands alone: of single transmissions nothing can be said"
SAME, HOLDS, DIFFERS, CANNOT = "same", "holds", "differs", "cannot"


@dataclass(frozen=True, slots=True)
class Checked:
    """One drawn point.

    Attributes:
        place: in words.
        key: of its record; '' without one.
        verdict: `same` to the last digit, `holds` within what chance explains, `differs`, or `cannot` be computed here.
        differences: numbers that are others here.
        why: it cannot be computed or compared here.
        remarks: what else is to be said.
    """

    place: str
    key: str
    verdict: str
    differences: tuple[Difference, ...] = ()
    why: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of a folder; print `semlink.link.verify.told.as_text` of it.

    Attributes:
        rows: of its table.
        seed: draws the same points again.
        points: that were drawn.
        wrong: what of the folder cannot be as a run left it, a line each.
        said: what else a reader should know, a line each.
        cannot: why no point could be computed; '' if some could be tried.
        missing: how many points the manifest names that are not there.
        alone: how many rows no point stands behind.
    """

    folder: Path
    rows: int
    seed: int
    points: tuple[Checked, ...]
    wrong: tuple[str, ...]
    said: tuple[str, ...]
    cannot: str = ""
    missing: int = 0
    alone: int = 0

    def of(self, verdict: str) -> list[Checked]:
        """Points with this verdict."""
        return [point for point in self.points if point.verdict == verdict]

    @property
    def code(self) -> int:
        """0: all that was looked at holds; 1: something does not; 2: something could not be computed here."""
        if self.wrong or self.of(DIFFERS):
            return 1
        return 2 if self.cannot or self.of(CANNOT) or not self.points else 0


def verified(
    folder: Path,
    scenario: Scenario | None,
    *,
    points: int | None,
    seed: int,
    workers: int,
    plugins: bool,
    commands: bool,
    tell: Tell,
    left: TimeLeft,
) -> Verification:
    """See `semlink.verify`; without `scenario` the one that the manifest holds, without `points` a few of each."""
    kept = look_over(folder)
    said = [*_another(kept, scenario), *kept.said, *_made_by(kept)]
    refused = scenario is None and not plugins
    with plugins_refused(refused, commands=not commands), commands_allowed(commands):
        try:
            of = scenario or scenario_of_manifest(
                folder,
                kept.manifest,
                plugins=plugins,
                commands=commands,
                again="--scenario names the file of it",
                trusting="where you trust who wrote it, --allow-plugins",
                starting="--allow-commands: only if you trust it",
            )
            metrics = scored(of.metrics, of.folder)
        except SemlinkError as fault:
            return _found(kept, seed, (), kept.wrong, said, str(fault))
        channels = list(dict.fromkeys(row.channel for row in kept.rows))
        places = {grid_place(Row(*place_in_rows(of, point, channels))): point for point in grid(of)}
        rows = [n for n, row in enumerate(kept.rows) if grid_place(row) in places]
        found = {n: places[grid_place(kept.rows[n])] for n in rows}
        wrong = [*kept.wrong, *_strange(kept, found)]
        if lacking := len(set(places.values()) - set(found.values())):
            said.append(f"the scenario has {lacking} more points than {CURVES}")
        keys = _keys(of, kept, list(places.values()))
        chosen = [rows[n] for n in drawn([found[n].scheme for n in rows], points, seed)]
        names = [str(clip.get("name")) for clip in kept.manifest.get("clips") or ()]
        again = computed(of, [found[n] for n in chosen], workers, tell, left, names)
        judge = _Judge(of, kept, again, keys)
        checked = tuple(judge.checked(n, found[n], metrics) for n in chosen)
        said += judge.said(found)
    return _found(kept, seed, checked, wrong, said)


def _found(
    kept: Kept, seed: int, checked: tuple[Checked, ...], wrong: Sequence[str], said: Sequence[str], cannot: str = ""
) -> Verification:
    rows = len(kept.rows)
    return Verification(kept.folder, rows, seed, checked, tuple(wrong), tuple(said), cannot, kept.missing, kept.alone)


def _another(kept: Kept, scenario: Scenario | None) -> list[str]:
    """What a scenario that was given has otherwise than that of the manifest, but for where the clips are."""
    theirs = kept.manifest.get("scenario")
    if scenario is None or not isinstance(theirs, Mapping):
        return []
    ours = scenario.model_dump(mode="json")
    both = [{name: one[name] for name in ours if name in theirs} for one in (ours, theirs)]
    for one in both:
        if isinstance(source := one.get("source"), Mapping):
            one["source"] = {name: value for name, value in source.items() if name != "path"}
    apart = list(scenarios_apart(*both))
    return [f"the scenario given is another than theirs: {'; '.join(apart)}"] if apart else []


def _strange(kept: Kept, found: Mapping[int, GridPoint]) -> list[str]:
    """Rows of points that the scenario does not have."""
    rows = [row for n, row in enumerate(kept.rows) if n not in found]
    more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
    return [f"{CURVES}: {place_in_words(rows[0])}: the scenario has no such point{more}"] if rows else []


def _keys(scenario: Scenario, kept: Kept, points: Sequence[GridPoint]) -> dict[GridPoint, str]:
    """Keys as they follow from the scenario, their clips' digest, and the code and the weights here."""
    digest = str(kept.manifest.get("clips_digest"))
    found: dict[GridPoint, str] = {}
    for ends in dict.fromkeys((p.scheme, p.channel) for p in points):
        members = [p for p in points if (p.scheme, p.channel) == ends]
        with suppress(SemlinkError):  # weights that are not here
            found |= point_keys(scenario, members, digest, scenario.folder, lambda p: (), lambda *loc: nullcontext())
    return found


def _made_by(kept: Kept) -> list[str]:
    """Versions that made the folder, beside those here."""
    manifest, others = kept.manifest, _other_packages(kept.manifest)
    theirs, ours = (
        f"semlink {version or 'of an unknown version'}" + (f", commit {str(found)[:7]}" if found else "")
        for version, found in ((manifest.get("version"), manifest.get("commit")), (__version__, commit()))
    )
    lines = [f"made by {theirs}; here is {ours}" if theirs != ours else f"made by {theirs}, as here"]
    return [*lines, *([f"packages: {'; '.join(others)}"] if others else [])]


def _same_commit(manifest: Json) -> bool:
    return (manifest.get("version"), manifest.get("commit")) == (__version__, commit())


def _other_packages(manifest: Json) -> list[str]:
    """Packages of theirs that are of another version here."""
    here, theirs = packages(), dict(manifest.get("packages") or {})
    return [
        f"{name} {told} there, {here.get(name, 'none')} here" for name, told in theirs.items() if here.get(name) != told
    ]


@dataclass(frozen=True, slots=True)
class _Judge:
    """Their points beside ours."""

    scenario: Scenario
    kept: Kept
    again: Again
    keys: Mapping[GridPoint, str]

    def checked(self, number: int, point: GridPoint, metrics: Sequence) -> Checked:
        """What is to be said of a row of theirs."""
        row, (key, record) = self.kept.rows[number], self.kept.behind[number]
        place = place_in_words(row)
        if point not in self.again.records:
            return Checked(place, key, CANNOT, why=self.again.faults.get(point, "nobody says why"))
        ours = self.again.records[point]
        trials = self.scenario.trials
        same_code = not _other_packages(self.kept.manifest)
        known = {
            "adaptive": trials.min < trials.max,
            "same_code": same_code,
            "exact": same_code and _same_commit(self.kept.manifest),
        }
        own, told = from_json(ours["row"]), from_json(record["row"]) if record else row
        found = differences(told, record, own, ours, metrics, **known)
        more = ((OF_POINT,) if unlike(row, told) else ()) if record else (ROW_ALONE,)
        said = (*remarks(told, own), *more)
        if all(one.holds for one in found):
            return Checked(place, key, HOLDS if found else SAME, found, remarks=said)
        excuse = self._excuse(point, key, record, ours)
        return Checked(place, key, CANNOT if excuse else DIFFERS, found, excuse, said)

    def _excuse(self, point: GridPoint, key: str, record: Json, ours: Json) -> str:
        """What of ours is another than theirs, so that numbers may be others; '' for nothing."""
        theirs, here = record.get("revisions"), ours["revisions"]
        if isinstance(theirs, Mapping) and theirs != here:
            told = [
                f"{place} {theirs.get(place, 'none')} there, {n} here"
                for place, n in here.items()
                if theirs.get(place) != n
            ]
            return f"this version computes it otherwise: revision of {'; '.join(told) or 'other blocks'}"
        if self._has_other_clips() and dict(self.scenario.source).get("path"):
            return "the clips here have other pixels than theirs"
        if key and not self._follows(point, key) and _weights(self.scenario, point):
            return (
                "its key does not follow from the weights here: theirs are others, or it is the key of something else"
            )
        return ""

    def _has_other_clips(self) -> bool:
        digest = self.kept.manifest.get("clips_digest")
        return bool(self.again.digest and digest and digest != self.again.digest)

    def _follows(self, point: GridPoint, key: str) -> bool:
        return key in (self.keys.get(point), self.again.keys.get(point))

    def said(self, found: Mapping[int, GridPoint]) -> list[str]:
        """How many keys follow, and whether the clips are theirs."""
        told = [(self.kept.behind[n][0], point) for n, point in found.items() if self.kept.behind[n][0]]
        known = [(key, p) for key, p in told if p in self.keys or p in self.again.keys]
        follow = sum(self._follows(p, key) for key, p in known)
        lines = []
        if known:
            rest = "" if follow == len(known) else "; the others are of other options, weights, blocks or clips"
            what = "the scenario, the clips that it names and the code here"
            lines.append(f"{follow} of {len(known)} keys follow from {what}{rest}")
        if self._has_other_clips():
            lines.append("the clips here have another digest than those that the manifest names")
        return lines


def _weights(scenario: Scenario, point: GridPoint) -> bool:
    named = (dict(spec).get("weights") for _, spec in specs_inside(specs_of(scenario, point)))
    return any(name not in (None, RANDOM) for name in named)
