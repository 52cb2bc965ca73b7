"""Training clips as tokens: what the sensor reads of every block, and the pixels of it."""

from __future__ import annotations

import torch

from semlink.codecs.readings_domain import normalise_readings
from semlink.codecs.token_readings import TokenReadings, blocks
from semlink.sensing.programmable.exposure import read_out
from semlink.training.tasks.sensed_clips import SensedClips


def seen_as_tokens(
    sensor: SensedClips, readings: TokenReadings, clips: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighed noisy readings (b, h, w, readings) and pixels (b, h, w, pixels) of every block of clips (b, t, h, w)."""
    counts = sensor.counts(clips)
    rng = on_device(rng, clips.device)
    normal = torch.randn(len(clips), clips.shape[1] // 2, *clips.shape[2:], generator=rng, device=clips.device)
    with torch.autocast(clips.device.type, enabled=False):
        slots = read_out(clips, counts, normal, noise=sensor.noise)
    return readings.gather(normalise_readings(slots, counts)), blocks(clips, readings.size)


def on_device(rng: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator on `device`: `rng` itself, or one that follows from what it draws next."""
    if rng.device.type == device.type:
        return rng
    seed = int(torch.randint(2**62, (1,), generator=rng))
    return torch.Generator(device).manual_seed(seed)
