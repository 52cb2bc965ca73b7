"""Training the digital code of tokens: error of the pixels, price of the bits, one network for all rates.

Every clip of a batch draws its own knob q; the loss is ln(error + a little) +
price(q) * bits a token, which weighs easy and hard clips, fine and coarse rates
alike. The bits of each group of latents are taken at one turn of the scan, drawn
for each clip: a quarter of the work, and right in the mean. The clean video is
the aim, so the code may restore better than the sensor's own decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.codecs.tokens.contexts import TURNS
from semlink.codecs.tokens.networks import KNOB_STEPS, Refinement, TokenCodecNet, TokenSizes, probe
from semlink.errors import ScenarioError
from semlink.training.muon import adam_and_muon
from semlink.training.recipe import build_options
from semlink.training.tasks.sensed_clips import SensedClips
from semlink.training.tokens.clip_settings import TokenClipSettings
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.linear_code import linear_code
from semlink.training.tokens.seen import on_device, seen_as_tokens

ERROR_FLOOR = 1e-4
VALIDATED_KNOBS = (0.2, 0.5, 0.8)
START_BATCHES, START_BATCH = 30, 8


@dataclass(frozen=True, slots=True)
class TokenCompressionOptions:
    """What is minimised, and on what.

    Attributes:
        sensor: whose readings are coded.
        clips: the training clips, instead of the recipe's `clips`.
        coarse_price, fine_price: of a bit a token, in units of ln(error), at both ends of the knob.
        weight_decay: of convolutions and products.
        refined: share of the clips whose receiver learns a part of the rounding over an analogue layer, for
            `kind: hybrid`.
        refining_db: range of the SNR of that layer's mean symbol.
        muon: rate of 3x3 convolutions, which step by Muon, as a share of the recipe's; 0 leaves them to Adam.
    """

    sensor: SensedClips = field(default_factory=SensedClips)
    clips: TokenClipSettings = field(default_factory=TokenClipSettings)
    coarse_price: float = 0.4
    fine_price: float = 0.001
    weight_decay: float = 0.02
    refined: float = 0.15
    refining_db: list = field(default_factory=lambda: [-10.0, 20.0])
    muon: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenCompressionTask:
    """One digital code of tokens for all rates of one sensor."""

    sizes: TokenSizes
    options: TokenCompressionOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> TokenCompressionTask:
        chosen = build_options(TokenCompressionOptions, options, "options")
        tile = [list(row) for row in chosen.sensor.tile]
        sizes = build_options(TokenSizes, {"tile": tile} | dict(model), "model")
        if not 0 < chosen.fine_price < chosen.coarse_price:
            raise ScenarioError(
                f"options: got prices {chosen.coarse_price} to {chosen.fine_price}, "
                "allowed: coarse_price above fine_price above 0"
            )
        return cls(sizes, chosen)

    @property
    def stored_narrow(self) -> bool:
        """A byte a weight: that costs nothing that could be measured, and half precision would take 22 MB."""
        return True

    @property
    def architecture(self) -> str:
        return f"token compression {self.sizes.words}"

    def build(self) -> nn.Module:
        return TokenCodecNet(self.sizes)

    def sampler(self, pack, settings, seed: int) -> TokenClips:
        """Clips of this task's own; of the recipe's `clips` only the crop counts."""
        return TokenClips(pack, self.options.clips, settings.crop, seed)

    def begin(self, model: Any, sampler: TokenClips) -> None:
        """The linear code of training clips, which the trunks then correct."""
        rng = torch.Generator().manual_seed(0)
        seen = (self._seen(sampler.batch(number, START_BATCH), rng) for number in range(START_BATCHES))
        model.begin(linear_code(((x.cpu(), v.cpu()) for x, v in seen), self.sizes.latents))

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        return adam_and_muon(model, learning_rate, self.options.weight_decay, self.options.muon)

    def loss(self, model: Any, clips, step, rng):
        knob = (torch.randint(0, KNOB_STEPS, (len(clips),), generator=rng) / KNOB_STEPS).to(clips.device)
        turns = torch.randint(0, TURNS, (len(self.sizes.groups), len(clips)), generator=rng).to(clips.device)
        rng = on_device(rng, clips.device)
        x, v = self._seen(clips, rng)
        noise = torch.rand(*v.shape[:3], self.sizes.latents, generator=rng, device=clips.device) - 0.5
        refinement = self.refinement(noise, rng)
        decoded, bits = model(x, knob, turns, noise, refinement)
        error = (decoded - v).square().mean((1, 2, 3))
        bits = bits / v[0, ..., 0].numel()
        quality = (error + ERROR_FLOOR).log()
        figures = {"ln_error": float(quality.detach().mean()), "bits_per_token": float(bits.detach().mean())}
        return (quality + self.price(knob) * bits).mean(), figures

    def refinement(self, noise: torch.Tensor, rng: torch.Generator) -> Refinement:
        """What each clip's receiver learns of the rounding, for latents of the shape of `noise`."""
        o, clips, device = self.options, len(noise), noise.device
        low, high = o.refining_db
        taken, snr, sent = torch.rand(3, clips, generator=rng, device=device)
        snr = (taken < o.refined) * 10 ** ((low + (high - low) * snr) / 10)
        normal = torch.randn(noise.shape, generator=rng, device=device)
        return Refinement(snr, 0.05 + 0.95 * sent, normal)

    def price(self, knob: torch.Tensor) -> torch.Tensor:
        """Of a bit a token, in units of ln(error)."""
        return self.options.coarse_price * (self.options.fine_price / self.options.coarse_price) ** knob

    def validate(self, model: Any, clips):
        x, v = self._seen(clips, torch.Generator().manual_seed(0))
        figures = {}
        for value in VALIDATED_KNOBS:
            psnr, bits = zip(*(_coded(model, a, b, value) for a, b in zip(x.split(1), v.split(1))))
            figures[f"psnr_q{round(100 * value)}_db"] = sum(psnr) / len(psnr)
            figures[f"bits_per_token_q{round(100 * value)}"] = sum(bits) / len(bits)
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        sensor = self.options.sensor
        return {
            "num_frames": self.sizes.num_frames,
            "noise": asdict(sensor.noise),
            "masked": False,
            "maps": "learned",
            "tile": [list(row) for row in sensor.tile],
            "sensor": {"weights": sensor.weights, "mean_count": sensor.mean_count},
            "knobs": [0.0, 1.0],
            "stride": self.sizes.block,
            "prices": [self.options.coarse_price, self.options.fine_price],
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)

    def _seen(self, clips, rng) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighed readings and pixels of every block."""
        return seen_as_tokens(self.options.sensor, self.sizes.readings, clips, rng)


@torch.no_grad()
def _coded(model: TokenCodecNet, x: torch.Tensor, v: torch.Tensor, knob: float) -> tuple[float, float]:
    """PSNR and bits a token of one clip, latents rounded."""
    q = torch.full((1,), round(knob * KNOB_STEPS) / KNOB_STEPS, device=x.device)
    latents = model.analyse(x, q).round()
    error = (model.synthesise(latents, q).clamp(0, 1) - v).square().mean()
    bits = model.contexts.bits(latents, latents, q, model.gain(q)).mean()
    return float(-10 * error.log10()), float(bits)
