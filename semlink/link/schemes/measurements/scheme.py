"""Readings of inner products over the link: the transmitter measures and sends, the receiver reconstructs.

What other schemes call a clip are here the readings, less those of an even
gray scene, in the order that suits a codec. Where the patterns of non-key
frames are the first of those of key frames, what they read is one sequence
over all frames. Readings that did not arrive are those of the gray scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from semlink.blocks import SensorBase
from semlink.caching import Memo, digest_of
from semlink.codecs.projections.fields import Field, Layout
from semlink.errors import InterfaceError
from semlink.link.schemes.behind_sensor import S
from semlink.link.schemes.camera import Camera
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds

__all__ = ["Arrangement", "ProjectionsView", "arranged"]

GRAY = 0.45
MOST_READ = 1e6
"""What no scene reads: more is damage that no checksum saw, and its square would be beyond float32."""
RECONSTRUCTIONS_KEPT = 16
_MOST_IN_A_PIECE = 64


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The order in which a codec is given readings.

    Attributes:
        layout: the fields.
        order: (n,), the place of each value among the parts, one part behind the other.
        sizes: (patterns, places) of each part.
        gray: (n,) what each reads of the gray scene, in that order.
    """

    layout: Layout
    order: np.ndarray
    sizes: tuple[tuple[int, int], ...]
    gray: np.ndarray

    def packed(self, readings: Projections) -> Frames:
        """Flat values (1, 1, 1, n)."""
        flat = torch.cat([part.reshape(-1) for part in readings.parts]).numpy()
        return Frames(torch.from_numpy(flat[self.order] - self.gray)[None, None, None])

    def unpacked(self, values: Frames, shape: FrameShape) -> Projections:
        """Readings from flat values."""
        flat = np.empty(len(self.order), np.float32)
        possible = np.clip(np.nan_to_num(values.pixels.numpy().ravel()), -MOST_READ, MOST_READ)
        flat[self.order] = possible + self.gray
        parts = torch.from_numpy(flat).split([rows * places for rows, places in self.sizes])
        return Projections(tuple(part.view(1, *size) for part, size in zip(parts, self.sizes)), shape)


@dataclass(frozen=True, slots=True)
class ProjectionsView:
    """The transmitter codes what a sensor of inner products reads; see `behind_sensor.View`."""

    camera: Camera
    arrangements: Memo[Arrangement] = field(default_factory=lambda: Memo(2), repr=False, compare=False)
    reconstructed: Memo[Frames] = field(default_factory=lambda: Memo(RECONSTRUCTIONS_KEPT), repr=False, compare=False)

    def check_shape(self, shape: FrameShape) -> None:
        self.camera.check_shape(shape)

    def fitted(self, inner: S, shape: FrameShape) -> S:
        """`inner` with its codec laid out for scenes of this shape.

        Raises:
            InterfaceError: the sensor reads no inner products.
        """
        scheme: Any = inner  # of `MeasurementsSpec`: its codec is one of projections
        return replace(scheme, codec=scheme.codec.laid_out(self.arrangement(shape).layout))

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return self.arrangement(frames.shape).packed(projected(self.camera.sensor, frames, seeds))

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        """Frames reconstructed from decoded values; the same values are not reconstructed twice."""
        readings = self.arrangement(shape).unpacked(decoded, shape)
        key = digest_of(decoded.pixels.numpy(), shape)
        return self.reconstructed.get(key, lambda: self.camera.reconstructor.reconstruct(readings))

    def arrangement(self, shape: FrameShape) -> Arrangement:
        """For scenes of this shape."""
        return self.arrangements.get(shape, lambda: arranged(self.camera.sensor, shape))


def arranged(sensor: SensorBase, shape: FrameShape) -> Arrangement:
    """The order that suits a sensor's readings of scenes of this shape.

    Raises:
        InterfaceError: the sensor reads no inner products.
    """
    readings = projected(sensor, Frames(torch.full((1, shape.t, shape.h, shape.w), GRAY)), Seeds(0))
    sizes = tuple((part.shape[1], part.shape[2]) for part in readings.parts)
    grids = sensor.reading_grids(shape)
    layout, order = _as_it_is(sizes, shape) if grids is None else _related(grids)
    flat = torch.cat([part.reshape(-1) for part in readings.parts]).numpy()
    return Arrangement(layout, order, sizes, flat[order])


def projected(sensor: SensorBase, frames: Frames, seeds: Seeds) -> Projections:
    """Readings of inner products.

    Raises:
        InterfaceError: the sensor gives others.
    """
    readings = sensor.measure(frames, seeds)
    if not isinstance(readings, Projections):
        raise InterfaceError(
            f"scheme kind measurements: sensor {sensor.name} gives "
            f"{type(readings).__name__}; allowed: sensors of inner products, such as block and random"
        )
    return readings


def _related(grids: Sequence[np.ndarray]) -> tuple[Layout, np.ndarray]:
    """Rows over frames and blocks, as the sensor says that its readings lie."""
    return tuple(Field(*rows.shape) for rows in grids), np.concatenate([rows.ravel() for rows in grids])


def _as_it_is(sizes: tuple[tuple[int, int], ...], shape: FrameShape) -> tuple[Layout, np.ndarray]:
    """A row for each pattern; a single one, read at many places, is cut into a row for each frame."""
    layout = []
    for rows, places in sizes:
        if rows == 1 and places % shape.t == 0:
            rows, places = shape.t, places // shape.t
        pieces = next(n for n in range(1, places + 1) if places % n == 0 and places // n <= _MOST_IN_A_PIECE)
        layout.append(Field(rows, pieces, 1, places // pieces, related=False))
    return tuple(layout), np.arange(sum(rows * places for rows, places in sizes))
