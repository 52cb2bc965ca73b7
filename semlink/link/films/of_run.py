"""The films that belong to the points of a finished run."""

from __future__ import annotations

import math

from semlink.caching import digest_of
from semlink.link.films.film import Film
from semlink.link.films.store import Films
from semlink.link.results.finished import FinishedPoint, FinishedRun

__all__ = ["film_at", "key_at", "scored_db"]

SAME_DB = 0.01
"""A film is of another point if its PSNR differs by more from what was scored."""
SHORT = 24


def key_at(run: FinishedRun, number: int) -> str:
    """What the files of a point are called: its key, or, where the manifest does not say it, a digest of its place."""
    keys = run.manifest.get("keys") or ()
    if len(keys) == len(run.points):
        return str(keys[number])
    row = run.points[number].row
    return digest_of(row.scheme, row.channel, row.snr_db, row.budget, row.rate)[:SHORT]


def film_at(run: FinishedRun, number: int) -> Film | None:
    """The film of a point, None where there is none that shows what was scored."""
    film, scored = Films(run.folder).read(key_at(run, number)), scored_db(run.points[number])
    if film is None or film.of_source or scored is None:
        return None
    told = film.psnr_db if film.scored_db is None else film.scored_db
    return film if math.isclose(told, scored, abs_tol=SAME_DB) else None


def scored_db(point: FinishedPoint) -> float | None:
    """PSNR of the first clip in the first trial; None where nothing was sent."""
    values = list(point.clips[0].get("psnr_db", ())) if point.clips else []
    return float(values[0]) if values else None
