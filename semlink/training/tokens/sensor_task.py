"""Training the decoder of readings on tokens: one network for all ratio maps.

A batch meets several maps, each with the linear estimate that belongs to it: the
same count everywhere, the learned ones, tiles and blocks at random. The loss is
the mean of ln(error), which weighs easy and hard clips and maps alike; errors of
cosine coefficients are those of pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.errors import ScenarioError
from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.tokens.cosine import SIDE, coefficients, frames_of
from semlink.sensing.programmable.tokens.linear_start import WINDOW, LinearStart
from semlink.sensing.programmable.tokens.network import DecoderSizes, TokenDecoder, probe
from semlink.sensing.programmable.tokens.readings import brightness
from semlink.training.data.darkness import Darkness
from semlink.training.data.stationary import stationary_moments
from semlink.training.muon import adam_and_muon
from semlink.training.recipe import build_options
from semlink.training.tasks.ratio_map_draws import MapDraws
from semlink.training.tokens.clip_settings import TokenClipSettings
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.seen import on_device
from semlink.weights.cards import find_weights, read_card

ERROR_FLOOR = 3e-5
START_BATCHES, START_BATCH = 30, 8

Counts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class SensorTokenOptions:
    """What is minimised, and on what.

    Attributes:
        learned: weights whose card lists learned maps; drawn with the share `learned_share`, half of it for
            the one nearest to `favoured` readings a pixel.
        uniform: share of maps of one count, from `counts`; what is left goes to tiles and blocks at random, of
            which there are `random` since the linear part of each takes seconds.
        maps: of a batch; the share `still` of them is met without motion, as maps that do not repeat in blocks are.
        noise: of the sensor.
        clips, darkness: what is sensed, instead of the recipe's `clips`.
        weight_decay: of convolutions and products.
        muon: rate of 3x3 convolutions, which step by Muon, as a share of the recipe's; 0 leaves them to Adam.
    """

    learned: str = "sensor"
    learned_share: float = 0.4
    favoured: float = 2.5
    uniform: float = 0.35
    counts: list = field(default_factory=lambda: [1, 1, 2, 2, 4, 4, 8])
    random: int = 24
    maps: int = 4
    still: float = 0.1
    muon: float = 0.0
    noise: ReadNoise = field(default_factory=ReadNoise)
    clips: TokenClipSettings = field(default_factory=TokenClipSettings)
    darkness: Darkness = field(default_factory=Darkness)
    weight_decay: float = 0.02


@dataclass(frozen=True, slots=True)
class SensorTokenTask:
    """One decoder on tokens for all ratio maps."""

    sizes: DecoderSizes
    options: SensorTokenOptions
    tiles: tuple[Counts, ...]
    favoured: Counts
    known_starts: dict[Counts, LinearStart] = field(default_factory=dict)

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> SensorTokenTask:
        sizes, chosen = (
            build_options(DecoderSizes, model, "model"),
            build_options(SensorTokenOptions, options, "options"),
        )
        if not 0 <= chosen.learned_share + chosen.uniform <= 1:
            raise ScenarioError(
                f"options: got shares learned_share {chosen.learned_share} and uniform {chosen.uniform}; "
                "allowed: together 0 to 1"
            )
        if not 1 <= sizes.corrected <= sizes.coefficients:
            raise ScenarioError(f"model.corrected: got {sizes.corrected}; allowed: 1 to {sizes.coefficients}")
        rows = read_card(find_weights(chosen.learned))["facts"].get("learned", []) if chosen.learned_share else []
        if chosen.learned_share and not rows:
            raise ScenarioError(f"options.learned: weights {chosen.learned!r} list no learned maps")
        tiles = tuple(_block(row["tile"]) for row in rows)
        nearest = min(rows, key=lambda row: abs(row["mean_count"] - chosen.favoured), default={"tile": [[1]]})
        return cls(sizes, chosen, tiles, _block(nearest["tile"]))

    @property
    def stored_narrow(self) -> bool:
        return True

    @property
    def architecture(self) -> str:
        return f"token reconstruction {self.sizes.words}"

    def build(self) -> nn.Module:
        return TokenDecoder(self.sizes)

    def compiled_parts(self, model: Any) -> list[nn.Module]:
        """The trunk; what is around it differs from map to map."""
        return [model.trunk]

    def sampler(self, pack, settings, seed: int) -> TokenClips:
        """Clips of this task's own; of the recipe's `clips` only the crop counts."""
        return TokenClips(pack, self.options.clips, settings.crop, seed)

    def begin(self, model: Any, sampler: TokenClips) -> None:
        """The covariance of training clips, from which the linear estimates follow."""
        clips = (sampler.batch(number, START_BATCH).cpu() for number in range(START_BATCHES))
        model.begin(*stationary_moments(clips, WINDOW))

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return adam_and_muon(model, learning_rate, self.options.weight_decay, self.options.muon)

    def loss(self, model: Any, clips, step, rng):
        clips = self.options.darkness.cast(clips, rng)
        maps = min(self.options.maps, len(clips))
        while len(clips) % maps:
            maps -= 1
        counts = [self.draw(rng) for _ in range(maps)]
        starts = [self.start(model, each) for each in counts]
        still = torch.rand(maps, generator=rng) < self.options.still
        starts = [start.without_motion() if rests else start for start, rests in zip(starts, still.tolist())]
        readings = self.sense(model, clips, counts, on_device(rng, clips.device))
        error = (model(readings, starts) - self._aim(model, clips)).square().mean((1, 2, 3))
        loss = (error + ERROR_FLOOR).log().mean()
        return loss, {"error_db": float(-10 * error.detach().log10().mean())}

    def draw(self, rng: torch.Generator) -> Counts:
        """The counts of a block (8, 8) under a map drawn at random."""
        o, (kind, favoured) = self.options, torch.rand(2, generator=rng).tolist()
        if kind < o.uniform:
            return _block([[o.counts[int(torch.randint(len(o.counts), (), generator=rng))]]])
        if kind < o.uniform + o.learned_share:
            if favoured < 0.5:
                return self.favoured
            return self.tiles[int(torch.randint(len(self.tiles), (), generator=rng))]
        number = int(torch.randint(self.options.random, (), generator=rng))
        own = torch.Generator().manual_seed(number)
        free = MapDraws(uniform=0.0, tile=0.8)
        return _block(free.draw(self.sizes.num_frames, 1, SIDE, rng=own)[0].tolist())

    def start(self, model: Any, counts: Counts) -> LinearStart:
        """The linear part for a map, found once."""
        if counts not in self.known_starts:
            self.known_starts[counts] = model.start(torch.tensor(counts), self.options.noise)
        return self.known_starts[counts]

    def sense(self, model: Any, clips, counts: list[Counts], rng: torch.Generator) -> torch.Tensor:
        """Noisy readings as brightness less the mean; the batch in as many equal parts as there are maps."""
        h, w = clips.shape[-2:]
        maps = torch.tensor(counts, device=clips.device).repeat(1, h // SIDE, w // SIDE)
        maps = maps.repeat_interleave(len(clips) // len(counts), 0)
        normal = torch.randn(len(clips), clips.shape[1] // 2, h, w, generator=rng, device=clips.device)
        with torch.autocast(clips.device.type, enabled=False):
            slots = read_out(clips, maps, normal, noise=self.options.noise)
            return brightness(slots, maps, float(model.mean))

    def validate(self, model: Any, clips):
        figures = {}
        maps = {f"fixed{count}": _block([[count]]) for count in sorted(set(self.options.counts))}
        if self.tiles:
            maps["learned"] = self.favoured
        for name, counts in maps.items():
            figures[f"psnr_{name}_db"] = sum(self._score(model, clip, counts) for clip in clips.split(1)) / len(clips)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        return {
            "num_frames": self.sizes.num_frames,
            "noise": asdict(self.options.noise),
            "masked": False,
            "maps": "all",
            "stride": SIDE,
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)

    def _aim(self, model: Any, clips: torch.Tensor) -> torch.Tensor:
        with torch.autocast(clips.device.type, enabled=False):
            return coefficients(clips - model.mean)

    def _score(self, model: Any, clip: torch.Tensor, counts: Counts) -> float:
        rng = torch.Generator(clip.device).manual_seed(0)
        found = model(self.sense(model, clip, [counts], rng), [self.start(model, counts)])
        frames = (frames_of(found, self.sizes.num_frames) + model.mean).clamp(0, 1)
        return float(-10 * (frames - clip).square().mean().log10())


def _block(tile: Iterable[Iterable[int]]) -> Counts:
    """A tile repeated over a block, as it is stored in a table of maps.

    Raises:
        ScenarioError: it does not repeat in blocks.
    """
    table = torch.tensor([list(row) for row in tile])
    if SIDE % len(table) or SIDE % table.shape[1]:
        raise ScenarioError(f"a ratio map of tiles {tuple(table.shape)} does not repeat in blocks of {SIDE} pixels")
    whole = table.repeat(SIDE // len(table), SIDE // table.shape[1])
    return tuple(map(tuple, whole.tolist()))
