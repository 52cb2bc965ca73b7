"""How well maps and reconstructors do on given clips: one row per clip, map and reconstructor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from semlink.blocks import ReconstructionBase
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.programmable.sensor import ProgrammableSensor
from semlink.sensing.sources.motion import motion_class


@dataclass(frozen=True, slots=True)
class Scored:
    """One clip through one sensor and one reconstructor."""

    clip: str
    motion: str
    sensor: str
    reconstructor: str
    measurements_per_pixel: float
    psnr_db: float


def psnr_db(restored: torch.Tensor, truth: torch.Tensor) -> float:
    """Of a whole clip, peak 1."""
    return float(-10 * (restored - truth).square().mean().clamp_min(1e-10).log10())


def evaluate(
    clips: Mapping[str, torch.Tensor],
    sensors: Mapping[str, ProgrammableSensor],
    reconstructors: Sequence[ReconstructionBase],
    *,
    seed: int = 1,
) -> list[Scored]:
    """Every clip (t, h, w) through every sensor and reconstructor, with the same noise draws for all."""
    rows = []
    for number, (clip, pixels) in enumerate(clips.items()):
        frames = Frames(pixels.unsqueeze(0))
        for name, sensor in sensors.items():
            measurement = sensor.measure(frames, Seeds(seed, (number,)))
            cost = sensor.measurements_per_pixel(frames.shape)
            for reconstructor in reconstructors:
                restored = reconstructor.reconstruct(measurement).pixels
                quality = psnr_db(restored[0], pixels)
                rows.append(
                    Scored(clip, motion_class(pixels.numpy(force=True)), name, reconstructor.name, cost, quality)
                )
    return rows


def mean_by(rows: Sequence[Scored], motions: Sequence[str]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """(measurements per pixel, mean PSNR, clips) of each (sensor, reconstructor) over clips of these motions."""
    table: dict[tuple[str, str], list[Scored]] = {}
    for row in rows:
        if row.motion in motions:
            table.setdefault((row.sensor, row.reconstructor), []).append(row)
    return {
        key: (group[0].measurements_per_pixel, sum(row.psnr_db for row in group) / len(group), len(group))
        for key, group in table.items()
    }


def fixed_at(points: Sequence[tuple[float, float]], count: float) -> float:
    """PSNR of the fixed curve at `count`, straight in log2 of the count between its points."""
    logs = [(torch.log2(torch.tensor(c)).item(), p) for c, p in sorted(points)]
    at = torch.log2(torch.tensor(count)).item()
    for (x0, y0), (x1, y1) in zip(logs, logs[1:]):
        if at <= x1 or (x1, y1) == logs[-1]:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return logs[0][1]
