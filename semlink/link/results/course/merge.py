"""Results folders of one scenario joined: their points, pictures, and the table of all.

What is joined must be of one scenario: folders agree on the keys of all its points. Nothing is written before every
folder has been looked at. The order of the folders changes no byte of `curves.csv`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from semlink.errors import ResultsError
from semlink.files import Json, JsonDict, json_in, reason_of, write_atomic
from semlink.link.results.checked.records import checked_manifest, sealed
from semlink.link.results.course.notes import Notes
from semlink.link.results.folder import Results
from semlink.link.results.lock import LOCK, alone_in, is_held
from semlink.link.results.points import differ, made_by
from semlink.link.results.rows import refuse_no_folder

__all__ = ["Merged", "merged", "scenarios_apart"]

OF_WORK = ("version", "commit", "device", "workers", "wall_s", "shard")
"""What a manifest tells of the work that made the points of a folder."""
OF_SCENARIO = ("scenario", "grid", "points_planned", "shown", "clips_digest", "clips", "warnings", "shard")
"""What the plan of a run says later than a manifest, which is written at its end."""
PICTURES = ("npz", "film", "reception.npz")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a folder holds after others were joined in it.

    Attributes:
        points: that are there.
        missing: names of the points of the scenario that are in none.
        warnings: what one should know of the folders, a line each.
    """

    folder: Path
    points: int
    missing: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the folders, with what its run was of."""

    folder: Path
    about: Json

    @property
    def results(self) -> Results:
        return Results(self.folder)

    @property
    def grid(self) -> tuple[str, ...]:
        return tuple(self.about.get("grid") or self.about["keys"])

    @property
    def names(self) -> Mapping[str, str]:
        """What points are called, by their keys, where the folder says so."""
        planned = self.about.get("points_planned") or ()
        return {key: point["name"] for key, point in zip(self.grid, planned)}

    @property
    def origin(self) -> list[JsonDict]:
        """What made its points; of one that was joined before, what made theirs."""
        before = self.about.get("merged_from")
        own = {name: self.about[name] for name in OF_WORK if self.about.get(name) is not None}
        return [dict(one) for one in before] if before else [{"folder": self.folder.resolve().name, **own}]


def merged(out: Path, folders: Sequence[Path], say: Callable[[str], None] = lambda line: None) -> Merged:
    """Join results folders in `out`, which may be one of them, or hold points already.

    Raises:
        ResultsError: a folder holds no points, or points of another scenario or version, or a damaged one; or two hold
            the same point with different numbers. Nothing is written then.
    """
    for folder in folders:
        refuse_no_folder(folder)
    if out.exists():
        refuse_no_folder(out)
    with alone_in(out, fresh=False, say=say):
        there = {folder.resolve(): folder for folder in (*folders, out) if folder != out or _holds_points(out)}
        parts = [_part(folder) for folder in there.values()]
        if not any(_holds_points(part.folder) for part in parts):
            raise ResultsError(f"{', '.join(map(str, folders))}: no point is finished in any")
        for part in parts:
            _refuse_another(part, parts[0])
        lines: dict[str, str] = {}
        homes: dict[str, Path] = {}
        for part in sorted(parts, key=lambda part: str(part.folder.resolve())):
            _refuse_strangers(part)
            _take(part, lines, homes)
        return _write(out, parts, lines, homes)


def _holds_points(folder: Path) -> bool:
    return any((folder / "points").glob("[!.]*.json*"))


def _part(folder: Path) -> _Part:
    plan, manifest = Notes(folder).plan() or {}, _manifest(folder)
    if not plan and not _holds_points(folder):
        raise ResultsError(f"{folder}: holds no points of a run")
    about = {**plan, **manifest, **{name: plan[name] for name in OF_SCENARIO if name in plan}}
    if not about.get("grid") and not about.get("keys"):
        raise ResultsError(f"{folder}: does not say which points its scenario has; semlink run writes that anew")
    return _Part(folder, about)


def _manifest(folder: Path) -> JsonDict:
    try:
        return checked_manifest(json_in((folder / "manifest.json").read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise ResultsError(f"{folder / 'manifest.json'}: cannot be read ({reason_of(fault)})") from fault


def _refuse_another(part: _Part, first: _Part) -> None:
    """Refuse a folder whose scenario has other points.

    Raises:
        ResultsError: names the folder, a point, and what differs.
    """
    if part.grid == first.grid:
        return
    why, here = _difference(first.about, part.about), set(first.grid)
    other = [key for key in part.grid if key not in here]
    if not other:
        raise ResultsError(f"{part.folder}: has other points, or in another order, than {first.folder}: {why}")
    raise ResultsError(
        f"{part.folder}: {len(other)} of its {len(part.grid)} points are of another scenario or version than "
        f"{first.folder}, such as {_called(part, other[0])}: {why}"
    )


def _difference(first: Json, other: Json) -> str:
    """Why two runs have other points, in words."""
    a, b = dict(first.get("scenario") or {}), dict(other.get("scenario") or {})
    if apart := next(scenarios_apart(a, b), ""):
        return apart
    if first.get("clips_digest") != other.get("clips_digest"):
        return "their clips differ"
    return f"code or files of the same names differ ({_version(other)} there, {_version(first)} here)"


def scenarios_apart(here: Json, there: Json) -> Iterator[str]:
    """What two scenarios have otherwise, what names them first."""
    for name in dict.fromkeys(("name", "seed", "source", *here, *there)):
        if here.get(name) != there.get(name):
            yield f"{name} is {_short(there.get(name))} there and {_short(here.get(name))} here"


def _version(about: Json) -> str:
    return made_by({"versions": {"semlink": about.get("version"), "commit": about.get("commit")}})


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _called(part: _Part, key: str) -> str:
    """A point in words, with its key."""
    name = part.names.get(key)
    if name is None:
        record = part.results.read(key)
        row = {} if record is None else record["row"]
        told = [row.get("scheme"), row.get("snr_db") and f"{row['snr_db']:g} dB", row.get("budget") or row.get("rate")]
        name = ", ".join(str(word) for word in told if word)
    return f"{name} ({key})" if name else key


def _refuse_strangers(part: _Part) -> None:
    """Refuse a folder that holds points of other runs beside its own, or one of its own twice."""
    store = part.results.points
    strangers = store.strangers(part.grid)
    if strangers:
        key = min(set(store.keys()) - set(part.grid))
        raise ResultsError(f"{strangers}; such as {_called(part, key)}; move them away, and merge again")
    twice = store.contradictions()
    if twice:
        raise ResultsError(f"{store.told_twice(twice)}; semlink run there sets them aside and computes them again")


def _take(part: _Part, lines: dict[str, str], homes: dict[str, Path]) -> None:
    """Add the points of a folder to those of others.

    Args:
        lines: of a pack, by key.
        homes: the folder that each was taken from.
    Raises:
        ResultsError: one is there already with different numbers.
    """
    for key, record in zip(part.grid, part.results.points.records(part.grid), strict=True):
        if record is None:
            continue
        line = json.dumps({"key": key, "record": sealed(key, record)})
        if key not in lines:
            lines[key], homes[key] = line, part.folder
            continue
        before = json.loads(lines[key])["record"]
        if differ([before, record]):
            a, b = before["row"].get("psnr_db"), record["row"].get("psnr_db")
            raise ResultsError(
                f"{part.folder}: point {_called(part, key)} has other numbers than in {homes[key]} ({b} and {a} dB, by "
                f"{made_by(record)} and {made_by(before)}); nothing tells which are right: take one of the folders away"
            )
        newer = (-record.get("intervals", 0), line) < (-before.get("intervals", 0), lines[key])
        if newer:
            lines[key], homes[key] = line, part.folder


def _write(out: Path, parts: Sequence[_Part], lines: Mapping[str, str], homes: Mapping[str, Path]) -> Merged:
    """Points first, then what is drawn, then the table: whoever is killed meanwhile merges again."""
    grid, results = parts[0].grid, Results(out)
    results.prepare(fresh=False)
    results.points.replace(lines)
    _copy_pictures(out, parts, homes)
    keys = [key for key in grid if key in lines]
    results.write_curves(keys)
    results.write_manifest(_joined(out, parts, keys))
    names = {key: name for part in parts for key, name in part.names.items()}
    missing = tuple(names.get(key, key) for key in grid if key not in lines)
    _note(out, parts)
    at_work = [p.folder for p in parts if p.folder.resolve() != out.resolve() and is_held(p.folder / LOCK)]
    said = tuple(f"{folder}: a run is at work there; merge again when it has ended" for folder in at_work)
    return Merged(out, len(keys), missing, said)


def _joined(out: Path, parts: Sequence[_Part], keys: Sequence[str]) -> JsonDict:
    """The manifest of all, which no order of the folders changes."""
    ordered = sorted(parts, key=lambda part: json.dumps(part.origin, sort_keys=True))
    about, grid = dict(ordered[0].about), ordered[0].grid
    for name in ("shard", "mine", "points_planned", "grid"):
        about.pop(name, None)
    origins = {json.dumps(one, sort_keys=True): one for part in ordered for one in part.origin}
    warnings = dict.fromkeys(w for part in ordered for w in part.about.get("warnings") or ())
    folder = ordered[0].about.get("scenario_folder")
    if folder is not None:
        about["scenario_folder"] = os.path.relpath((ordered[0].folder / folder).resolve(), out.resolve())
    found = set(keys)
    shown = [key for key in grid if key in found and any(key in (p.about.get("shown") or ()) for p in parts)]
    return {
        **about,
        "points": len(keys),
        "points_computed_in_this_run": len(keys),
        "wall_s": round(sum(float(one.get("wall_s") or 0.0) for one in origins.values()), 1),
        "keys": list(keys),
        **({} if len(keys) == len(grid) else {"grid": list(grid)}),
        "shown": shown,
        "warnings": list(warnings),
        "merged_from": [origins[text] for text in sorted(origins)],
    }


def _note(out: Path, parts: Sequence[_Part]) -> None:
    """Keep what the points are called and how long they took, for `semlink status`."""
    notes = Notes(out)
    plan = next((part.about for part in parts if part.about.get("points_planned")), None)
    if plan is not None:
        notes.write_plan({k: v for k, v in plan.items() if k not in ("merged_from", "mine", "shard")})
    times = {key: seconds for part in parts for key, seconds in Notes(part.folder).times().items()}
    if times:
        text = "".join(f"{key} {seconds:.3f}\n" for key, seconds in sorted(times.items()))
        write_atomic(notes.folder / "took-before.txt", text.encode(), durable=False)


def _copy_pictures(out: Path, parts: Sequence[_Part], homes: Mapping[str, Path]) -> None:
    """Pictures, receptions and films of the points, and the films of the source that these need."""
    for folder, name in _pictures(parts, homes):
        source, target = folder / "pictures" / name, out / "pictures" / name
        if source.is_file() and not target.exists():
            with suppress(FileNotFoundError):
                write_atomic(target, source.read_bytes(), durable=False)


def _pictures(parts: Sequence[_Part], homes: Mapping[str, Path]) -> Iterator[tuple[Path, str]]:
    for key, folder in homes.items():
        yield from ((folder, f"{key}.{suffix}") for suffix in PICTURES)
    of_points = {f"{key}.film" for part in parts for key in part.grid}
    for part in parts:
        films = sorted((part.folder / "pictures").glob("[!.]*.film"))
        yield from ((part.folder, path.name) for path in films if path.name not in of_points)
