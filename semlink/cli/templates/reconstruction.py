"""A reconstruction of your own: from a sensor's readings to frames.

In a scenario:

    schemes:
      - name: mine
        kind: sensing
        sensor: {kind: programmable, ratio_map: fixed}
        reconstruction: {kind: my_reconstruction.py:MyReconstruction, blur: 0.5}
        rates: [1, 2, 4]
"""

from __future__ import annotations

import torch

from semlink.blocks import ReconstructionBase
from semlink.errors import InterfaceError
from semlink.payload import Frames, Measurement


class MyReconstruction(ReconstructionBase):
    """Each frame shows the mean light of its exposure, mixed with that of the whole clip by a share `blur`.

    A constructor with an argument `sensor` is given the sensor, for its agreed map and patterns.
    """

    def __init__(self, blur: float = 0.5) -> None:
        self.blur = blur

    def reconstruct(self, measurement: Measurement) -> Frames:
        """Frames of the shape `measurement.frames`, float32 in [0, 1].

        `measurement.slots` are (clip, s, h, w): of the pixels with n readings, slot k < n holds the sum of
        frames k t/n to (k + 1) t/n. `measurement.counts` (h, w) says n.
        """
        readings, shape = int(measurement.counts.max()), measurement.frames
        if not bool((measurement.counts == readings).all()):
            raise InterfaceError("MyReconstruction: takes sensors that read every pixel equally often")
        each = shape.t // readings
        light = measurement.slots[:, :readings] / each
        mixed = torch.lerp(light, light.mean(dim=1, keepdim=True), self.blur)
        return Frames(mixed.repeat_interleave(each, dim=1).clamp(0, 1))
