"""The programmable sensor and its reconstructors as blocks of a link.

Clips may have any size: the decoder pads to a multiple of 8 by reflection and
crops back. The map and the aperture are agreed on beforehand, never sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import torch
from torch.nn import functional as F

from semlink.errors import JointError, ModelError
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer, read_out
from semlink.sensing.programmable.gap_tv import Denoiser, GapTv, fill_unread, gap_tv, quick_estimate
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_map import check_map, fixed_map, load_map, random_map, tiled_map
from semlink.weights.tensors import find_weights, read_card

PAD_MULTIPLE = 8


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
            JointError: not exactly one way is named, or the map does not fit.
            ModelError: the weights are missing or list no learned maps.
        """
        ways = [self.count, self.tile, self.path, self.random_mean, self.learned]
        if sum(way is not None for way in ways) != 1:
            raise JointError("sensor.ratio_map: name exactly one of count, tile, path, random_mean, learned")
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
class ProgrammableSensor:
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


class Reconstructor(Protocol):
    """Readings in, frames out."""

    name: str

    def reconstruct(self, measurement: Measurement) -> Frames: ...


@dataclass(frozen=True, slots=True)
class InitialReconstructor:
    """The pseudo-inverse alone; with `fill`, pixels that read nothing take the mean of their neighbours."""

    masked: bool = False
    fill: bool = False
    name: str = "initial"

    def reconstruct(self, measurement: Measurement) -> Frames:
        slots, counts, mask = _parts(measurement, self.masked)
        frames = initial_reconstruction(slots, counts, mask)
        return Frames((fill_unread(frames, counts, mask) if self.fill else frames).clamp(0, 1))


@dataclass(frozen=True, slots=True)
class GapTvReconstructor:
    """Total variation without training; `denoise` plugs in another denoiser."""

    noise: ReadNoise = field(default_factory=ReadNoise)
    settings: GapTv = field(default_factory=GapTv)
    masked: bool = False
    denoise: Denoiser | None = None
    name: str = "gap-tv"

    def reconstruct(self, measurement: Measurement) -> Frames:
        slots, counts, mask = _parts(measurement, self.masked)
        frames = gap_tv(slots, counts, mask, noise=self.noise, settings=self.settings, denoise=self.denoise)
        return Frames(frames.clamp(0, 1))


@dataclass(frozen=True, slots=True)
class DeepReconstructor:
    """A trained decoder by the name of its weights.

    `noise` and `masked` are the sensor's; weights made for others are refused.
    """

    weights: str
    noise: ReadNoise = field(default_factory=ReadNoise)
    masked: bool = False
    device: str = "cpu"
    name: str = "deep"

    def reconstruct(self, measurement: Measurement) -> Frames:
        """Frames in [0, 1].

        Raises:
            ModelError: weights missing, or trained for another noise, aperture, window or map.
        """
        model, card = _network(self.weights, self.device)
        self._check(card, measurement)
        slots, counts, mask = _parts(measurement, self.masked)
        initial = initial_reconstruction(slots, counts, mask)
        estimate = quick_estimate(slots, counts, mask, self.noise) if model.estimated else None
        if model.captures > 1:
            initial = by_capture(initial, counts)
        return Frames(decode(model, initial, counts, mask, estimate).to(slots.device).clamp(0, 1))

    def _check(self, card: dict[str, Any], measurement: Measurement) -> None:
        facts = card["facts"]
        want = {
            "noise": {"shot": self.noise.shot, "read": self.noise.read},
            "masked": self.masked,
            "num_frames": measurement.frames.t,
        }
        for key, value in want.items():
            if facts.get(key) != value:
                raise ModelError(f"weights {self.weights!r}: {key} is {facts.get(key)}, the scenario has {value}")
        if isinstance(facts["maps"], list):
            strange = sorted(set(measurement.counts.unique().tolist()) - set(facts["maps"]))
            if strange or len(measurement.counts.unique()) > 1:
                raise ModelError(
                    f"weights {self.weights!r}: trained for uniform maps of {facts['maps']}, the map holds "
                    f"{measurement.counts.unique().tolist()}"
                )


def by_capture(initial: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """V0 (b, T, h, w) sorted by count into (b, 4 T, h, w): what the mask of paper 000 keeps of four captures.

    Each pixel keeps one capture, whose noise is its own, so a sensor that takes
    that one alone has read the same.
    """
    offer = counts_on_offer(initial.shape[1])[1:]
    return torch.cat([initial * (counts == count) for count in offer], 1)


@torch.no_grad()
def decode(
    model: torch.nn.Module,
    initial: torch.Tensor,
    counts: torch.Tensor,
    mask: torch.Tensor | None = None,
    estimate: torch.Tensor | None = None,
) -> torch.Tensor:
    """The network on frames of any size, float32: padded to a multiple of 8 by reflection, cropped back."""
    h, w = initial.shape[-2:]
    down, right = -h % PAD_MULTIPLE, -w % PAD_MULTIPLE
    device = next(model.parameters()).device

    def padded(x):
        if x is None or not (down or right):
            return None if x is None else x.to(device)
        flat = x.reshape(1, -1, h, w).float().to(device)
        wide = F.pad(flat, (0, right, 0, down), mode="reflect" if min(h, w) > PAD_MULTIPLE else "replicate")
        return wide.reshape(*x.shape[:-2], h + down, w + right).to(x.dtype)

    half = device.type == "cuda" or bf16_pays()
    mask, ratio = padded(mask), padded(counts) if model.captures == 1 else None
    estimates = [None] * len(initial) if estimate is None else padded(estimate).split(1)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        restored = [model(clip, ratio, mask, start).float() for clip, start in zip(padded(initial).split(1), estimates)]
    return torch.cat(restored)[..., :h, :w]


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


def _parts(measurement: Measurement, masked: bool):
    shape = measurement.frames
    counts = check_map(measurement.counts, shape)
    mask = binary_aperture(shape.t, shape.h, shape.w).to(counts.device) if masked else None
    return measurement.slots, counts, mask


@cache
def _network(weights: str, device: str):
    model, card = load_decoder(weights)
    return model.to(device), card


@cache
def bf16_pays() -> bool:
    """Whether this CPU multiplies bf16 in hardware."""
    return bool(torch.cpu._is_avx512_bf16_supported())
