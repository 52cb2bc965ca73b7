"""Rows and clips of a finished run as plain records and arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from semlink.errors import ScenarioError
from semlink.files import Json, JsonDict
from semlink.link.results.finished import FinishedPoint, FinishedRun
from semlink.link.results.rows import Row, own_columns
from semlink.link.sweep.grid import in_rows

Place = tuple[str, str, float | None, float | None, float | None]
"""Scheme, channel, SNR, budget and rate of a point."""

__all__ = [
    "PLACE",
    "clip_columns",
    "clips_of",
    "matches",
    "per_trial",
    "place_of",
    "rows_as_records",
    "the_one",
]

PLACE = ("scheme", "channel", "snr_db", "budget", "rate")
"""What names a point."""


def rows_as_records(run: FinishedRun) -> list[JsonDict]:
    """A dict for each row: the columns of `curves.csv` in their order, then those of users' metrics."""
    extras = list(dict.fromkeys(name for row in run.rows for name in row.extra))
    return [own_columns(row) | {name: row.extra.get(name) for name in extras} for row in run.rows]


def clip_columns(run: FinishedRun) -> dict[str, np.ndarray]:
    """Equally long arrays, an entry for each point, clip and trial."""
    columns = [metric.column for metric in run.metrics]
    names = (*PLACE, "clip", "motion", "trial", "channel_uses", *columns)
    gathered: dict[str, list] = {name: [] for name in names}
    for point in run.points:
        place = dict(zip(PLACE, place_of(point.row)))
        for clip in point.clips:
            for trial in range(len(clip[run.metrics[0].column])):
                numbers = {name: _at(clip, name, trial) for name in ("channel_uses", *columns)}
                entry = place | numbers | {"clip": clip["name"], "motion": clip["motion"], "trial": trial}
                for name in names:
                    gathered[name].append(entry[name])
    return {name: _array(name, values) for name, values in gathered.items()}


def place_of(row: Row) -> Place:
    """Scheme, channel, SNR, budget and rate of a row."""
    return row.scheme, row.channel, in_rows(row.snr_db), in_rows(row.budget), in_rows(row.rate)


def clips_of(run: FinishedRun) -> tuple[str, ...]:
    """Names of the clips, in the order of the source."""
    return tuple(clip["name"] for clip in next((p.clips for p in run.points if p.clips), ()))


def per_trial(run: FinishedRun, column: str, scheme: str | None, place: Json) -> np.ndarray:
    """A quality at one point: (clip, trial).

    Raises:
        ScenarioError: no single point, or nothing was sent there.
    """
    wanted = {"scheme": scheme, **place}
    points = {place_of(p.row): p for p in run.points}
    point: FinishedPoint = points[the_one(points, wanted)]
    if not point.clips:
        raise ScenarioError(f"nothing was sent at this point: {point.row.note or 'it has no record of its clips'}")
    return np.array([clip[column] for clip in point.clips], float)


def the_one(places: Iterable[Place], wanted: Json) -> Place:
    """The only place (scheme, channel, SNR, budget, rate) that has all that is `wanted`.

    Raises:
        ScenarioError: an unknown name, none, or several; says what there is.
    """
    unknown = [name for name in wanted if name not in PLACE]
    if unknown:
        raise ScenarioError(f"a point has no {unknown[0]!r}; it is named by {', '.join(PLACE)}")
    places = list(places)
    found = [place for place in places if matches(place, wanted)]
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"{name}={value!r}" for name, value in wanted.items() if value is not None) or "nothing asked for"
    among = found or places
    rest = {name: list(dict.fromkeys(place[number] for place in among)) for number, name in enumerate(PLACE)}
    told = "; ".join(f"{name}: {_listed(values)}" for name, values in rest.items() if len(values) > 1 or not found)
    raise ScenarioError(f"{f'{len(found)} points' if found else 'no point'} for {asked}; {told}")


def matches(place: Place, wanted: Json) -> bool:
    """Whether a place has all that is wanted; None is wanted by nobody, numbers may differ by rounding."""
    for name, has in zip(PLACE, place):
        want = wanted.get(name)
        if want is None or want == has:
            continue
        if isinstance(want, str) or isinstance(has, str) or has is None or not math.isclose(want, has, rel_tol=1e-7):
            return False
    return True


def _at(clip: Json, name: str, trial: int) -> float:
    values = clip.get(name)
    if not values:
        return math.nan
    found = values[min(trial, len(values) - 1)]
    return math.nan if found is None else float(found)


def _array(name: str, values: list) -> np.ndarray:
    if name in ("scheme", "channel", "clip", "motion"):
        return np.array(values, dtype=object)
    if name == "trial":
        return np.array(values, dtype=int)
    return np.array([math.nan if value is None else value for value in values], float)


def _listed(values: Iterable[object]) -> str:
    return ", ".join("none" if value is None else repr(value) for value in values)
