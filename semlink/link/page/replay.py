"""One transmission as a page: its stages in order, how it was received, its frames, and what each stage cost."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from semlink.files import Json, JsonDict, write_atomic
from semlink.link.films.make import film_of, source_film
from semlink.link.films.store import Films
from semlink.link.metrics.registry import PSNR
from semlink.link.page.page import put_together
from semlink.link.page.parts import NamedRun, PageOptions, Section
from semlink.link.page.sections import reception, video
from semlink.link.page.summary import Words
from semlink.link.report.replay import Replay, block_words, stages, verdict
from semlink.link.results.finished import FinishedRun
from semlink.link.results.media.reception import Receptions

__all__ = ["replay_page", "write_replay"]

KEY, SOURCE = "replay", "source-of-replay"
NO_ERROR_DB = 99.0


def write_replay(told: Replay, run: FinishedRun, path: Path) -> Path:
    """Write the page of a replay.

    Raises:
        ResultsError: the file cannot be written.
    """
    write_atomic(path, replay_page(told, run).encode(errors="backslashreplace"))
    return path


def replay_page(told: Replay, run: FinishedRun) -> str:
    """The page as HTML.

    Args:
        run: that the transmission is of.
    """
    with tempfile.TemporaryDirectory(prefix="semlink-replay-") as room:
        alone = _alone(told, run, Path(room))
        runs = (NamedRun(run.folder.resolve().name, alone),)
        options = PageOptions(PSNR, single=told.trial)
        parts = [
            _stages(told),
            *filter(None, (reception.section(runs, options), _block(told), video.section(runs, options))),
            _blame(told),
        ]
        return put_together(_head(told, run), runs, options, parts)


def _alone(told: Replay, run: FinishedRun, room: Path) -> FinishedRun:
    """The transmission as a run of its own, whose pictures lie in `room`."""
    assert told.point is not None and told.pixels is not None
    point, (source, received) = told.point, told.pixels
    (room / "pictures").mkdir()
    if told.reception is not None:
        Receptions(room).write(KEY, told.reception)
    film = film_of(
        told.clip,
        source,
        received,
        told.planes,
        source=SOURCE,
        scored_db=told.quality["psnr_db"],
        by_frame={"psnr": told.by_frame.tolist()},
        measured=True,
    )
    shown = source_film(told.clip, source, told.planes)
    if film is not None and shown is not None:
        seen = told.reception
        Films(room).write(SOURCE, shown)
        Films(room).write(KEY, film if seen is None else replace(film, blocks=seen.told, lost=seen.lost))
    clip = {"name": told.clip, "psnr_db": [told.quality["psnr_db"]]}
    record = {"clips": [clip], "group_frames": point.record.get("group_frames", 1)}
    manifest = {**run.manifest, "keys": [KEY]}
    alone = replace(point, key=KEY, record=record)
    return FinishedRun(room, (alone,), run.metrics, manifest, bounds=run.bounds)


def _head(told: Replay, run: FinishedRun) -> Json:
    manifest = run.manifest
    made = [f"semlink {manifest['version']}"] if manifest.get("version") else []
    made += [f"commit {str(manifest['commit'])[:10]}"] if manifest.get("commit") else []
    return {
        "title": f"Replay: {told.place}",
        "words": [f"Clip {told.clip}, trial {told.trial}, of {run.folder}: sent once more with the noise that it met."],
        "made_of": [("", f"The run was made by {', '.join(made)}")] if made else [],
        "summary": [[Words(line)] for line in verdict(told)],
        "cautions": [],
        "alone": True,
        "single": True,
    }


def _stages(told: Replay) -> Section:
    return Section("stages", "Stage by stage", context={"stages": list(stages(told))})


def _block(told: Replay) -> Section | None:
    """The block that was asked for; None without."""
    if told.block is None:
        return None
    airs = [
        {
            "title": f"LLRs of block {told.block.number} in burst {air.burst}",
            "reach": float(air.llrs.edges[-1]),
            "zeros": air.llrs.zeros.tolist(),
            "ones": air.llrs.ones.tolist(),
        }
        for air in told.block.airs
        if air.llrs is not None and air.llrs.bits
    ]
    data = {"airs": airs, "moved": [round(float(by), 3) for by in told.block.moved], "lost": bool(told.block.lost)}
    return Section("block", f"Block {told.block.number}", data, {"words": list(block_words(told))})


def _blame(told: Replay) -> Section:
    """Bars of the PSNR with one stage made ideal at a time; frames without any error fill the width."""
    was = told.quality["psnr_db"]
    levels = [("as it was", was, ""), *((one.stage, one.psnr_db, one.why) for one in told.blame)]
    known = [level for _, level, _ in levels if level is not None]
    seen = max([level for level in known if level < NO_ERROR_DB], default=1.0)
    most = max(1.1 * seen if max(known) >= NO_ERROR_DB else seen, 1.0)
    bars: list[JsonDict] = [
        {
            "stage": stage,
            "level": "" if level is None else f"{level:.2f} dB",
            "by": "" if level is None or not n else f"{level - was:+.2f} dB",
            "why": why,
            "width": 0.0 if level is None else round(min(100 * max(level, 0) / most, 100), 2),
        }
        for n, (stage, level, why) in enumerate(levels)
    ]
    return Section("blame", "What each stage cost", context={"bars": bars})
