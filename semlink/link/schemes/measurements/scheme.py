"""Readings of inner products over the link: the transmitter measures and sends, the receiver reconstructs.

What other schemes call a clip are here the readings, less those of an even
gray scene, in the order that suits a codec. Where the patterns of non-key
frames are the first of those of key frames, what they read is one sequence
over all frames. Readings that did not arrive are those of the gray scene.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from semlink.caching import Memo, digest_of
from semlink.codecs.projections.fields import Field, Layout
from semlink.errors import InterfaceError
from semlink.link.schemes.behind_sensor import BehindSensor, InteractiveBehindSensor, behind
from semlink.link.schemes.camera import Camera
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds
from semlink.sensing.block_cs.sampler import BlockSampler, grid_of

__all__ = ["Arrangement", "ProjectionsView", "arranged", "measured"]

GRAY = 0.45
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
        flat[self.order] = values.pixels.numpy().ravel() + self.gray
        parts = torch.from_numpy(flat).split([rows * places for rows, places in self.sizes])
        return Projections(tuple(part.view(1, *size) for part, size in zip(parts, self.sizes)), shape)


@dataclass(frozen=True, slots=True)
class ProjectionsView:
    """The transmitter codes what a sensor of inner products reads; see `behind_sensor.View`."""

    camera: Camera
    arrangements: Memo[Arrangement] = field(default_factory=lambda: Memo(2), repr=False, compare=False)
    reconstructed: Memo[Frames] = field(default_factory=lambda: Memo(RECONSTRUCTIONS_KEPT), repr=False, compare=False)

    def fitted(self, inner: Any, shape: FrameShape) -> Any:
        """`inner` with its codec laid out for scenes of this shape.

        Raises:
            InterfaceError: the sensor reads no inner products.
        """
        return replace(inner, codec=inner.codec.laid_out(self.arrangement(shape).layout))

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return self.arrangement(frames.shape).packed(self.camera.sensor.measure(frames, seeds))  # type: ignore[arg-type]

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        """Frames reconstructed from decoded values; the same values are not reconstructed twice."""
        readings = self.arrangement(shape).unpacked(decoded, shape)
        key = digest_of(decoded.pixels.numpy(), shape)
        return self.reconstructed.get(key, lambda: self.camera.reconstructor.reconstruct(readings))

    def arrangement(self, shape: FrameShape) -> Arrangement:
        """For scenes of this shape."""
        return self.arrangements.get(shape, lambda: arranged(self.camera.sensor, shape))


def measured(camera: Camera, scheme: Any) -> BehindSensor | InteractiveBehindSensor:
    """`scheme`, whose codec takes readings of inner products, behind a sensor."""
    return behind(ProjectionsView(camera), scheme)


def arranged(sensor: Any, shape: FrameShape) -> Arrangement:
    """The order that suits a sensor's readings of scenes of this shape.

    Raises:
        InterfaceError: the sensor reads no inner products.
    """
    scene = torch.full((1, shape.t, shape.h, shape.w), GRAY)
    readings = sensor.measure(Frames(scene), Seeds(0))
    if not isinstance(readings, Projections):
        raise InterfaceError(
            f"scheme kind measurements: sensor {getattr(sensor, 'name', 'of yours')} gives "
            f"{type(readings).__name__}; allowed: sensors of inner products, such as block and random"
        )
    sizes = tuple((part.shape[1], part.shape[2]) for part in readings.parts)
    layout, order = _of_blocks(sensor, shape) if isinstance(sensor, BlockSampler) else _as_it_is(sizes, shape)
    flat = torch.cat([part.reshape(-1) for part in readings.parts]).numpy()
    return Arrangement(layout, order, sizes, flat[order])


def _of_blocks(sampler: BlockSampler, shape: FrameShape) -> tuple[Layout, np.ndarray]:
    """Rows over frames and blocks: patterns of all frames and of key frames alone, or each kind of frame by itself."""
    keys, others = sampler.split(shape.t)
    fine, coarse = sampler.matrices()
    grid = grid_of(shape)
    of_keys = np.arange(len(fine) * len(keys) * grid[0] * grid[1]).reshape(len(fine), len(keys), *grid)
    of_others = of_keys.size + np.arange(len(coarse) * len(others) * grid[0] * grid[1])
    of_others = of_others.reshape(len(coarse), len(others), *grid)
    if len(coarse) <= len(fine) and torch.equal(fine[: len(coarse)], coarse):
        shared = np.empty((len(coarse), shape.t, *grid), np.int64)
        shared[:, keys], shared[:, others] = of_keys[: len(coarse)], of_others
        fields = [shared, of_keys[len(coarse) :]]
    else:
        fields = [of_keys, of_others]
    fields = [rows for rows in fields if rows.size]
    return tuple(Field(*rows.shape) for rows in fields), np.concatenate([rows.ravel() for rows in fields])


def _as_it_is(sizes: tuple[tuple[int, int], ...], shape: FrameShape) -> tuple[Layout, np.ndarray]:
    """A row for each pattern; a single one, read at many places, is cut into a row for each frame."""
    layout = []
    for rows, places in sizes:
        if rows == 1 and places % shape.t == 0:
            rows, places = shape.t, places // shape.t
        pieces = next(n for n in range(1, places + 1) if places % n == 0 and places // n <= _MOST_IN_A_PIECE)
        layout.append(Field(rows, pieces, 1, places // pieces, related=False))
    return tuple(layout), np.arange(sum(rows * places for rows, places in sizes))
