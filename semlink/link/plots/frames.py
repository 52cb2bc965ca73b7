"""`frames.png`: one frame of one clip as each scheme delivers it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semlink.errors import Infeasible
from semlink.link.metrics.psnr_ssim import psnr_db
from semlink.link.plots.frame_panels import frames_figure
from semlink.link.plots.style import save
from semlink.link.scenario.scenario import scheme_name
from semlink.link.sweep.bench import PointRunner
from semlink.link.sweep.grid import GridPoint, grid

MOST_PANELS = 11

Panel = tuple[str, np.ndarray | None, str]


def draw_outputs(bench: PointRunner, path: Path, *, clip: int = 0) -> None:
    """Send one clip with every scheme at a middle point of its grid and draw the middle frame."""
    frames = bench.clips.frames[clip]
    middle = frames.shape.t // 2
    source = _look(bench, frames.pixels[0, middle].numpy())
    motion = np.abs(source - _look(bench, frames.pixels[0, max(middle - 1, 0)].numpy()))
    motion = motion if motion.ndim == 2 else motion.mean(2)
    panels: list[Panel] = [("source", source, bench.clips.names[clip])]
    panels += [_panel(bench, point, clip, middle) for point in middle_points(bench)[:MOST_PANELS]]
    save(frames_figure(panels, motion=motion), path)


def middle_points(bench: PointRunner) -> list[GridPoint]:
    """For each scheme: the middle SNR with the middle budget or rate, on the first channel."""
    points = [p for p in grid(bench.scenario) if p.channel in (0, None)]
    chosen = []
    for scheme in range(len(bench.scenario.schemes)):
        own = [p for p in points if p.scheme == scheme]
        snrs = sorted({p.snr_db for p in own if p.snr_db is not None})
        at_snr = [p for p in own if p.snr_db == snrs[len(snrs) // 2]] if snrs else own
        chosen.append(at_snr[len(at_snr) // 2])
    return chosen


def as_picture(frame: np.ndarray, planes: int) -> np.ndarray:
    """A gray frame as it is; one of three planes, one above the other, as (h, w, 3). Clipped to [0, 1]."""
    frame = np.clip(frame, 0, 1)
    return frame if planes == 1 else frame.reshape(planes, -1, frame.shape[1]).transpose(1, 2, 0)


def _look(bench: PointRunner, frame: np.ndarray) -> np.ndarray:
    return as_picture(frame, getattr(bench.scenario.source, "planes", 1))


def _panel(bench: PointRunner, point: GridPoint, clip: int, frame: int) -> Panel:
    frames, name = bench.clips.frames[clip], scheme_name(bench.scenario.schemes[point.scheme])
    link = bench.link(point)
    where = "" if point.snr_db is None else f", {point.snr_db:g} dB"
    try:
        agreed, budget = bench.agree(point)
        outcome = bench.first_outcome(point, agreed, budget, clip)
    except Infeasible:
        return name, None, f"does not fit{where}"
    received = outcome.frames.pixels[0].numpy()
    clip_psnr = psnr_db(frames.pixels[0].numpy(), received)
    sensed = link.measurements_per_pixel(agreed)
    cost = f"{sensed:.3g} readings a pixel" if link.is_sensing else f"{float(outcome.ledger.symbols):,.0f} uses"
    marks = [f"genie: {', '.join(outcome.genie)}"] if outcome.genie else []
    marks += ["bound"] if link.is_bound and not link.is_sensing else []
    name += f" ({'; '.join(marks)})" if marks else ""
    return name, _look(bench, received[frame]), f"{cost}{where}, clip {clip_psnr:.1f} dB"
