"""A sensor of your own: from light to readings.

In a scenario:

    schemes:
      - name: mine
        kind: sensing
        sensor: {kind: my_sensor.py:MySensor, read_noise: 0.01}
        reconstruction: {kind: initial}
        rates: [1, 2, 4]
"""

from __future__ import annotations

import torch

from semlink.blocks import SensorBase
from semlink.errors import InterfaceError
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds


class MySensor(SensorBase):
    """Every pixel is read `rate` times in a clip, each reading the sum over an equal share of the frames.

    `rate` is the knob: with `rates` in a scheme, the sensor is built anew for each of them.
    """

    masked = False  # readings are exposures over time, without an aperture: `initial` takes them

    def __init__(self, rate: float = 2, read_noise: float = 0.01) -> None:
        self.rate, self.read_noise = int(rate), read_noise

    def measure(self, frames: Frames, seeds: Seeds) -> Measurement:
        """What is read of `frames`, pixels float32 (clip, t, h, w) in [0, 1].

        `slots` are float32 (clip, readings, h, w); `counts` (h, w), whole numbers, says how many of them
        hold a reading of each pixel: it is agreed on, never sent.
        """
        clips, t, h, w = frames.pixels.shape
        if t % self.rate:
            raise InterfaceError(f"MySensor: {self.rate} readings do not share {t} frames equally")
        slots = frames.pixels.reshape(clips, self.rate, t // self.rate, h, w).sum(dim=2)
        noise = seeds.normal("sensor/my_sensor", self.rate, h, w).to(slots) * self.read_noise * t
        return Measurement(slots + noise, self.counts(frames.shape).to(slots.device), frames.shape)

    def counts(self, shape: FrameShape) -> torch.Tensor:
        """The map of readings a pixel, integer (h, w)."""
        return torch.full((shape.h, shape.w), self.rate)

    def measurements_per_pixel(self, shape: FrameShape) -> float:
        """The cost of sensing."""
        return float(self.rate)
