"""The decoder on tokens as a block of a link."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional as F

from semlink.blocks import ReconstructionBase
from semlink.errors import ModelError
from semlink.nn.cpu import bf16_pays
from semlink.payload import Frames, FrameShape, Measurement
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.ratio_map import check_map
from semlink.sensing.programmable.tokens.blockwise_start import BlockwiseStart
from semlink.sensing.programmable.tokens.cosine import SIDE, frames_of
from semlink.sensing.programmable.tokens.linear_start import Start
from semlink.sensing.programmable.tokens.network import DecoderSizes, TokenDecoder, probe
from semlink.sensing.programmable.tokens.readings import brightness
from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import load_verified

TASK = "token_reconstruction"
MOST_STARTS = 12
"""Maps whose linear part is kept, some megabytes each."""


@dataclass(frozen=True, slots=True)
class TokenReconstructor(ReconstructionBase):
    """A trained decoder on tokens by the name of its weights, for any ratio map, with an aperture or without.

    `noise` is the sensor's; weights made for another are refused.
    """

    weights: str
    noise: ReadNoise = field(default_factory=ReadNoise)
    masked: bool = False
    name: str = "deep"

    def reconstruct(self, measurement: Measurement) -> Frames:
        """Frames in [0, 1].

        Raises:
            ModelError: weights missing, or trained for another noise or window.
        """
        self.check_shape(measurement.frames)
        shape, loaded = measurement.frames, load_tokens_decoder(self.weights)
        counts = check_map(measurement.counts, shape).cpu()
        mask = binary_aperture(shape.t, shape.h, shape.w) if self.masked else None
        slots = measurement.slots.cpu()
        slots = F.pad(slots, (0, 0, 0, 0, 0, shape.t // 2 - slots.shape[1]))
        light = brightness(slots, counts, float(loaded.net.mean), mask)
        return Frames(loaded.frames(light, counts, mask, self.noise).to(measurement.slots.device))

    def check_shape(self, shape: FrameShape) -> None:
        """That the weights are there, and made for such a sensor and window.

        Raises:
            ModelError: they are not.
        """
        facts = load_tokens_decoder(self.weights).facts
        want = {"noise": {"shot": self.noise.shot, "read": self.noise.read}, "num_frames": shape.t}
        for key, value in want.items():
            if facts.get(key) != value:
                raise ModelError(f"weights {self.weights!r}: {key} is {facts.get(key)}, the scenario has {value}")


class LoadedDecoder:
    """The network of one weights file, and the linear parts of the maps that it met last."""

    def __init__(self, net: TokenDecoder, facts: dict[str, Any]) -> None:
        self.net, self.facts = net, facts
        self.starts: OrderedDict[Any, Start] = OrderedDict()

    @torch.no_grad()
    def frames(
        self, light: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None, noise: ReadNoise
    ) -> torch.Tensor:
        """Frames (b, t, h, w) in [0, 1] from brightness less the mean (b, slots, h, w), any size."""
        h, w = counts.shape
        block = None if mask is not None else _repeated(counts)
        if block is None:
            down, right = -h % SIDE, -w % SIDE  # pixels beyond the frame read nothing
            light, counts = F.pad(light, (0, right, 0, down)), F.pad(counts, (0, right, 0, down))
            mask = None if mask is None else F.pad(mask, (0, right, 0, down))
            start: Start = BlockwiseStart(counts, mask, self.net.prior(noise), self.net.order)
        else:
            start = self._start(block, noise)
            light = light[:, :, _continued(h)][..., _continued(w)] if h % SIDE or w % SIDE else light
        restored = [self._one(clip, start) for clip in light.split(1)]
        return torch.cat(restored)[..., :h, :w]

    def _one(self, light: torch.Tensor, start: Start) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays()):
            found = self.net(light, [start])
        return frames_of(found, self.net.sizes.num_frames).add_(self.net.mean).clamp_(0, 1)

    def _start(self, block: torch.Tensor, noise: ReadNoise) -> Start:
        key = (noise, tuple(block.flatten().tolist()))
        if key not in self.starts:
            self.starts[key] = self.net.start(block, noise)
            if len(self.starts) > MOST_STARTS:
                self.starts.popitem(last=False)
        self.starts.move_to_end(key)
        return self.starts[key]


@remembered
def load_tokens_decoder(weights: str) -> LoadedDecoder:
    """The decoder of `weights`, checked against its card.

    Raises:
        ModelError: missing, damaged, of another kind, or with a wrong answer to the probe.
    """
    path, card = card_of(weights, TASK)
    net = load_verified(lambda: TokenDecoder(DecoderSizes(**card["model"])), path, card, probe)
    return LoadedDecoder(net.to(memory_format=torch.channels_last), card["facts"])  # type: ignore[call-overload]


def _repeated(counts: torch.Tensor) -> torch.Tensor | None:
    """The block (8, 8) that a map repeats, cut at the far borders; None where there is none."""
    h, w = counts.shape
    if min(h, w) < SIDE:
        return None
    block = counts[:SIDE, :SIDE]
    whole = block.repeat(-(-h // SIDE), -(-w // SIDE))[:h, :w]
    return block if torch.equal(whole, counts) else None


def _continued(side: int) -> torch.Tensor:
    """Which row stands at each row of a frame continued to whole blocks: beyond its last, that of a block before."""
    at = torch.arange(-(-side // SIDE) * SIDE)
    return torch.where(at < side, at, at - SIDE)
