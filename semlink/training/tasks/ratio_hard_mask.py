"""Training the differentiable variant of paper 000: ratios and decoder end to end.

Loss = distortion + lambda mean(M). One generator with one channel for each
lambda; the decoder is shared and sees only what the mask lets through.

Source: [zhang2024crl-supp, Sec. I-B to I-D].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.sensing.programmable.decoder_network import probe
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.gap_tv import quick_estimate
from semlink.sensing.programmable.hard_mask import choose, chosen_counts, chosen_readings, four_captures
from semlink.sensing.programmable.ratio_generator import RatioGenerator
from semlink.training.recipe import build_options
from semlink.training.tasks.sensor_decoder import NetworkSpec, distortion, mean_psnr_db

CAPTURES = 4


@dataclass(frozen=True, slots=True)
class SteOptions:
    """How ratios are learned through the hard mask.

    Attributes:
        costs: lambda of each map: weight of mean(M) beside the distortion.
        ratio_rate: learning rate of the generators.
        gradient_scale: of the gradient that reaches M; the published sum over 64 channels is large.
        free_share: share of clips with random ratios, so that the decoder knows every choice.
        steps: steps in which the ratios learn; afterwards they stand still.
        noise, loss: as for the decoder.
    """

    costs: list
    ratio_rate: float = 3e-3
    gradient_scale: float = 1.0
    free_share: float = 0.2
    steps: int = 0
    noise: ReadNoise = field(default_factory=ReadNoise)
    loss: str = "mse"


class SteModel(nn.Module):
    """A decoder of four masked captures and one ratio generator for each lambda."""

    unaveraged = ("generators.",)

    def __init__(self, decoder: nn.Module, num_maps: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.generators = nn.ModuleList(RatioGenerator(1) for _ in range(num_maps))

    def ratio_tile(self, number: int) -> torch.Tensor:
        """M of one tile, (4, 4), in [0, 1]."""
        generator: Any = self.generators[number]
        return generator.tile()[0].sigmoid()

    def forward(self, kept: torch.Tensor, estimate: torch.Tensor | None = None) -> torch.Tensor:
        return self.decoder(kept, estimate=estimate)


@dataclass(frozen=True, slots=True)
class RatioSteTask:
    """Paper 000: a straight-through mask instead of sampling."""

    network: NetworkSpec
    options: SteOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> RatioSteTask:
        task = cls(build_options(NetworkSpec, model, "model"), build_options(SteOptions, options, "options"))
        if task.network.masked or not task.options.costs or task.options.steps < 1:
            raise ScenarioError("options: the variant takes no aperture, and needs `costs` and `steps` of learning")
        return task

    @property
    def architecture(self) -> str:
        return f"reconstruction of four captures {self.network.words} with {len(self.options.costs)} ratio generators"

    def build(self) -> nn.Module:
        return SteModel(self.network.build(CAPTURES), len(self.options.costs))

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.Adam(model.decoder.parameters(), lr=learning_rate),
            torch.optim.Adam(model.generators.parameters(), lr=self.options.ratio_rate),
        ]

    def loss(self, model: Any, clips, step, rng):
        number = step % len(self.options.costs)
        learning = step < self.options.steps
        with torch.autocast(clips.device.type, enabled=False), torch.set_grad_enabled(learning):
            tile = model.ratio_tile(number)
        ratio = repeat_ratio(tile, *clips.shape[-2:])
        free = torch.rand(len(clips), generator=rng) < self.options.free_share
        chance = torch.rand(clips.shape[0], 4, 4, generator=rng).to(clips.device)
        ratio = torch.where(free.to(clips.device).view(-1, 1, 1), repeat_ratio(chance, *clips.shape[-2:]), ratio)
        if learning and ratio.requires_grad:
            ratio.register_hook(lambda grad: grad * self.options.gradient_scale)
        restored = self._restore(model, clips, ratio, rng)
        loss = distortion(restored, clips, self.options.loss)
        if learning:
            loss = loss + self.options.costs[number] * tile.mean()
        return loss, {f"mean_count_{self.options.costs[number]:g}": float(_counts(tile).float().mean())}

    def validate(self, model: Any, clips):
        figures = {}
        for number, cost in enumerate(self.options.costs):
            ratio = repeat_ratio(model.ratio_tile(number), *clips.shape[-2:])
            restored = self._restore(model, clips, ratio, torch.Generator().manual_seed(0))
            figures[f"psnr_ste_{cost:g}_db"] = mean_psnr_db(restored, clips)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        noise = self.options.noise
        tiles = [_counts(model.ratio_tile(number).detach()) for number in range(len(self.options.costs))]
        rows = [
            {"cost": cost, "mean_count": float(tile.float().mean()), "tile": tile.tolist()}
            for cost, tile in zip(self.options.costs, tiles, strict=True)
        ]
        return {
            "num_frames": self.network.num_frames,
            "noise": {"shot": noise.shot, "read": noise.read},
            "masked": False,
            "maps": "four captures",
            "stride": 4,
            "learned": rows,
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model.decoder)

    def _restore(self, model, clips, ratio, rng) -> torch.Tensor:
        t = clips.shape[1]
        normal = torch.randn(len(clips), CAPTURES, t // 2, *clips.shape[2:], generator=rng).to(clips.device)
        with torch.autocast(clips.device.type, enabled=False):
            captures, readings = four_captures(clips, normal, self.options.noise)
            kept = choose(captures, ratio, t)
            estimate = None
            if self.network.estimated:
                slots, counts = chosen_readings(readings, ratio.detach())
                estimate = quick_estimate(slots, counts, None, self.options.noise)
        return model(kept, estimate).float()


def repeat_ratio(tile: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A tile (..., 4, 4) over a frame, cut at the far borders."""
    leading = [1] * (tile.dim() - 2)
    return tile.repeat(*leading, -(-height // 4), -(-width // 4))[..., :height, :width]


def _counts(tile: torch.Tensor) -> torch.Tensor:
    return chosen_counts(tile.detach().cpu())
