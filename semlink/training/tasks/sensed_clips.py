"""Clips as a trained sensor sees them, and back to frames: what the training of transmission stands on.

The sensor is frozen: its learned map is repeated over the clip. Frames are
restored by its deep decoder, which may learn along. The classical estimate that
some decoders start from passes no gradient of its own; it is given that of the
initial reconstruction (straight through).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.payload import FrameShape
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.gap_tv import quick_estimate
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_map import tiled_map
from semlink.sensing.programmable.sensor import learned_tile


@dataclass(frozen=True, slots=True)
class SensedClips:
    """A sensor by the weights of its learned maps and decoder, and the mean count of its map."""

    weights: str = "sensor"
    mean_count: float = 2.5
    noise: ReadNoise = field(default_factory=ReadNoise)

    @property
    def tile(self) -> tuple[tuple[int, ...], ...]:
        """The learned map: rows of counts, to be repeated."""
        return learned_tile(self.weights, self.mean_count)

    def decoder(self) -> nn.Module:
        """The trained decoder, without gradients of its own."""
        with torch.autocast("cpu", enabled=False):  # its probe is checked in full precision
            return load_decoder(self.weights)[0]

    def counts(self, clips: torch.Tensor) -> torch.Tensor:
        """The map (h, w) for clips (b, t, h, w)."""
        return tiled_map(self.tile, FrameShape(*clips.shape[1:])).to(clips.device)

    def sense(self, clips: torch.Tensor, counts: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Noisy readings (b, t / 2, h, w)."""
        shape = (len(clips), clips.shape[1] // 2, *clips.shape[2:])
        normal = torch.randn(shape, generator=rng).to(clips.device)
        with torch.autocast(clips.device.type, enabled=False):
            return read_out(clips, counts, normal, noise=self.noise)

    def restore(self, decoder: Any, slots: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Frames (b, t, h, w) from readings, differentiable in them."""
        with torch.autocast(slots.device.type, enabled=False):
            initial = initial_reconstruction(slots, counts)
            estimate = None
            if decoder.estimated:
                estimate = quick_estimate(slots.detach(), counts, None, self.noise)
                estimate = initial + (estimate - initial).detach()
        return decoder(initial, counts, None, estimate).float()
