"""Video side by side: the first clip of each point as it was received, in step, with errors and maps over it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from semlink.files import Json, JsonDict
from semlink.link.films.film import ERROR_STEP_DB, Coded, Film
from semlink.link.films.of_run import film_at, key_at, scored_db
from semlink.link.films.store import Films
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.results.finished import FinishedPoint
from semlink.link.results.media.reception import LOST, Receptions

__all__ = ["section"]

REST_OF_PAGE_MB = 7.0
"""What scripts, curves and tables take."""
DRIFT_DB = 0.05
"""A clip that was sent again and arrives with so much another PSNR is named."""
MOST_NAMED = 8
TITLE, STILLS = "Video side by side", "Pictures side by side"


def section(runs: Sequence[NamedRun], options: PageOptions) -> Section | None:
    """The films that the folders keep, as many as fit."""
    if not options.video:
        return None
    sent = [(run, n, key, p) for run in runs for n, (key, p) in enumerate(run.points()) if scored_db(p) is not None]
    if not sent:
        return None
    kept, lacking, left = {}, [], 0
    sources: dict[str, JsonDict] = {}
    room = 1e6 * (options.max_mb - REST_OF_PAGE_MB)
    for run, number, key, point in _in_order_of_need(sent):
        film = film_at(run.run, number)
        if film is None:
            lacking.append(run)
            continue
        found = _entry(run, number, point, film) | {"source": f"{run.place}.{film.source}"}
        first = {} if found["source"] in sources else _source(run, film)
        size = sum(len(text) for entry in (found, first) for text in _texts(entry))
        if size > room:
            left += 1
            continue
        room -= size
        kept[key] = found
        if first:
            sources[found["source"]] = first
    still = bool(kept) and all(found["shape"][0] + found["left_out"] == 1 for found in kept.values())
    data = {"films": kept, "sources": sources, "step_db": ERROR_STEP_DB, "still": still} if kept else None
    words = _words(sent, kept, lacking, left, options) | {"still": still}
    return Section("video", STILLS if still else TITLE, data, words)


Sent = tuple[NamedRun, int, str, FinishedPoint]


def _in_order_of_need(sent: Sequence[Sent]) -> list[Sent]:
    """The middle points of all schemes first, then outwards, so that schemes can be compared if some are left out."""
    places: dict[tuple[int, str], list[Sent]] = {}
    for entry in sent:
        places.setdefault((entry[0].place, entry[3].row.scheme), []).append(entry)
    ranked = [
        (abs(rank - len(group) // 2), order, entry)
        for order, group in enumerate(places.values())
        for rank, entry in enumerate(group)
    ]
    return [entry for _, _, entry in sorted(ranked, key=lambda found: found[:2])]


def _entry(run: NamedRun, number: int, point: FinishedPoint, film: Film) -> JsonDict:
    """A film as the script reads it."""
    return _stream(film.coded, film.planes) | {
        "clip": film.clip,
        "left_out": film.left_out,
        "copy_db": film.coded.copy_db,
        "psnr_db": film.psnr_db,
        "scored_db": film.scored_db,
        "psnr": film.psnr,
        "ssim": film.ssim,
        "errors": None if film.errors is None else b64encode(film.errors.tobytes()).decode(),
        "cells": None if film.errors is None else film.errors.shape[1:],
        "block": film.block,
        "counts": None if film.counts is None else film.counts.tolist(),
        "uses": None if film.uses is None else np.round(film.uses, 2).tolist(),
        **_losses(run, number, point, film),
    }


def _losses(run: NamedRun, number: int, point: FinishedPoint, film: Film) -> JsonDict:
    """Blocks and lost ones, where on the air they were, and which frames they hit where a burst is some frames."""
    seen = Receptions(run.run.folder).read(key_at(run.run, number))
    told = {"blocks": film.blocks, "lost": film.lost, "where": [], "hit": []}
    if seen is None or not seen.symbols or not len(seen.blocks) or seen.clip != film.clip:
        return told
    told["where"] = [
        [round(float(at) / seen.symbols, 5), round(float(end) / seen.symbols, 5), int(fate)]
        for (at, end), fate in zip(seen.blocks, seen.fates, strict=True)
    ]
    group, frames = int(point.record.get("group_frames") or 0), film.coded.shape[0] + film.left_out
    if group and len(seen.bursts) > 1 and len(seen.bursts) == -(-frames // group):
        bursts = np.searchsorted(seen.bursts, seen.blocks[seen.fates == LOST, 0], side="right") - 1
        hit = {n for burst in bursts for n in range(group * int(burst), group * (int(burst) + 1))}
        told["hit"] = sorted(n for n in hit if n < film.coded.shape[0])
    return told


def _source(run: NamedRun, film: Film) -> JsonDict:
    source = Films(run.run.folder).read(film.source)
    if source is None or source.coded.shape != film.coded.shape:
        return {}
    return _stream(source.coded, source.planes) | {"clip": source.clip, "copy_db": source.coded.copy_db}


def _stream(coded: Coded, planes: int) -> JsonDict:
    return {
        "mp4": b64encode(coded.mp4).decode(),
        "codec": coded.codec,
        "description": b64encode(coded.description).decode(),
        "samples": coded.samples,
        "keys": coded.keys,
        "shape": coded.shape,
        "planes": planes,
    }


def _texts(entry: Json) -> Iterator[str]:
    return (text for text in entry.values() if isinstance(text, str))


def _words(
    sent: Sequence[Sent],
    kept: Mapping[str, Json],
    lacking: Sequence[NamedRun],
    left: int,
    options: PageOptions,
) -> JsonDict:
    """What is said of the films."""
    copies = [found["copy_db"] for found in kept.values() if found["copy_db"] is not None]
    drifts = [
        (run.scheme(point.row.scheme), kept[key]["psnr_db"], kept[key]["scored_db"])
        for run, _, key, point in sent
        if key in kept and kept[key]["scored_db"] is not None
    ]
    far = [drift for drift in drifts if abs(drift[1] - drift[2]) > DRIFT_DB]
    folders = dict.fromkeys(str(run.run.folder) for run in lacking)
    return {
        "points": len(sent),
        "kept": len(kept),
        "lacking": len(lacking),
        "folders": list(folders),
        "left": left,
        "max_mb": f"{options.max_mb:g}",
        "unsent": list(options.unsent),
        "copies": " to ".join(dict.fromkeys(f"{found:.1f}" for found in (min(copies), max(copies)))) if copies else "",
        "left_out": max((found["left_out"] for found in kept.values()), default=0),
        "drifts": len(drifts),
        "far": far[:MOST_NAMED],
        "clips": list(dict.fromkeys(found["clip"] for found in kept.values())),
        "trial": f"trial {options.single}" if options.single else "first trial",
    }
