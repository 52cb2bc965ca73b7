"""Quality over time, drawn where clips are coded in several groups of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.files import Json
from semlink.link.metrics.registry import PSNR
from semlink.link.plots.curves.model import Curve, Dot, Panel, Sheet
from semlink.link.plots.curves.over_cost import snr_title
from semlink.link.plots.curves.panels import MAX_PANELS
from semlink.link.plots.curves.scene import Scene

__all__ = ["time_sheet"]

ONE = "psnr_of_first_trial"
MEAN = "psnr_by_frame"


def time_sheet(scene: Scene) -> Sheet | None:
    """PSNR over frames at the middle SNR and budget of each channel; None where no clip has several groups.

    On the left the mean over clips and trials, on the right one transmission:
    the first clip in the first trial, where all schemes met the same channel.
    """
    records = [p.record for p in scene.points if p.record]
    records = [r for r in records if r["clips"] and r["snr_db"] is not None and MEAN in r["clips"][0]]
    grouped = [r for r in records if r.get("group_frames", np.inf) < len(r["clips"][0][MEAN])]
    if not grouped:
        return None
    orders = {p.row.scheme: scene.orders[p.scheme] for p in scene.points}
    channels = list(dict.fromkeys(p.row.channel for p in scene.points))
    panels = []
    for channel in channels:
        here = _middle([r for r in records if r["channel"] == channel])
        if here:
            where = snr_title((channel, here[0]["snr_db"]), channels=len(channels))
            for kind, what in ((MEAN, "mean"), (ONE, "one transmission")):
                panels.append(Panel(f"{where}, {what}", tuple(_curve(r, kind, orders[r["scheme"]]) for r in here)))
    lengths = ", ".join(map(str, sorted({r["group_frames"] for r in grouped})))
    notes = [f"Clips in groups of {lengths} frames; one transmission: first clip, first trial."]
    if len(panels) > MAX_PANELS:
        left = ", ".join(panel.title for panel in panels[MAX_PANELS:])
        notes.append(f"{MAX_PANELS} of {len(panels)} panels are shown; left out: {left}. --channel chooses.")
    return Sheet("psnr_over_time", tuple(panels[:MAX_PANELS]), "frame", PSNR.label, tuple(notes))


def _middle(records: Sequence[Json]) -> list[Json]:
    """One record for each scheme: at the middle SNR, there at the middle budget or rate."""
    snrs = sorted({r["snr_db"] for r in records})
    chosen = []
    for scheme in dict.fromkeys(r["scheme"] for r in records):
        own = [r for r in records if r["scheme"] == scheme and r["snr_db"] == snrs[len(snrs) // 2]]
        own.sort(key=lambda r: (r["budget"] or 0.0, r["rate"] or 0.0))
        chosen += own[len(own) // 2 :][:1]
    return chosen


def _curve(record: Json, kind: str, order: int) -> Curve:
    clips = record["clips"][:1] if kind == ONE else record["clips"]
    values = np.mean([clip[kind] for clip in clips], axis=0)
    dots = tuple(Dot(float(frame), float(v)) for frame, v in enumerate(values))
    return Curve(record["scheme"], order, dots, "bound" if record["bound"] else "", ", ".join(record["genie"]))
