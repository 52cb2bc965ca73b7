"""Quality over time, drawn where clips are coded in several groups of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.files import Json
from semlink.link.metrics.registry import PSNR
from semlink.link.plots.curves import MAX_PANELS, Curve, Panel, Sheet
from semlink.link.results.finished import FinishedRun
from semlink.link.results.labels import SNR_NAME, schemes_of

__all__ = ["time_sheet"]

ONE = "psnr_of_first_trial"
MEAN = "psnr_by_frame"


def time_sheet(run: FinishedRun) -> Sheet | None:
    """PSNR over frames at the middle SNR and budget of each channel; None where no clip has several groups.

    On the left the mean over clips and trials, on the right one transmission:
    the first clip in the first trial, where all schemes met the same channel.
    """
    rows = run.rows
    records = [r for r in run.records if r["clips"] and r["snr_db"] is not None and MEAN in r["clips"][0]]
    grouped = [r for r in records if r.get("group_frames", np.inf) < len(r["clips"][0][MEAN])]
    if not grouped:
        return None
    schemes = schemes_of(rows)
    panels = []
    for channel in dict.fromkeys(row.channel for row in rows):
        here = _middle([r for r in records if r["channel"] == channel])
        if here:
            where = [channel] if len({row.channel for row in rows}) > 1 else []
            where += [f"{SNR_NAME}\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{here[0]['snr_db']:g}\N{NO-BREAK SPACE}dB"]
            for kind, what in ((MEAN, "mean"), (ONE, "one transmission")):
                panels.append(Panel(", ".join([*where, what]), tuple(_curve(r, kind, schemes) for r in here)))
    lengths = ", ".join(map(str, sorted({r["group_frames"] for r in grouped})))
    note = f"Clips in groups of {lengths} frames; one transmission: first clip, first trial."
    return Sheet("psnr_over_time", tuple(panels[:MAX_PANELS]), "frame", PSNR.label, (note,), schemes=schemes)


def _middle(records: Sequence[Json]) -> list[Json]:
    """One record for each scheme: at the middle SNR, there at the middle budget or rate."""
    snrs = sorted({r["snr_db"] for r in records})
    chosen = []
    for scheme in dict.fromkeys(r["scheme"] for r in records):
        own = [r for r in records if r["scheme"] == scheme and r["snr_db"] == snrs[len(snrs) // 2]]
        own.sort(key=lambda r: (r["budget"] or 0.0, r["rate"] or 0.0))
        chosen += own[len(own) // 2 :][:1]
    return chosen


def _curve(record: Json, kind: str, schemes: Sequence[str]) -> Curve:
    clips = record["clips"][:1] if kind == ONE else record["clips"]
    values = np.mean([clip[kind] for clip in clips], axis=0)
    return Curve(
        label=record["scheme"],
        order=schemes.index(record["scheme"]),
        x=tuple(float(frame) for frame in range(len(values))),
        y=tuple(float(v) for v in values),
        half=(float("nan"),) * len(values),
        bound=bool(record["bound"]),
        genie=", ".join(record["genie"]),
    )
