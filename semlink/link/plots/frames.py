"""`frames.png`: one frame of one clip as each scheme delivers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from semlink.link.plots.frame_panels import frames_figure
from semlink.link.results.pictures import Picture, Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 11

Panel = tuple[str, np.ndarray | None, str]


def outputs_figure(shown: Sequence[Shown]) -> Figure | None:
    """The middle frame of the first clip at the middle point of every scheme; None without a picture."""
    kept = [point for point in shown if point.picture.source is not None]
    if not kept:
        return None
    source = as_picture(*_middle(kept[0].picture, "source"))
    before = as_picture(*_middle(kept[0].picture, "source", back=1))
    motion = np.abs(source - before)
    clip = next((point.clip["name"] for point in kept if point.clip), "")
    panels: list[Panel] = [("source", source, clip), *(_panel(point) for point in kept[:MOST_PANELS])]
    return frames_figure(panels, motion=motion if motion.ndim == 2 else motion.mean(2))


def as_picture(frame: np.ndarray, planes: int) -> np.ndarray:
    """A kept frame, uint8, in [0, 1]: gray as (h, w); of three planes, one above the other, as (h, w, 3)."""
    frame = frame / 255.0
    return frame if planes == 1 else frame.reshape(planes, -1, frame.shape[1]).transpose(1, 2, 0)


def _middle(picture: Picture, name: str, *, back: int = 0) -> tuple[np.ndarray, int]:
    """The middle frame, or that `back` before it, and the planes that it has."""
    frames = picture.source if name == "source" else picture.received
    assert frames is not None
    number = max(picture.middle - back, 0)
    return frames[picture.numbers.index(number)], picture.planes


def _panel(shown: Shown) -> Panel:
    row, clip, snr_db = shown.record["row"], shown.clip, shown.record["snr_db"]
    where = "" if snr_db is None else f", {snr_db:g} dB"
    if shown.picture.received is None or clip is None:
        return shown.scheme, None, f"does not fit{where}"
    senses = row["channel_uses"] is None
    sensed = row["measurements_per_pixel"]
    cost = f"{sensed:.3g} readings a pixel" if senses else f"{clip['channel_uses'][0]:,.0f} uses"
    marks = [f"genie: {', '.join(shown.record['genie'])}"] if shown.record["genie"] else []
    marks += ["bound"] if shown.record["bound"] and not senses else []
    name = shown.scheme + (f" ({'; '.join(marks)})" if marks else "")
    return name, as_picture(*_middle(shown.picture, "received")), f"{cost}{where}, clip {clip['psnr_db'][0]:.1f} dB"
