"""The programmable sensor and its reconstructors as blocks of a link.

Clips may have any size: the decoder pads to a multiple of 8 by reflection and
crops back. The map and the aperture are agreed on beforehand, never sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional as F

from semlink.blocks import ReconstructionBase
from semlink.errors import ModelError
from semlink.nn.cpu import bf16_pays
from semlink.payload import Frames, FrameShape, Measurement
from semlink.sensing.programmable.agreement_with_readings import kept_to_readings
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer
from semlink.sensing.programmable.gap_tv import Denoiser, GapTv, fill_unread, gap_tv, quick_estimate
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_map import check_map
from semlink.weights.remembered import remembered

PAD_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class InitialReconstructor(ReconstructionBase):
    """The pseudo-inverse alone; with `fill`, pixels that read nothing take the mean of their neighbours."""

    masked: bool = False
    fill: bool = False
    name: str = "initial"

    def reconstruct(self, measurement: Measurement) -> Frames:
        slots, counts, mask = _parts(measurement, self.masked)
        frames = initial_reconstruction(slots, counts, mask)
        return Frames((fill_unread(frames, counts, mask) if self.fill else frames).clamp(0, 1))


@dataclass(frozen=True, slots=True)
class GapTvReconstructor(ReconstructionBase):
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
class DeepReconstructor(ReconstructionBase):
    """A trained decoder by the name of its weights, whose frames are kept to the brightness that was read.

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
        self._check(card, measurement.frames.t)
        self._check_map(card, measurement)
        slots, counts, mask = _parts(measurement, self.masked)
        initial = initial_reconstruction(slots, counts, mask)
        estimate = quick_estimate(slots, counts, mask, self.noise) if model.estimated else None
        if model.captures > 1:
            initial = by_capture(initial, counts)
        restored = decode(model, initial, counts, mask, estimate).to(slots.device).clamp(0, 1)
        return Frames(kept_to_readings(restored, slots, counts, mask).clamp(0, 1))

    def check_shape(self, shape: FrameShape) -> None:
        """That the weights are there, and made for such a sensor and window.

        Raises:
            ModelError: they are not.
        """
        self._check(_network(self.weights, self.device)[1], shape.t)

    def _check(self, card: dict[str, Any], num_frames: int) -> None:
        facts = card["facts"]
        want = {
            "noise": {"shot": self.noise.shot, "read": self.noise.read},
            "masked": self.masked,
            "num_frames": num_frames,
        }
        for key, value in want.items():
            if facts.get(key) != value:
                raise ModelError(f"weights {self.weights!r}: {key} is {facts.get(key)}, the scenario has {value}")

    def _check_map(self, card: dict[str, Any], measurement: Measurement) -> None:
        facts = card["facts"]
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


def _parts(measurement: Measurement, masked: bool):
    shape = measurement.frames
    counts = check_map(measurement.counts, shape)
    mask = binary_aperture(shape.t, shape.h, shape.w).to(counts.device) if masked else None
    empty = counts_on_offer(shape.t)[-1] - measurement.slots.shape[1]
    slots = F.pad(measurement.slots, (0, 0, 0, 0, 0, empty)) if empty > 0 else measurement.slots
    return slots, counts, mask


@remembered
def _network(weights: str, device: str):
    model, card = load_decoder(weights)
    return model.to(device), card
