"""The programmable sensor and its map of readings."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from semlink.blocks import SensorBase
from semlink.errors import InterfaceError, ModelError
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer, read_out
from semlink.sensing.programmable.ratio_map import check_map, fixed_map, load_map, random_map, tiled_map
from semlink.weights.cards import find_weights, read_card


@dataclass(frozen=True, slots=True)
class RatioMap:
    """How the counts of a sensor come about; exactly one way.

    Attributes:
        count: the same count everywhere.
        tile: rows of counts, repeated.
        path: a file of counts.
        random_mean: two counts mixed at random to this mean, drawn from `random_seed`.
        learned: the name of weights whose card lists learned tiles; of these
            the one whose mean is nearest to `mean_count`.
    """

    count: int | None = None
    tile: tuple[tuple[int, ...], ...] | None = None
    path: str | None = None
    random_mean: float | None = None
    random_seed: int = 0
    learned: str | None = None
    mean_count: float | None = None

    def counts(self, frames: FrameShape) -> torch.Tensor:
        """Counts (h, w) for clips of this shape.

        Raises:
            InterfaceError: not exactly one way is named, or the map does not fit.
            ModelError: the weights are missing or list no learned maps.
        """
        ways = [self.count, self.tile, self.path, self.random_mean, self.learned]
        if sum(way is not None for way in ways) != 1:
            raise InterfaceError("sensor.ratio_map: name exactly one of count, tile, path, random_mean, learned")
        if self.count is not None:
            return fixed_map(self.count, frames)
        if self.tile is not None:
            return tiled_map(self.tile, frames)
        if self.path is not None:
            return load_map(self.path, frames)
        if self.random_mean is not None:
            rng = Seeds(self.random_seed).torch("ratio_map")
            return random_map(self.random_mean, frames, rng=rng)
        return tiled_map(learned_tile(str(self.learned), self.mean_count), frames)


@dataclass(frozen=True, slots=True)
class ProgrammableSensor(SensorBase):
    """Pixels that expose for as long as the ratio map says; a `blocks.Sensor`.

    Noise comes from the stream "sensor": at one seed all maps, with or without
    the aperture, meet the same normal draws slot by slot.
    """

    ratio_map: RatioMap
    noise: ReadNoise = field(default_factory=ReadNoise)
    masked: bool = False
    name: str = "programmable"

    def measure(self, frames: Frames, seeds: Seeds) -> Measurement:
        """What is read out of `frames`."""
        shape = frames.shape
        counts = self.counts(shape).to(frames.pixels.device)
        slots = counts_on_offer(shape.t)[-1]
        normal = seeds.normal("sensor", slots, shape.h, shape.w).to(frames.pixels.device)
        return Measurement(
            read_out(frames.pixels, counts, normal, noise=self.noise, mask=self.aperture(shape)), counts, shape
        )

    def counts(self, shape: FrameShape) -> torch.Tensor:
        """The agreed map for clips of `shape`."""
        return check_map(self.ratio_map.counts(shape), shape)

    def aperture(self, shape: FrameShape) -> torch.Tensor | None:
        """The agreed coded aperture, or None."""
        return binary_aperture(shape.t, shape.h, shape.w) if self.masked else None

    def measurements_per_pixel(self, shape: FrameShape) -> float:
        """Mean of the map: the cost of sensing."""
        return float(self.counts(shape).float().mean())


def learned_tile(weights: str, mean_count: float | None) -> tuple[tuple[int, ...], ...]:
    """The learned tile in the card of `weights` whose mean count is nearest to `mean_count`.

    Raises:
        ModelError: the card lists none, or none within a tenth of what is asked for.
    """
    rows = read_card(find_weights(weights))["facts"].get("learned", [])
    if not rows or mean_count is None:
        means = sorted(row["mean_count"] for row in rows)
        raise ModelError(f"weights {weights!r}: mean_count {mean_count} names no learned map; allowed: near {means}")
    best = min(rows, key=lambda row: abs(row["mean_count"] - mean_count))
    if abs(best["mean_count"] - mean_count) > 0.1 * mean_count:
        means = sorted(row["mean_count"] for row in rows)
        raise ModelError(f"weights {weights!r}: no learned map near {mean_count} measurements; allowed: {means}")
    return tuple(map(tuple, best["tile"]))
