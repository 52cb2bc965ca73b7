"""Sensors and reconstructions: light in, readings out, and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from semlink.blocks.block import FrameBlock, Progress
from semlink.errors import InterfaceError, told_at
from semlink.payload import Frames, FrameShape, Measurement, Projections, Readings, Restored
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import numpy as np
    import torch

GRAY = 0.5


class ExposureNoise(Protocol):
    """Noise of a pixel that exposes: `shot` times the root of the exposure, and `read` of each reading."""

    @property
    def shot(self) -> float: ...

    @property
    def read(self) -> float: ...


class Sensor(Protocol):
    """Light in, readings out."""

    __slots__ = ()

    @abstractmethod
    def measure(self, frames: Frames, seeds: Seeds) -> Readings:
        """What is read of `frames`, pixels float32 (clip, t, h, w) in [0, 1].

        A sensor that reads pixels over time returns `Measurement`, one that reads
        inner products returns `Projections`. Noise comes from
        `seeds.normal("sensor/mine", ...)`, a row for each clip.
        """
        ...


class SensorBase(FrameBlock, Sensor):
    """Base of sensors: what a sensor may say about itself, and what holds where it says nothing.

    With `rates` in a scheme, a row is made for each of them. A sensor takes part
    as an argument `rate` of its constructor, or by `at_rate`. A constructor with
    an argument `frames` is given the number of frames of a clip.

    Attributes:
        is_noiseless: the same light always gives the same readings; one trial is then enough.
        masked: None for readings that are no exposures over time. Where they are, as those of sensor
            programmable: whether a coded aperture stands before the pixels.
        noise: of the exposures, None where they have none that a reconstruction could use.
    """

    __slots__ = ()
    is_noiseless: bool = False
    masked: bool | None = None
    noise: ExposureNoise | None = None

    def at_rate(self, rate: float) -> SensorBase:
        """The same sensor at one of the scheme's `rates`.

        Raises:
            InterfaceError: unless overridden.
        """
        raise no_rate("sensor", self.name, rate)

    def measurements_per_pixel(self, shape: FrameShape) -> float:
        """The cost of sensing: readings of a clip over the pixels of one frame; counted on a gray clip by default."""
        return readings_per_pixel(self.measure(gray_clip(shape), Seeds(0)))

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """What each frame is to the sensor, such as `key` and `non-key`; nothing where all are alike."""
        return ()

    def counts(self, shape: FrameShape) -> torch.Tensor | None:
        """The agreed map of readings a pixel, integer (h, w), as in `Measurement.counts`; None if there is none."""
        return None

    def reading_grids(self, shape: FrameShape) -> Sequence[np.ndarray] | None:
        """Where related readings lie, for codecs of `Projections`.

        Integer arrays (patterns, frames, rows, columns) of places in the flat
        sequence of all parts, which together hold each place once. None: each
        pattern is by itself.
        """
        return None


class Reconstruction(Protocol):
    """Readings in, frames out."""

    __slots__ = ()

    @abstractmethod
    def reconstruct(self, measurement: Any) -> Frames:
        """Frames of the shape `measurement.frames`, float32 in [0, 1], from readings and the agreement alone."""
        ...


class ReconstructionBase(FrameBlock, Reconstruction):
    """Base of reconstructions.

    A constructor with an argument `sensor` is given the sensor whose readings it
    gets; it may read its agreed map and patterns, never what the sensor saw. An
    argument `rate`, or the method `at_rate`, takes the scheme's `rates`, which
    then do not go to the sensor.
    """

    __slots__ = ()

    def at_rate(self, rate: float) -> ReconstructionBase:
        """The same reconstruction at one of the scheme's `rates`.

        Raises:
            InterfaceError: unless overridden.
        """
        raise no_rate("reconstruction", self.name, rate)

    def check_shape(self, shape: FrameShape) -> None:
        """Refuse clips of a shape that cannot be served, before any work is done; by default all can.

        Raises:
            SemlinkError: says what is allowed.
        """

    def restore_many(self, measurements: Sequence[Any], progress: Progress | None = None) -> list[Restored]:
        """Frames of several clips, one by one by default; override it to work on all in one go.

        How many there are must not change what becomes of any of them.
        `Restored.diagnostics` may hold diagnostics for the point's file, as plain values.
        """
        restored = []
        for number, measurement in enumerate(measurements):
            with told_at(f"clip {number}"):
                restored.append(Restored(self.reconstruct(measurement)))
        return restored


def no_rate(interface: str, name: str, rate: float) -> InterfaceError:
    """What is wrong with `rates` for a block that takes none."""
    return InterfaceError(
        f"{interface} {name}: the scheme has rates, got {rate:g}, and this {interface} takes none; "
        "give its constructor an argument `rate`, or the class a method at_rate(rate), or leave out rates"
    )


def gray_clip(shape: FrameShape, level: float = GRAY) -> Frames:
    """One clip of even gray."""
    import torch

    return Frames(torch.full((1, shape.t, shape.h, shape.w), level))


def readings_per_pixel(readings: Readings) -> float:
    """Readings of one clip over the pixels of a frame.

    Raises:
        InterfaceError: these are no readings.
    """
    if isinstance(readings, Measurement):
        return float(readings.counts.float().mean())
    if isinstance(readings, Projections):
        number = sum(part.shape[1] * part.shape[2] for part in readings.parts)
        return number / (readings.frames.h * readings.frames.w)
    raise InterfaceError(f"a sensor gave {type(readings).__name__}; need semlink.payload.Measurement or Projections")
