"""Training tasks of the programmable sensor: the decoder, the ratio policy, the differentiable variant.

Source: [zhang2024crl, Sec. II-E; schedule from the public code].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.payload import FrameShape
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.decoder_network import Reconstruction, probe
from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.gap_tv import quick_estimate
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_map import tiled_map
from semlink.training.recipe import build_options
from semlink.training.tasks.ratio_map_draws import MapDraws


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The reconstruction network; see `Reconstruction`."""

    num_frames: int = 16
    width: int = 16
    stages: int = 3
    masked: bool = False
    estimated: bool = False
    norm_first: bool = False

    def build(self, captures: int = 1) -> Reconstruction:
        return Reconstruction(
            self.num_frames,
            self.width,
            self.stages,
            masked=self.masked,
            captures=captures,
            estimated=self.estimated,
            norm_first=self.norm_first,
        ).start_at_initial()

    @property
    def words(self) -> str:
        """The size in words, for the architecture line of a card."""
        extras = [name for name in ("masked", "estimated", "norm_first") if getattr(self, name)]
        return " ".join([f"T={self.num_frames} width={self.width} stages={self.stages}", *extras])


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """Maps and noise that a decoder is trained with, and what it minimises.

    `loss`: "mse", or "rmse", the mean over clips of the root, which lets easy and hard clips weigh alike.
    """

    maps: MapDraws = field(default_factory=MapDraws)
    noise: ReadNoise = field(default_factory=ReadNoise)
    loss: str = "rmse"


@dataclass(frozen=True, slots=True)
class ReconstructionTask:
    """A decoder for one map, for several, or for all."""

    network: NetworkSpec
    options: DecoderOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> ReconstructionTask:
        return cls(build_options(NetworkSpec, model, "model"), build_options(DecoderOptions, options, "options"))

    @property
    def architecture(self) -> str:
        return f"reconstruction {self.network.words}"

    def build(self) -> nn.Module:
        return self.network.build()

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=learning_rate)]

    def loss(self, model, clips, step, rng):
        counts = self.options.maps.draw(clips.shape[1], len(clips), clips.shape[-1], rng=rng).to(clips.device)
        mask = aperture_for(self.network, clips, rng)
        restored = restore(model, clips, counts, mask, self.options.noise, rng, estimated=self.network.estimated)
        return distortion(restored, clips, self.options.loss), {}

    def validate(self, model, clips):
        figures = {}
        for count in sorted(set(self.options.maps.counts)):
            figures[f"psnr_fixed{count}_db"] = self._score(model, clips, [[count]])
        for number, tile in enumerate(self.options.maps.tiles):
            figures[f"psnr_tile{number}_db"] = self._score(model, clips, tile)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        noise = self.options.noise
        trained = "all" if self.options.maps.tile else sorted(set(self.options.maps.counts))
        return {
            "num_frames": self.network.num_frames,
            "noise": {"shot": noise.shot, "read": noise.read},
            "masked": self.network.masked,
            "maps": trained,
            "stride": Reconstruction.stride,
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)

    def _score(self, model, clips, tile) -> float:
        return score_tile(model, clips, tile, self.network, self.options.noise)


def score_tile(model, clips: torch.Tensor, tile, network: NetworkSpec, noise: ReadNoise) -> float:
    """PSNR in dB of `clips` sensed with a repeated tile, always with the same noise."""
    rng = torch.Generator().manual_seed(0)
    counts = tiled_map(tile, FrameShape(*clips.shape[1:])).to(clips.device)
    mask = aperture_for(network, clips)
    return mean_psnr_db(restore(model, clips, counts, mask, noise, rng, estimated=network.estimated), clips)


def aperture_for(network: NetworkSpec, clips: torch.Tensor, rng: torch.Generator | None = None) -> torch.Tensor | None:
    """The coded aperture for clips of this size if the network takes one; anywhere in the pattern with `rng`."""
    if not network.masked:
        return None
    return binary_aperture(*clips.shape[1:], corner_rng=rng).to(clips.device)


def restore(
    model, clips, counts, mask, noise: ReadNoise, rng: torch.Generator, *, estimated: bool = False
) -> torch.Tensor:
    """Sense `clips` with `counts` and decode: (b, T, h, w), float32."""
    slots = clips.shape[1] // 2
    normal = torch.randn(len(clips), slots, *clips.shape[2:], generator=rng).to(clips.device)
    with torch.autocast(clips.device.type, enabled=False):
        readings = read_out(clips, counts, normal, noise=noise, mask=mask)
        initial = initial_reconstruction(readings, counts, mask)
        estimate = quick_estimate(readings, counts, mask, noise) if estimated else None
    return model(initial, counts, mask, estimate).float()


def distortion(restored: torch.Tensor, clips: torch.Tensor, kind: str) -> torch.Tensor:
    """The loss called `kind`."""
    squared = (restored - clips).square()
    if kind == "mse":
        return squared.mean()
    if kind == "rmse":
        return (squared.mean((1, 2, 3)) + 1e-6).sqrt().mean()
    raise ScenarioError(f"options.loss: got {kind!r}, allowed: 'mse' or 'rmse'")


def mean_psnr_db(restored: torch.Tensor, clips: torch.Tensor) -> float:
    """Mean over clips of each clip's PSNR, after clamping to [0, 1]."""
    mse = (restored.clamp(0, 1) - clips).square().mean((1, 2, 3))
    return float(-10 * mse.clamp_min(1e-10).log10().mean())
