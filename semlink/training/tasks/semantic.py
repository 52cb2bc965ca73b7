"""Training the semantic-channel encoder and decoder with rate allocation.

One network for the whole plane: SNR and rate are drawn for every clip. With
`allocation: learned` each clip is sent twice, with two draws of the levels;
the better of two draws at a block is made more likely there. The difference
cancels what the content makes hard or easy, which is what a baseline is for.

Source: [zhang2024crl, Sec. III-B, eqs. (12)-(16)]; the paired baseline, the
whole plane in one network and `quality: clip` are this project's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings, taken
from semlink.codecs.semantic.networks import (
    STRIDE,
    SYMBOLS,
    SemanticDecoder,
    SemanticEncoder,
    SemanticSize,
    semantic_probe,
)
from semlink.codecs.semantic.rate_allocation import (
    EXPLORED,
    LEVELS,
    PER_LEVEL,
    RateAllocation,
    draw_levels,
    explored,
    log_probability,
    prefix_mask,
)
from semlink.errors import ScenarioError
from semlink.sensing.programmable.decoder_network import decoder_sizes, probe as decoder_probe
from semlink.training.recipe import build_options
from semlink.training.tasks.semantic_channel import over_block_fading, over_white_noise
from semlink.training.tasks.sensed_clips import SensedClips
from semlink.training.tasks.sensor_decoder import mean_psnr_db
from semlink.weights.tensors import probe_facts

TEMPERATURE = 0.03
"""Of the policy that is learned from all levels, in units of reward."""


@dataclass(frozen=True, slots=True)
class SemanticOptions:
    """How to train.

    Attributes:
        sensor: the frozen sensor and the decoder to begin with.
        loss: "task", the error of the restored video; "readings", that of the raw readings, as
            Sensordata+JSCC has it; or "initial", that of the initial reconstruction.
        warm: so many steps with "initial", which is cheap, first.
        joint: the decoder learns along.
        allocation: "uniform", one rate for all blocks; "mixed", also a random rate for each; "learned".
        snr_db: drawn from this range.
        fading: also over block Rayleigh fading with estimated gains, in half of the steps.
        kept: symbols of a block where all send alike, from .. to.
        per_level: symbols that a level adds, one of these for each clip.
        even_share: with "learned", so many steps still send all blocks alike, for when a map would not pay.
        prices: a level's price is drawn from this range, logarithmically.
        quality: what a block's reward measures: "clip", its error beside the clip's mean error, or
            "block", the logarithm of its own error as published.
        policy: "sampled", two draws of the levels of each clip, as published but for the baseline; or "exact",
            towards what the rewards of all four levels say, every block of a clip at the same one.
        learns: "all", or "policy", the rate allocation network alone.
        policy_rate: learning rate of the rate allocation network.
    """

    sensor: SensedClips = field(default_factory=SensedClips)
    loss: str = "task"
    warm: int = 0
    joint: bool = False
    allocation: str = "mixed"
    snr_db: list = field(default_factory=lambda: [0.0, 20.0])
    fading: bool = False
    kept: list = field(default_factory=lambda: [6, SYMBOLS])
    per_level: list = field(default_factory=lambda: list(PER_LEVEL))
    even_share: float = 0.15
    prices: list = field(default_factory=lambda: [0.01, 1.0])
    quality: str = "clip"
    policy: str = "sampled"
    learns: str = "all"
    policy_rate: float = 1e-3

    def __post_init__(self) -> None:
        for name, allowed in (
            ("loss", ("task", "readings", "initial")),
            ("allocation", ("uniform", "mixed", "learned")),
            ("quality", ("clip", "block")),
            ("policy", ("sampled", "exact")),
            ("learns", ("all", "policy")),
        ):
            if getattr(self, name) not in allowed:
                raise ScenarioError(f"options.{name}: got {getattr(self, name)!r}, allowed: {' or '.join(allowed)}")
        if (self.policy == "exact") != (self.learns == "policy"):
            raise ScenarioError("options.policy: exact and options.learns: policy go together; got one of them alone")


class SemanticModel(nn.Module):
    """Encoder `sce`, decoder `scd`, rate allocation `ran`, and `decoder` of the readings where it learns along."""

    unaveraged = ("ran",)

    def __init__(self, size: SemanticSize, tile: Any, decoder: nn.Module | None) -> None:
        super().__init__()
        self.sce, self.scd, self.ran = SemanticEncoder(size, tile), SemanticDecoder(size, tile), RateAllocation()
        if decoder is not None:
            self.decoder = decoder


@dataclass(frozen=True)
class SemanticTask:
    """SemCom, SemCom without rate allocation, and Sensordata+JSCC: one task, other options."""

    size: SemanticSize
    options: SemanticOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> SemanticTask:
        return cls(build_options(SemanticSize, model, "model"), build_options(SemanticOptions, options, "options"))

    @property
    def architecture(self) -> str:
        return f"semantic {self.size.words}" + (" with decoder" if self.options.joint else "")

    @cached_property
    def frozen(self) -> nn.Module:
        """The decoder of the sensor's own weights."""
        return self.options.sensor.decoder()

    def build(self) -> nn.Module:
        decoder = None
        if self.options.joint:
            decoder = self.options.sensor.decoder().requires_grad_(True)
        return SemanticModel(self.size, self.options.sensor.tile, decoder)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        policy = list(model.ran.parameters())
        if self.options.learns == "policy":
            return [torch.optim.Adam(policy, lr=self.options.policy_rate)]
        rest = [p for name, p in model.named_parameters() if not name.startswith("ran.")]
        return [torch.optim.Adam(rest, lr=learning_rate), torch.optim.Adam(policy, lr=self.options.policy_rate)]

    def loss(self, model, clips, step, rng):
        o = self.options
        counts = o.sensor.counts(clips)
        x = normalise_readings(o.sensor.sense(clips, counts, rng), counts)
        snr_db = o.snr_db[0] + (o.snr_db[1] - o.snr_db[0]) * torch.rand(len(clips), generator=rng).to(clips.device)
        if o.learns == "policy":
            return self._policy_alone(model, clips, x, snr_db, counts, rng)
        symbols = model.sce(x, snr_db)
        even = o.allocation != "learned" or bool(torch.rand((), generator=rng) < o.even_share)
        if not even and step >= o.warm:
            return self._learned(model, clips, x, symbols, snr_db, counts, rng)
        sent = prefix_mask(self._kept(symbols, rng))
        error = self._errors(model, clips, x, symbols, sent, snr_db, counts, rng, cheap=step < o.warm)
        return log_mean(error), {}

    def _kept(self, symbols: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Symbols of each block without a policy: (b, rows, columns)."""
        (b, _, rows, columns), (fewest, most) = symbols.shape, self.options.kept
        even = 2 * torch.randint(fewest // 2, most // 2 + 1, (b, 1, 1), generator=rng)
        if self.options.allocation == "mixed":
            uneven = self._per_level(b, rng)[:, None, None] * torch.randint(
                1, LEVELS + 1, (b, rows, columns), generator=rng
            )
            even = torch.where(torch.rand(b, 1, 1, generator=rng) < 0.5, uneven, even)
        return even.expand(b, rows, columns).to(symbols.device)

    def _per_level(self, clips: int, rng: torch.Generator) -> torch.Tensor:
        choice = torch.tensor(self.options.per_level)
        return choice[torch.randint(0, len(choice), (clips,), generator=rng)]

    def _policy_alone(self, model, clips, x, snr_db, counts, rng):
        """The loss of the rate allocation network with all else at rest."""
        log_price, per_level = self._prices(len(clips), rng, clips.device), self._per_level(len(clips), rng)
        per_level = per_level.to(clips.device)
        with torch.no_grad():
            symbols = model.sce(x, snr_db)
            shape = (len(clips), *symbols.shape[2:])
            levels = [torch.full(shape, level, device=clips.device) for level in range(1, LEVELS + 1)]
            sent = [prefix_mask(per_level[:, None, None] * f) for f in levels]
            errors = [self._errors(model, clips, x, symbols, part, snr_db, counts, rng) for part in sent]
            rewards = self.rewards_of_levels(torch.stack(errors, 1), log_price.exp())
        policy = model.ran(symbols, snr_db, log_price, per_level)
        level = (policy.detach().exp() * torch.arange(1, LEVELS + 1, device=policy.device)[:, None, None]).sum(1)
        return soft_policy_loss(policy, rewards), {"level": float(level.mean()), "spread": float(level.std())}

    def rewards_of_levels(self, errors: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
        """Rewards (b, 4, rows, columns) of all levels from squared errors (b, 4, t, h, w)."""
        b, choices = errors.shape[:2]
        levels = torch.arange(1, choices + 1, device=errors.device)[:, None, None]
        block = F.avg_pool2d(errors.mean(2), STRIDE)
        if self.options.quality == "block":
            gained = -(block + 1e-6).log()
        else:
            gained = -block / (block.mean((1, 2, 3), keepdim=True) + 1e-6)
        return gained - price[:, None, None, None] * levels

    def _prices(self, clips: int, rng: torch.Generator, device: torch.device) -> torch.Tensor:
        """Logarithms of prices, drawn evenly."""
        low, high = (torch.tensor(price).log() for price in self.options.prices)
        return (low + (high - low) * torch.rand(clips, generator=rng)).to(device)

    def _learned(self, model, clips, x, symbols, snr_db, counts, rng):
        log_price = self._prices(len(clips), rng, clips.device)
        per_level = self._per_level(len(clips), rng).to(clips.device)
        policy = explored(model.ran(symbols, snr_db, log_price, per_level), EXPLORED)
        levels = [draw_levels(policy, rng) for _ in range(2)]
        sent = [prefix_mask(per_level[:, None, None] * f) for f in levels]
        both = [torch.cat((part, part)) for part in (clips, x, symbols, snr_db)]
        error = self._errors(model, both[0], both[1], both[2], torch.cat(sent), both[3], counts, rng)
        rewards = self.rewards(error.detach(), torch.cat(levels), log_price.exp().repeat(2)).chunk(2)
        figures = {"level": float(torch.stack(levels).float().mean())}
        return log_mean(error) + policy_loss(policy, levels, rewards), figures

    def rewards(self, error: torch.Tensor, levels: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
        """Reward of each block (b, rows, columns) from squared errors (b, t, h, w)."""
        block = F.avg_pool2d(error.mean(1), STRIDE)
        if self.options.quality == "block":
            gained = -(block + 1e-6).log()
        else:
            clip = block.mean((1, 2), keepdim=True)
            gained = -block / (clip + 1e-6)
        return gained - price[:, None, None] * levels

    def _errors(self, model, clips, x, symbols, sent, snr_db, counts, rng, *, cheap: bool = False) -> torch.Tensor:
        """Squared errors (b, ., h, w) of whatever the loss is about."""
        fading = self.options.fading and bool(torch.rand((), generator=rng) < 0.5)
        channel = over_block_fading if fading else over_white_noise
        received, noise_var = channel(symbols, sent, snr_db, rng)
        found = model.scd(received, sent, noise_var, snr_db)
        if cheap or self.options.loss == "initial":
            return (found - x).square() * taken(counts, x.shape[1]) / 2  # eight slots, sixteen frames
        if self.options.loss == "readings":
            return (
                (denormalise_readings(found, counts) - denormalise_readings(x, counts)) / self.size.num_frames
            ).square()
        return (self._restore(model, denormalise_readings(found, counts), counts) - clips).square()

    def _restore(self, model: Any, slots: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        decoder = model.decoder if self.options.joint else self.frozen.to(slots.device)
        return self.options.sensor.restore(decoder, slots, counts)

    def validate(self, model, clips):
        """PSNR in dB at three rates and three SNRs, every block at the same rate; and what the policy chooses."""
        figures = {}
        for snr in (0.0, 10.0, 20.0):
            for kept in (12, 24, 48):
                figures[f"psnr_{kept}_{snr:g}dB"] = self._score(model, clips, snr, kept)
        return figures

    def _score(self, model, clips, snr: float, kept: int) -> float:
        rng = torch.Generator().manual_seed(0)
        restored = []
        for clip in clips.split(1):
            counts = self.options.sensor.counts(clip)
            x = normalise_readings(self.options.sensor.sense(clip, counts, rng), counts)
            snr_db = torch.full((1,), snr, device=clip.device)
            symbols = model.sce(x, snr_db)
            sent = prefix_mask(torch.full((1, *symbols.shape[2:]), kept, device=clip.device))
            received, noise_var = over_white_noise(symbols, sent, snr_db, rng)
            found = model.scd(received, sent, noise_var, snr_db)
            restored.append(self._restore(model, denormalise_readings(found, counts), counts))
        return mean_psnr_db(torch.cat(restored), clips)

    def facts(self, model: Any) -> dict[str, Any]:
        o = self.options
        noise = o.sensor.noise
        facts = {
            "num_frames": self.size.num_frames,
            "noise": {"shot": noise.shot, "read": noise.read},
            "masked": False,
            "maps": "all",
            "tile": [list(row) for row in o.sensor.tile],
            "sensor": o.sensor.weights,
            "mean_count": o.sensor.mean_count,
            "snr_db": o.snr_db,
            "prices": o.prices,
            "allocation": o.allocation,
            "fading": o.fading,
            "loss": o.loss,
            "joint": o.joint,
        }
        if o.joint:
            facts["decoder"] = decoder_sizes(model.decoder)
            facts["decoder_probe"] = probe_facts(decoder_probe(model.decoder))
        return facts

    def probe(self, model: Any) -> torch.Tensor:
        return semantic_probe(model.sce, model.scd, self.size)


def log_mean(error: torch.Tensor) -> torch.Tensor:
    """Mean over clips of the logarithm of each one's mean squared error: PSNR, in other units."""
    return (error.mean((1, 2, 3)) + 1e-5).log().mean()


def policy_loss(policy: torch.Tensor, levels: Sequence[torch.Tensor], rewards: Sequence[torch.Tensor]) -> torch.Tensor:
    """Minus the surrogate whose gradient is that of the expected reward, from two draws of the levels.

    Each draw has the other for its baseline. Advantages are scaled to a root
    mean square of one in each clip, so that dear and cheap clips weigh alike.
    Source: [williams1992reinforce], leave-one-out baseline.
    """
    advantage = (rewards[0] - rewards[1]) / 2
    advantage = advantage / advantage.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-6)
    chosen = log_probability(policy, levels[0]) - log_probability(policy, levels[1])
    return -(advantage * chosen).mean()


def soft_policy_loss(policy: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
    """Cross entropy between the policy (b, 4, rows, columns) and the one that chooses by exp(reward / temperature).

    That one maximises the expected reward plus `TEMPERATURE` times the entropy;
    unlike the gradient of the expected reward this one does not vanish where
    the policy is sure of itself.
    Source: [levine2018control, Sec. 2], the optimum of maximum-entropy control.
    """
    return -((rewards / TEMPERATURE).softmax(1) * policy).sum(1).mean()
