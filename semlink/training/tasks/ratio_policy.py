"""Learning ratio maps by policy gradient, over a range of lambda, with one shared decoder.

First the policies explore while the decoder follows at its own pace or stands
still; in the last part the maps are frozen at their argmax and the decoder
settles on them, beside the uniform maps.

Source: [zhang2024crl, Sec. II-E, eqs. (6)-(8); phases from the public code].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.sensing.programmable.decoder_network import probe
from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer
from semlink.sensing.programmable.ratio_generator import (
    RatioGenerator,
    Reward,
    exploration_share,
    explored,
    policy_loss,
    sample,
)
from semlink.training.recipe import build_options
from semlink.training.tasks.ratio_map_draws import MapDraws
from semlink.training.tasks.sensor_decoder import (
    NetworkSpec,
    aperture_for,
    distortion,
    restore,
    score_tile,
)


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """How ratio maps are learned.

    Attributes:
        costs: lambda of each map, in nats of quality per measurement.
        quality, window: of the reward; see `Reward`.
        baseline: what is subtracted from the reward: "none" as published; "tile",
            the clip's mean at each tile position; "pair", what another draw of
            the map earned at the same pixel of the same clip. With either the
            rest is brought to unit deviation, beside the decoder's gradient.
        exploration: scale of the published exploration; 0 for none.
        warm: first steps, in which the decoder alone learns, on `maps` with all kinds.
        steps: how many steps of exploration follow; in what remains the maps stand
            at their argmax and the decoder settles on them.
        policy_rate: learning rate of the generators.
        policy_optimiser: "sgd" with momentum 0.9 as published, or "adam".
        follow: the decoder also learns while the policies explore.
        maps: what the decoder trains on besides learned maps; `listed` is the learned maps' share.
    """

    costs: list
    quality: str = "frame"
    window: int = 1
    baseline: str = "tile"
    exploration: float = 1.0
    warm: int = 0
    steps: int = 0
    policy_rate: float = 3e-3
    policy_optimiser: str = "adam"
    follow: bool = True
    maps: MapDraws = field(default_factory=lambda: MapDraws(uniform=0.35, tile=0.05, listed=0.6))
    noise: ReadNoise = field(default_factory=ReadNoise)
    loss: str = "rmse"


class SensingModel(nn.Module):
    """A decoder and one ratio generator for each lambda."""

    unaveraged = ("generators.",)

    def __init__(self, decoder: nn.Module, num_maps: int, channels: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.generators = nn.ModuleList(RatioGenerator(channels) for _ in range(num_maps))

    def forward(self, initial, counts=None, mask=None, estimate=None):
        return self.decoder(initial, counts, mask, estimate)


@dataclass(frozen=True, slots=True)
class RatioPolicyTask:
    """Maps for several lambda and a decoder for all of them."""

    network: NetworkSpec
    options: PolicyOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> RatioPolicyTask:
        task = cls(build_options(NetworkSpec, model, "model"), build_options(PolicyOptions, options, "options"))
        if not task.options.costs or task.options.steps < 1:
            raise ScenarioError("options: a ratio policy needs `costs` (at least one) and `steps` (of exploration)")
        return task

    @property
    def architecture(self) -> str:
        return f"reconstruction {self.network.words} with {len(self.options.costs)} ratio generators"

    def build(self) -> nn.Module:
        return SensingModel(
            self.network.build(), len(self.options.costs), len(counts_on_offer(self.network.num_frames))
        )

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        policy = {"sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9), "adam": torch.optim.Adam}
        if self.options.policy_optimiser not in policy:
            raise ScenarioError(
                f"options.policy_optimiser: got {self.options.policy_optimiser!r}, allowed: {sorted(policy)}"
            )
        make: Any = policy[self.options.policy_optimiser]
        return [
            torch.optim.Adam(model.decoder.parameters(), lr=learning_rate),
            make(model.generators.parameters(), lr=self.options.policy_rate),
        ]

    def loss(self, model: Any, clips, step, rng):
        if step < self.options.warm:
            return self._follow(model, clips, MapDraws(counts=self.options.maps.counts), rng)
        if step < self.options.warm + self.options.steps:
            return self._explore(model, clips, step - self.options.warm, rng)
        draws = replace(self.options.maps, tiles=learned_tiles(model))
        return self._follow(model, clips, draws, rng)

    def validate(self, model: Any, clips):
        figures = {}
        for count in sorted(set(self.options.maps.counts)):
            figures[f"psnr_fixed{count}_db"] = self._score(model, clips, [[count]])
        for cost, tile in zip(self.options.costs, learned_tiles(model), strict=True):
            figures[f"mean_count_{cost:g}"] = float(torch.tensor(tile).float().mean())
            figures[f"psnr_learned_{cost:g}_db"] = self._score(model, clips, tile)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        noise, tiles = self.options.noise, learned_tiles(model)
        rows = [
            {"cost": cost, "mean_count": float(torch.tensor(tile).float().mean()), "tile": tile}
            for cost, tile in zip(self.options.costs, tiles, strict=True)
        ]
        return {
            "num_frames": self.network.num_frames,
            "noise": {"shot": noise.shot, "read": noise.read},
            "masked": self.network.masked,
            "maps": "all" if self.options.maps.tile else sorted(set(self.options.maps.counts)),
            "stride": 4,
            "learned": rows,
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model.decoder)

    def _explore(self, model: Any, clips, step, rng):
        """One policy in turn draws a map for each clip; its reward moves it, the error moves the decoder."""
        number = step % len(self.options.costs)
        share = self.options.exploration * exploration_share(step)
        crop = clips.shape[-1]
        with torch.autocast(clips.device.type, enabled=False):
            tile = explored(model.generators[number].tile().softmax(0), min(1.0, share))
            probs = tile.repeat(1, -(-crop // 4), -(-crop // 4))[:, :crop, :crop]
        if self.options.baseline == "pair":
            clips = clips[: max(1, len(clips) // 2)].repeat(2, 1, 1, 1)
        actions = sample(probs, len(clips), rng=rng)
        counts = torch.tensor(counts_on_offer(clips.shape[1]), device=clips.device)[actions]
        with torch.set_grad_enabled(self.options.follow):
            restored = self._restore(model, clips, counts, rng)
        earn = Reward(self.options.costs[number], self.options.quality, self.options.window)
        reward = earn((restored - clips).square(), counts)
        if self.options.baseline == "pair":
            reward = reward - reward.roll(len(clips) // 2, 0)
        if self.options.baseline != "none":
            reward = reward / reward.std().clamp_min(1e-6)
        loss = policy_loss(probs, actions, reward, baseline=self.options.baseline == "tile")
        if self.options.follow:
            loss = loss + distortion(restored, clips, self.options.loss)
        return loss, {"sampled_count": float(counts.float().mean())}

    def _follow(self, model: Any, clips, draws: MapDraws, rng):
        """The decoder alone learns, on maps drawn as `draws` says."""
        counts = draws.draw(clips.shape[1], len(clips), clips.shape[-1], rng=rng).to(clips.device)
        return distortion(self._restore(model, clips, counts, rng), clips, self.options.loss), {}

    def _restore(self, model: Any, clips, counts, rng) -> torch.Tensor:
        mask = aperture_for(self.network, clips, rng)
        return restore(model, clips, counts, mask, self.options.noise, rng, estimated=self.network.estimated)

    def _score(self, model, clips, tile) -> float:
        return score_tile(model, clips, tile, self.network, self.options.noise)


@torch.no_grad()
def learned_tiles(model: Any) -> list[list[list[int]]]:
    """The argmax tile of each generator, as counts."""
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        picked = [generator.tile().argmax(0).cpu() for generator in model.generators]
    return [[[0 if a == 0 else 2 ** (a - 1) for a in row] for row in tile.tolist()] for tile in picked]
