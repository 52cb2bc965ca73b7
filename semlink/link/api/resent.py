"""The first clip of each point sent again, and kept for the next page: for folders that keep no pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from semlink.errors import Infeasible, ResultsError
from semlink.link.api.records import place_of
from semlink.link.api.sender import SAME_DB, Sender
from semlink.link.films.of_run import film_at, key_at, scored_db
from semlink.link.films.store import Films
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import place_in_words
from semlink.link.results.media.reception import Receptions
from semlink.nn.cpu import one_thread

__all__ = ["keep_films"]

OTHER_DB = 0.5
"""A clip that arrives with so much another PSNR is not what was scored, and is not kept."""
Progress = Callable[[str, int, int], None]


def keep_films(run: FinishedRun, sender: Callable[[], Sender], progress: Progress | None = None) -> list[str]:
    """Send the first clip again at every point of a run that lacks its film; what is sent is kept at once.

    Args:
        sender: called where something is to be sent.
        progress: told a point, how many are done, and how many there are.
    Returns:
        A line for each point whose clip arrives so differently that it is not kept.
    Raises:
        ScenarioError, SourceError: the scenario or its clips are not at hand.
        ResultsError: the disk does not take it, or there is no encoder.
    """
    lacking = [n for n, point in enumerate(run.points) if scored_db(point) is not None and film_at(run, n) is None]
    said: list[str] = []
    if not lacking:
        return said
    if progress is not None:
        progress("loading clips", 0, len(lacking))
    sends = sender()
    with one_thread():
        for done, number in enumerate(lacking):
            name = place_in_words(run.points[number].row)
            if progress is not None:
                progress(name, done, len(lacking))
            line = _keep(run, number, sends)
            said += [f"{name}: {line}"] if line else []
    if progress is not None:
        progress("clips sent", len(lacking), len(lacking))
    return said


def _keep(run: FinishedRun, number: int, sender: Sender) -> str:
    """Send one point and keep it; why not, '' if it is kept."""
    point = sender.point(place_of(run.points[number].row))
    if point is None:
        return "the scenario has no such point; no video"
    try:
        again = sender.runner.again(point)
    except Infeasible as reason:
        return f"does not fit any more ({reason}); no video"
    scored = scored_db(run.points[number])
    assert scored is not None  # only such points are sent
    if again.film is None or again.source is None:
        raise ResultsError(f"{run.folder}: no video, for PyAV comes without an encoder for H.264 here")
    gap = abs(again.film.psnr_db - scored)
    if gap > OTHER_DB:
        return f"the clip now arrives with {again.film.psnr_db:.2f} dB, and was scored with {scored:.2f}; no video"
    films, key = Films(run.folder), key_at(run, number)
    if not films.has(again.film.source):
        films.write(again.film.source, again.source)
    if again.reception is not None:
        Receptions(run.folder).write(key, again.reception)
    films.write(key, again.film if gap <= SAME_DB else replace(again.film, scored_db=scored))
    return ""
