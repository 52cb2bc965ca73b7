"""Training semantic transmission by tokens: SemCom, without rate allocation, and Sensordata+JSCC, by one recipe.

One network for the whole plane: every clip draws its SNR and its rate, and some
batches fade. The loss is ln(error + a little), which weighs all points and easy
and hard clips alike. Beside it the prediction of errors learns from what every
group was left with, and the policy of the levels by policy gradient.

Source: [zhang2024crl, Sec. III-B, eqs. (12)-(16)]; prediction and the plane in one network are this project's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.codecs.semantic.tokens.allocation import (
    EXPLORED,
    error_at,
    policy_filled,
    water_filled,
)
from semlink.codecs.semantic.tokens.groups import prefixes
from semlink.codecs.semantic.tokens.networks import Arrived, SemanticTokenNet, SemanticTokenSizes, Sent, probe
from semlink.errors import ScenarioError
from semlink.nn.tokens import channels_first, channels_last
from semlink.training.recipe import build_options
from semlink.training.tasks.semantic_channel import clip_power, over_block_fading, over_white_noise
from semlink.training.tasks.sensed_clips import SensedClips
from semlink.training.tokens.clip_settings import TokenClipSettings
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.linear_code import linear_code
from semlink.training.tokens.policy_gradient import foreseen_loss, policy_loss, short_of_best
from semlink.training.tokens.rate_draws import RateDraws
from semlink.training.tokens.seen import on_device, seen_as_tokens
from semlink.training.tokens.semantic_start import begin_symbols, take_digital, take_linear

ERROR_FLOOR = 1e-4
START_BATCHES, START_BATCH = 30, 8
VALIDATED = ((28, 10.0), (48, 10.0), (96, 10.0), (190, 10.0), (96, 0.0), (96, 20.0))
"""Symbols of a group and SNR in dB."""
FILLED_AT = 10.0
"""SNR at which chosen rates are validated too."""


@dataclass(frozen=True, slots=True)
class SemanticTokenOptions:
    """What is minimised, and on what.

    Attributes:
        sensor: whose readings are sent.
        clips: the training clips, instead of the recipe's `clips`.
        trunk: weights of a digital code of tokens to begin with; "" for the linear code of training clips.
        allocation: "chosen", rates by prediction and by policy and even ones; "uniform", even rates alone.
        shares: of clips with even rates, water-filled ones, and draws of the policy.
        snr_db, kept, prices: ranges of the SNR, of the mean symbols of a group, and of the price of a symbol.
        fading: share of steps over block Rayleigh fading with estimated gains.
        draws: times that each clip of a batch is sent; what one finds corrects what the others expect.
        exploration: share of the policy's draws that is uniform.
        foreseen: steps at the beginning in which nothing is sent and the policy alone learns, from what is predicted.
        prediction, policy: weights of both losses.
        weight_decay: of convolutions and products.
    """

    sensor: SensedClips = field(default_factory=SensedClips)
    clips: TokenClipSettings = field(default_factory=TokenClipSettings)
    trunk: str = ""
    allocation: str = "chosen"
    shares: list = field(default_factory=lambda: [0.3, 0.45, 0.25])
    snr_db: list = field(default_factory=lambda: [0.0, 20.0])
    kept: list = field(default_factory=lambda: [8.0, 240.0])
    prices: list = field(default_factory=lambda: [5e-4, 0.08])
    fading: float = 0.25
    draws: int = 1
    exploration: float = EXPLORED
    foreseen: int = 0
    prediction: float = 0.05
    policy: float = 0.05
    weight_decay: float = 0.02

    def __post_init__(self) -> None:
        if self.allocation not in ("chosen", "uniform"):
            raise ScenarioError(f"options.allocation: got {self.allocation!r}, allowed: chosen or uniform")
        if not 0 <= self.exploration <= 1:
            raise ScenarioError(f"options.exploration: got {self.exploration}, allowed: a share, 0 to 1")
        for name in ("snr_db", "kept", "prices"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ScenarioError(f"options.{name}: got {low} to {high}, allowed: two numbers, the lower one first")


@dataclass(frozen=True, slots=True)
class SemanticTokenTask:
    """One semantic code of tokens for all rates and SNRs of one sensor."""

    sizes: SemanticTokenSizes
    options: SemanticTokenOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> SemanticTokenTask:
        chosen = build_options(SemanticTokenOptions, options, "options")
        tile = [list(row) for row in chosen.sensor.tile]
        return cls(build_options(SemanticTokenSizes, {"tile": tile} | dict(model), "model"), chosen)

    @property
    def stored_narrow(self) -> bool:
        """A byte a weight."""
        return True

    @property
    def architecture(self) -> str:
        return f"semantic tokens {self.sizes.words}"

    def build(self) -> nn.Module:
        return SemanticTokenNet(self.sizes)

    def sampler(self, pack, settings, seed: int) -> TokenClips:
        """Clips of this task's own; of the recipe's `clips` only the crop counts."""
        return TokenClips(pack, self.options.clips, settings.crop, seed)

    def begin(self, model: Any, sampler: TokenClips) -> None:
        """The digital code or the linear code, and symbols by principal components of its latents."""
        rng = torch.Generator().manual_seed(0)
        pairs = [self._seen(sampler.batch(n, START_BATCH).cpu(), rng) for n in range(START_BATCHES)]
        if self.options.trunk:
            from semlink.codecs.tokens.loaded import load_tokens  # needs the range coder, which training does not

            take_digital(model, load_tokens(self.options.trunk).net)
        else:
            take_linear(model, linear_code(pairs, self.sizes.latents))
        begin_symbols(model, (x for x, _ in pairs))

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": self.options.weight_decay},
            {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return [torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)]

    def compiled_parts(self, model: Any) -> list[nn.Module]:
        """The trunks: rates are drawn and water-filled between them, which a compiler cannot follow."""
        return [model.look, model.decide, model.restore]

    def loss(self, model: Any, clips, step, rng):
        o = self.options
        x, v = self._seen(clips, rng)
        low, high = o.snr_db
        snr_db = (low + (high - low) * torch.rand(len(clips), generator=rng)).to(clips.device)
        shares = o.shares if o.allocation == "chosen" else [1.0, 0.0, 0.0]
        draws = RateDraws.drawn(
            len(clips), shares, o.kept, o.prices, self.sizes.levels, clips.device, rng, o.exploration
        )
        if step < o.foreseen:
            said = model.choices(x, snr_db, draws.log_price)
            return o.policy * foreseen_loss(said, draws), {"policy_short": short_of_best(said, draws)}
        return self._sent_loss(model, x, v, snr_db, draws, rng)

    def _sent_loss(self, model: Any, x, v, snr_db, draws: RateDraws, rng) -> tuple[torch.Tensor, dict[str, float]]:
        o = self.options
        x, v, snr_db = (each.repeat_interleave(o.draws, 0) for each in (x, v, snr_db))
        draws, aim = draws.repeated(o.draws), x if self.sizes.writes == "readings" else v
        fades = bool(torch.rand((), generator=rng) < o.fading)
        air = over_air(over_block_fading if fades else over_white_noise, snr_db, on_device(rng, x.device))
        sent = model(x, snr_db, draws.log_price, draws, air)
        error = self._errors(sent.written, aim)
        quality = (error.mean((1, 2)) + ERROR_FLOOR).log()
        figures = {"ln_error": float(quality.detach().mean())}
        if o.allocation == "uniform":
            return quality.mean(), figures
        group = self._of_groups(error.detach())
        prediction = self.prediction_loss(sent, group)
        policy = policy_loss(sent, group, draws, o.draws)
        figures["policy_short"] = short_of_best(sent, draws)
        return quality.mean() + o.prediction * prediction + o.policy * policy, figures

    def prediction_loss(self, sent: Sent, error: torch.Tensor) -> torch.Tensor:
        """Minus the log likelihood of errors (b, h, w), exponential about their prediction: it aims at their mean."""
        levels = torch.tensor(self.sizes.levels, device=error.device)
        expected = error_at(sent.log_errors, levels, sent.kept)
        return ((error + 1e-5) * (-expected).exp() + expected).mean()

    def _errors(self, written: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
        """Mean squared error of every block (b, h, w)."""
        return (written - aim).square().mean(-1)

    def _of_groups(self, error: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(error[:, None], self.sizes.group)[:, 0]

    def validate(self, model: Any, clips):
        """PSNR in dB of frames, or of readings, at even rates; and, map not paid, water-filled and by the policy."""
        x, v = self._seen(clips, torch.Generator().manual_seed(0))
        aim = x if self.sizes.writes == "readings" else v
        figures = {}
        chosen = self.options.allocation == "chosen"
        for kept, snr in VALIDATED:
            for way in ("even", "filled", "policy") if chosen and snr == FILLED_AT else ("even",):
                found = [self._score(model, *pair, kept, snr, way) for pair in zip(x.split(1), aim.split(1))]
                figures[f"psnr_{way}_{kept}_{snr:g}dB"] = sum(found) / len(found)
        return figures

    def _score(self, model: SemanticTokenNet, x, aim, kept: int, snr: float, way: str) -> float:
        snr_db, levels = torch.full((1,), snr, device=x.device), torch.tensor(self.sizes.levels, device=x.device)
        mean = torch.full((1,), float(kept), device=x.device)

        def rates(log_errors, log_chances):
            if way == "filled":
                return levels[water_filled(log_errors, levels, mean)]
            if way == "policy":
                seen, left_out = model.before_point(x), model.left_out(x)
                return levels[policy_filled(model.choose.thresholds(seen, left_out, snr_db), levels, mean)]
            return torch.full(log_errors.shape[:3], kept, device=x.device)

        air = over_air(over_white_noise, snr_db, torch.Generator().manual_seed(1))
        written = model(x, snr_db, torch.zeros_like(mean), rates, air).written
        written = written.clamp(0, 1) if self.sizes.writes == "frames" else written
        return float(-10 * self._errors(written, aim).mean().log10())

    def facts(self, model: Any) -> dict[str, Any]:
        o = self.options
        return {
            "num_frames": self.sizes.num_frames,
            "noise": asdict(o.sensor.noise),
            "masked": False,
            "maps": "all",
            "tile": [list(row) for row in o.sensor.tile],
            "sensor": o.sensor.weights,
            "mean_count": o.sensor.mean_count,
            "snr_db": o.snr_db,
            "kept": o.kept,
            "prices": o.prices,
            "allocation": o.allocation,
            "fading": o.fading > 0,
            "joint": False,
            "loss": "readings" if self.sizes.writes == "readings" else "task",
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)

    def _seen(self, clips: torch.Tensor, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return seen_as_tokens(self.options.sensor, self.sizes.readings, clips, rng)


def over_air(channel, snr_db: torch.Tensor, rng: torch.Generator):
    """What arrives over one of the channels of training, which take symbols as planes (b, n, h, w)."""

    def air(symbols: torch.Tensor, kept: torch.Tensor) -> Arrived:
        planes, sent = channels_first(symbols), channels_first(prefixes(kept, symbols.shape[-1]))
        received, noise_var = channel(planes, sent, snr_db, rng)
        power = clip_power(planes, sent).flatten()
        return Arrived(channels_last(received), channels_last(noise_var), kept, power, snr_db)

    return air
