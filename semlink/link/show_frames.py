"""`frames.png`: one frame of one clip as each scheme delivers it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semlink.errors import Infeasible
from semlink.link.chain import run_clip
from semlink.link.frames_strip import draw_frames
from semlink.link.grid import GridPoint, grid
from semlink.link.point import Bench
from semlink.link.score import psnr_db
from semlink.link.specs import scheme_name
from semlink.seeds import Seeds

MOST_PANELS = 11

Panel = tuple[str, np.ndarray | None, str]


def draw_outputs(bench: Bench, path: Path, *, clip: int = 0) -> None:
    """Send one clip with every scheme at a middle point of its grid and draw the middle frame."""
    frames = bench.clips.frames[clip]
    middle = frames.shape.t // 2
    source = frames.pixels[0, middle].numpy()
    motion = np.abs(source - frames.pixels[0, max(middle - 1, 0)].numpy())
    panels: list[Panel] = [("source", source, bench.clips.names[clip])]
    panels += [_panel(bench, point, clip, middle) for point in middle_points(bench)[:MOST_PANELS]]
    draw_frames(panels, path, motion=motion)


def middle_points(bench: Bench) -> list[GridPoint]:
    """For each scheme: the middle SNR with the middle budget or rate, on the first channel."""
    points = [p for p in grid(bench.scenario) if p.channel == 0]
    chosen = []
    for scheme in range(len(bench.scenario.schemes)):
        own = [p for p in points if p.scheme == scheme]
        snrs = sorted({p.snr_db for p in own})
        at_snr = [p for p in own if p.snr_db == snrs[len(snrs) // 2]]
        chosen.append(at_snr[len(at_snr) // 2])
    return chosen


def _panel(bench: Bench, point: GridPoint, clip: int, frame: int) -> Panel:
    frames = bench.clips.frames[clip]
    try:
        agreed, budget = bench.agree(point)
        outcome = run_clip(bench.link(point), frames, agreed, Seeds(bench.scenario.seed, (clip,), 0), budget=budget)
    except Infeasible:
        return scheme_name(bench.scenario.schemes[point.scheme]), None, f"does not fit at {point.snr_db:g} dB"
    received = outcome.frames.pixels[0].numpy()
    clip_psnr = psnr_db(frames.pixels[0].numpy(), received)
    caption = f"{float(outcome.ledger.symbols):,.0f} uses, {point.snr_db:g} dB, clip {clip_psnr:.1f} dB"
    return scheme_name(bench.scenario.schemes[point.scheme]), np.clip(received[frame], 0, 1), caption
