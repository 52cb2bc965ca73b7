"""Readings of a programmable sensor as coefficients that are worth transmitting.

A reading m that summed L frames stands for L frames of intensity m / L. In the
*readings domain* it is x = (m - 0.45 L) / sqrt(L): a squared error in x is the
squared error of the initial reconstruction, summed over the frames that the
reading stands for. Where nothing was read x is 0.

Source: follows from [zhang2024crl, eq. (3)], A A^T = L; the mean is this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from semlink.blocks import SensorBase
from semlink.errors import InterfaceError
from semlink.payload import FrameShape

MEAN_INTENSITY = 0.45


def normalise_readings(slots: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Readings (b, s, h, w), front-packed full-scale sums, as x; `counts` (h, w), clips of 2 s frames."""
    length = exposure_length(counts, slots.shape[-3]).to(slots.dtype)
    x = (slots - MEAN_INTENSITY * length) * length.rsqrt()
    return torch.where(taken(counts, slots.shape[-3]), x, 0)


def denormalise_readings(x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The inverse of `normalise_readings`: readings (b, s, h, w), zero where nothing was read."""
    length = exposure_length(counts, x.shape[-3]).to(x.dtype)
    return torch.where(taken(counts, x.shape[-3]), x * length.sqrt() + MEAN_INTENSITY * length, 0)


def taken(counts: torch.Tensor, num_slots: int) -> torch.Tensor:
    """Which slots hold a reading: bool (num_slots, h, w)."""
    return torch.arange(num_slots, device=counts.device).view(-1, 1, 1) < counts


def exposure_length(counts: torch.Tensor, num_slots: int) -> torch.Tensor:
    """Frames that one reading of each pixel sums: 2 num_slots / count, (h, w)."""
    return 2 * num_slots / counts.clamp_min(1)


def check_trained_sensor(
    weights: str, facts: Mapping[str, Any], want: torch.Tensor, sensor: SensorBase, shape: FrameShape
) -> None:
    """Refuse a sensor whose readings the networks of `weights` were not trained for.

    Args:
        facts: what their card says of clips and sensor.
        want: the ratio map (h, w) that they were trained for.
    Raises:
        InterfaceError: another ratio map, another number of frames, or an aperture.
    """
    if shape.t != facts["num_frames"]:
        raise InterfaceError(f"codec {weights!r}: clips of {shape.t} frames; allowed: {facts['num_frames']}")
    have = sensor.counts(shape)
    if have is None or sensor.masked:
        raise InterfaceError(f"codec {weights!r}: takes readings of a programmable sensor without aperture")
    if not torch.equal(have, want):
        raise InterfaceError(
            f"codec {weights!r}: the sensor's ratio map has mean {float(have.float().mean()):g} measurements; "
            f"allowed: the one it was trained for, {facts['sensor']}"
        )
