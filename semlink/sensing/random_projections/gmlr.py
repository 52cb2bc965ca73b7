"""A generator as the prior of a reconstruction: readings of a `RandomSensor` to video.

Source: [hyder2019gmlr].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from semlink.blocks import ReconstructionBase
from semlink.errors import InterfaceError
from semlink.nn.generative.generator_weights import check_side, generator_of
from semlink.nn.generative.latent_fit import Fit, FitSettings, Progress, check_rank, fit, hidden_dtype
from semlink.payload import Frames, FrameShape, Projections, Restored
from semlink.sensing.random_projections.latent_path import filled_in, principal_coordinates
from semlink.sensing.random_projections.rank_selection import chosen_ranks
from semlink.sensing.random_projections.sensor import RandomSensor

__all__ = ["HELD_OUT", "GmlrReconstructor", "check_side", "generator_of", "told_of"]

HELD_OUT: Literal["held-out"] = "held-out"
POINTS_OF_LOSS = 40


@dataclass(frozen=True, slots=True)
class GmlrReconstructor(ReconstructionBase):
    """Codes of a generator, and its weights, fitted to the readings of each clip by itself.

    Attributes:
        weights: by name or file; `random` for a generator that was never trained.
        sensor: whose patterns the receiver knows.
        settings: of the fit.
        held_out: choose the rank by readings kept out, instead of `settings.rank`.
        planes: of a frame, stacked: 1 gray, 3 for R, G and B.
    Raises:
        InterfaceError: a sensor of another kind or of other planes.
    """

    weights: str
    sensor: RandomSensor
    settings: FitSettings = field(default_factory=FitSettings)
    held_out: bool = False
    planes: int = 1
    name: str = field(default="gmlr", init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.sensor, RandomSensor):
            raise InterfaceError(
                f"reconstruction gmlr takes readings of sensor random, not of {type(self.sensor).__name__}"
            )
        if self.sensor.planes != self.planes:
            raise InterfaceError(f"reconstruction gmlr: planes is {self.planes}, the sensor's {self.sensor.planes}")

    def reconstruct(self, measurement: Projections) -> Frames:
        """Frames in [0, 1].

        Raises:
            InterfaceError: frames that are not 64 x 64 in each plane, or a rank above their number.
            ModelError: weights missing, damaged, or of another number of planes.
        """
        return Frames(torch.cat([restored.frames.pixels for restored in self.restore_many([measurement])]))

    def restore_many(self, measurements: Sequence[Projections], progress: Progress | None = None) -> list[Restored]:
        """The frames of every clip of `measurements`, all fitted together, with what `told_of` tells of each."""
        shape = self._shape(measurements)
        readings = torch.cat([measurement.parts[0] for measurement in measurements])
        made, ranks = self.fitted(readings, shape, progress)
        codes = filled_in(made.codes, self.sensor.frames_read(shape), shape.t)
        pixels = made.pixels(codes).unflatten(2, (shape.h, shape.w))
        return [
            Restored(Frames(pixels[n : n + 1]), told_of(codes[n], made.loss[:, n], ranks[n]))
            for n in range(len(pixels))
        ]

    def fitted(
        self, readings: torch.Tensor, shape: FrameShape, progress: Progress | None = None
    ) -> tuple[Fit, list[int | None]]:
        """Codes and generators of the frames that were read, and the rank that each clip's codes were held to."""
        generator = generator_of(self.weights, self.planes)
        operator = self.sensor.operators(shape, hidden_dtype(self.settings.precision))
        by_frame = readings.reshape(len(readings), -1, operator.num_readings)
        ranks = None
        if self.held_out:
            ranks = chosen_ranks(generator, operator, by_frame, self.settings, progress=progress)
        made = fit(generator, operator, by_frame, self.settings, ranks=ranks, progress=progress)
        return made, [self.settings.rank] * len(readings) if ranks is None else ranks.tolist()

    def _shape(self, measurements: Sequence[Projections]) -> FrameShape:
        shapes = {measurement.frames for measurement in measurements}
        if len(shapes) != 1:
            raise InterfaceError(f"reconstruction gmlr: clips of {len(shapes)} shapes at once; allowed: one")
        (shape,) = shapes
        self.check_shape(shape)
        return shape

    def check_shape(self, shape: FrameShape) -> None:
        """That clips of `shape` can be fitted.

        Raises:
            InterfaceError: frames that are not 64 x 64 in each plane, or a rank above their number.
        """
        check_side(shape, self.planes, "reconstruction gmlr")
        check_rank(self.settings.rank, len(self.sensor.frames_read(shape)))


def told_of(codes: torch.Tensor, loss: torch.Tensor, rank: int | None) -> dict[str, Any]:
    """What a fit tells of itself, for point files: codes in two principal coordinates, rank, epochs, loss at some."""
    epochs = int(loss.isfinite().sum())
    some = sorted({round(epochs ** (n / (POINTS_OF_LOSS - 1))) for n in range(POINTS_OF_LOSS)})
    return {
        "plane": [[round(x, 4) for x in row] for row in principal_coordinates(codes).tolist()],
        "rank": rank,
        "epochs": epochs,
        "loss": [[epoch, float(f"{float(loss[epoch - 1]):.4g}")] for epoch in some],
    }
