"""A sensor with its reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from semlink.blocks import Progress, ReconstructionBase, SensorBase
from semlink.errors import told_at
from semlink.payload import Frames, FrameShape, Restored
from semlink.plugins.specs import ReconstructionPlugin
from semlink.seeds import Seeds
from semlink.sensing.specs.base import ReconstructionSpec
from semlink.spec import BlockSpec, BuildContext


@dataclass(frozen=True, slots=True)
class Camera:
    """A sensor with its reconstruction."""

    sensor: SensorBase
    reconstructor: ReconstructionBase

    def see(self, frames: Frames, seeds: Seeds) -> Frames:
        """What is made of the readings alone."""
        return self.reconstructor.reconstruct(self.sensor.measure(frames, seeds))

    def restore_many(
        self, clips: Sequence[Frames], seeds: Sequence[Seeds], progress: Progress | None = None
    ) -> list[Restored]:
        """What is made of the readings of each clip; in one go where the reconstruction can, which changes no clip."""
        measured = []
        for number, (clip, own) in enumerate(zip(clips, seeds, strict=True)):
            with told_at(f"clip {number}"):
                measured.append(self.sensor.measure(clip, own))
        return self.reconstructor.restore_many(measured, progress)

    def check_shape(self, shape: FrameShape) -> None:
        """Refuse clips that sensor or reconstruction cannot serve, where they tell before they work.

        Raises:
            SemlinkError: says what is allowed.
        """
        self.cost(shape)
        self.reconstructor.check_shape(shape)

    def cost(self, shape: FrameShape) -> float:
        """Measurements a pixel."""
        return self.sensor.measurements_per_pixel(shape)

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """What each frame is to the sensor, where it tells frames apart."""
        return self.sensor.frame_kinds(shape)


def camera_of(
    sensor: BlockSpec[SensorBase], reconstruction: ReconstructionSpec | ReconstructionPlugin, context: BuildContext
) -> Camera:
    """The blocks that two specs name; `context.rate` goes to the reconstruction if it takes rates, else to the sensor.

    Raises:
        ScenarioError, InterfaceError: one of them cannot be built, or they do not go together.
    """
    still = replace(context, rate=None)
    to_reconstruction = context.rate is not None and reconstruction.takes_rate(context)
    eye = sensor.build(still if to_reconstruction else context)
    return Camera(eye, reconstruction.build(replace(context if to_reconstruction else still, sensor=eye)))
