"""Results folders as a run leaves them, from a stated law instead of a link.

Quality of clip c at cost u (uses per pixel): base + slope log2(u / 0.003) +
content_c + noise_(c, trial), where content and noise are the same for all
schemes, as they are in a real run.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semlink.link.results.rows import Row, to_json, write_csv

PIXELS = 16 * 256 * 256
BUDGETS = (0.003, 0.006, 0.012, 0.024)
MOTIONS = ("slow", "medium", "fast", "slow", "fast", "fast")


@dataclass(frozen=True)
class Law:
    """One scheme: `base` dB at 0.003 uses per pixel, `slope` dB an octave; `share` of the budget is spent."""

    name: str
    base: float = 24.0
    slope: float = 3.0
    cliff_db: float | None = None
    share: float = 0.99
    noise_db: float = 0.3
    fast_db: float = 0.0
    bound: bool = False
    genie: str = ""
    own_rates: tuple[float, ...] = ()
    least: float = 0.0


def make(folder: Path, laws, *, snrs=(10.0,), budgets=BUDGETS, trials=8, channel="awgn", records=True) -> list[Row]:
    """Write a results folder and return its rows."""
    rows = []
    for law in laws:
        for snr_db in snrs:
            for place, cost in enumerate(law.own_rates or budgets):
                row, clips = _point(law, snr_db, cost, place, trials, channel)
                rows.append(row)
                if records:
                    _write(folder / "points" / f"{len(rows):04d}.json", row, clips, law)
    write_csv(rows, folder / "curves.csv")
    return rows


def _point(law: Law, snr_db: float, cost: float, place: int, trials: int, channel: str):
    count = 1 if law.bound else trials
    key = {"rate": cost * 1000} if law.own_rates else {"budget": cost}
    head = {"scheme": law.name, "channel": channel, "snr_db": snr_db, "bound": law.bound}
    head |= {"seed": 1, "clips": len(MOTIONS)}
    if cost < law.least:
        return Row(**head, **key, genie=law.genie, note="no bitstream fits 3145 uses"), []
    lost = 0.0 if law.cliff_db is None else 1 / (1 + math.exp(2.5 * (snr_db - law.cliff_db)))
    spent = cost * law.share
    clips = []
    for number, motion in enumerate(MOTIONS):
        noise = np.random.default_rng((number, place)).normal(0, law.noise_db, 64)[:count]
        quality = law.base + law.slope * math.log2(spent / 0.003) + 2 * math.sin(number) + 0.3 * (snr_db - 10)
        quality += law.fast_db if motion == "fast" else 0.0
        psnr = 7 + (quality - 7) * (1 - lost) + (0 if law.bound else noise)
        psnr = np.broadcast_to(psnr, (count,))
        clips.append(
            {
                "name": f"clip{number}",
                "motion": motion,
                "psnr_db": [float(p) for p in psnr],
                "ssim": [float(1 - 0.5 * math.exp(-p / 18)) for p in psnr],
                "channel_uses": [spent * PIXELS] * count,
                "psnr_by_frame": [float(np.mean(psnr))],
            }
        )
    mean = {name: float(np.mean([c[name] for c in clips])) for name in ("psnr_db", "ssim")}
    half = 0.0 if law.bound else 2.0 * law.noise_db / math.sqrt(count * len(MOTIONS))
    others = dict.fromkeys(("crc", "pilot", "header", "side_info", "retransmission"), 0.0)
    row = Row(
        **others,
        **head,
        **key,
        **mean,
        genie=law.genie,
        channel_uses=spent * PIXELS,
        channel_uses_per_pixel=spent,
        payload=spent * PIXELS * 2 / 3,
        parity=spent * PIXELS / 3,
        psnr_ci95=half,
        ssim_ci95=half / 100,
        trials=count,
    )
    return row, clips


def _write(path: Path, row: Row, clips, law: Law) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {name: getattr(row, name) for name in ("scheme", "channel", "snr_db", "budget", "rate", "bound")}
    record = {**head, "row": to_json(row), "clips": clips, "genie": [law.genie] if law.genie else [], "versions": {}}
    path.write_text(json.dumps(record))
