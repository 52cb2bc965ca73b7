"""Training the delta-sigma codec on tokens: two groups of a clip, the second behind what was decoded of the first.

Most clips are coded: blocks have classes, send as many channels as their class is allotted at a water level drawn for
the clip, and pay for their bits what the arithmetic coder will take. The rest send the same number of channels of every
block, without classes, as bits that travel by themselves. In some steps such bits meet noise: then the decoder's
prediction is not the encoder's, as on the air. The loss is ln(error) + price * bits of a block.

Source: [sun2020framediff, abstract] for the dropout; all else is this project's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from semlink.codecs.delta_sigma.tokens.allotment import LEVELS, allotted
from semlink.codecs.delta_sigma.tokens.contexts import facts_of, surprise
from semlink.codecs.delta_sigma.tokens.networks import (
    BLOCK,
    UNSCALED,
    Expectation,
    TokenBits,
    TokenBitSizes,
    classes_of,
    kept,
    probe,
    scales,
)
from semlink.codecs.token_readings import blocks
from semlink.codecs.tokens.contexts import TURNS, scan_order
from semlink.errors import ScenarioError
from semlink.training.muon import adam_and_muon
from semlink.training.recipe import build_options
from semlink.training.tokens.clip_settings import TokenClipSettings
from semlink.training.tokens.clips import TokenClips
from semlink.training.tokens.delta_sigma.start import linear_bits

ERROR_FLOOR = 1e-5
START_BATCHES, START_BATCH, START_BLOCKS = 10, 8, 12000
VALIDATED_CHANNELS = (4, 8, 16, 32)
VALIDATED_LEVELS = (8, 20, 32)


@dataclass(frozen=True, slots=True)
class TokenBitOptions:
    """How to train.

    Attributes:
        kept: channels of clips that are not coded, from .. to.
        coded: share of the clips that are coded.
        levels: water levels of these, from .. to.
        price: of a bit, over the clip's plain bits a block.
        noisy: share of the steps in which bits meet noise; none of their clips is coded.
        noise_db: amplitude of the bits over the noise in dB, from .. to.
        clips: the training clips, instead of the recipe's `clips`.
        weight_decay: of convolutions and products.
        linear_rate: learning rate of the linear code, as a share of the recipe's.
        muon: rate of 3x3 convolutions, which step by Muon, as a share of the recipe's; 0 leaves them to Adam.
    """

    kept: list = field(default_factory=lambda: [2, 32])
    coded: float = 0.7
    levels: list = field(default_factory=lambda: [0, 44])
    price: float = 0.25
    noisy: float = 0.12
    noise_db: list = field(default_factory=lambda: [-3.0, 8.0])
    clips: TokenClipSettings = field(default_factory=TokenClipSettings)
    weight_decay: float = 0.02
    linear_rate: float = 0.05
    muon: float = 0.0


class Sent(NamedTuple):
    """What is drawn for a batch: water levels (b,), channels (b,), which clips are coded (b,), and noise in dB."""

    level: torch.Tensor
    channels: torch.Tensor
    coded: torch.Tensor
    noise_db: float | None


@dataclass(frozen=True, slots=True)
class TokenBitTask:
    """One codec for all rates."""

    sizes: TokenBitSizes
    options: TokenBitOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> TokenBitTask:
        try:
            sizes = build_options(TokenBitSizes, model, "model")
        except ValueError as fault:
            raise fault if isinstance(fault, ScenarioError) else ScenarioError(str(fault)) from fault
        chosen = build_options(TokenBitOptions, options, "options")
        for name, most, least in (("kept", sizes.channels, 1), ("levels", LEVELS - 1, 0)):
            found = chosen.kept if name == "kept" else chosen.levels
            if len(found) != 2 or not least <= found[0] <= found[1] <= most:
                raise ScenarioError(f"options.{name}: got {found}, allowed: from .. to within {least} to {most}")
        return cls(sizes, chosen)

    @property
    def stored_narrow(self) -> bool:
        return True

    @property
    def architecture(self) -> str:
        return f"token delta-sigma {self.sizes.words}"

    def build(self) -> nn.Module:
        return TokenBits(self.sizes)

    def sampler(self, pack, settings, seed: int) -> TokenClips:
        """Clips of this task's own; of the recipe's `clips` only the crop counts."""
        return TokenClips(pack, self.options.clips, settings.crop, seed)

    @torch.no_grad()
    def begin(self, model: Any, sampler: TokenClips) -> None:
        """The linear code of training clips, of first groups and then behind what it decodes of them."""
        clips = torch.cat([sampler.batch(number, START_BATCH).cpu() for number in range(START_BATCHES)])
        first, later = clips[:, : self.sizes.group], clips[:, self.sizes.group : 2 * self.sizes.group]
        nothing = model.expect(None, first[..., ::BLOCK, ::BLOCK])
        classes = classes_of(first, nothing)
        self._take_up(model, first, nothing, classes)
        rng = torch.Generator().manual_seed(0)
        level = torch.randint(self.options.levels[0], self.options.levels[1] + 1, (len(clips),), generator=rng)
        count = allotted(level, classes, self.sizes.channels, later=False)
        _, bits = model.code(first, nothing, classes)
        expected = model.expect(model.frames(bits, count, nothing, classes).clamp(0, 1), count)
        self._take_up(model, later, expected, classes_of(later, expected))

    def _take_up(self, model: Any, frames: torch.Tensor, expected: Expectation, classes: torch.Tensor) -> None:
        part = int(expected.later)
        rest = (blocks(frames - 0.5, BLOCK) - expected.pixels).flatten(0, 2)
        some = torch.randperm(len(rest), generator=torch.Generator().manual_seed(part))[:START_BLOCKS]
        scale = scales(classes).flatten(0, 2)
        found = linear_bits(rest[some], scale[some], UNSCALED[part], self.sizes)
        for own, value in zip(model.linear(part), found):
            own.copy_(value)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        found = adam_and_muon(model, learning_rate, self.options.weight_decay, self.options.muon)
        linear = [model.analysis, model.synthesis]
        for group in found[0].param_groups:
            group["params"] = [p for p in group["params"] if all(p is not own for own in linear)]
        rate = self.options.linear_rate * learning_rate
        found[0].add_param_group({"params": linear, "lr": rate, "weight_decay": 0.0})
        return found

    def loss(self, model: Any, clips, step, rng):
        sent = self._drawn(clips, rng)
        encoder = decoder = None  # what each has decoded of the last group
        last, errors, costs = None, [], []
        for frames in clips.split(self.sizes.group, 1):
            here = expected = model.expect(decoder, frames[..., ::BLOCK, ::BLOCK])
            if sent.noise_db is not None and encoder is not None:
                with torch.no_grad():
                    here = model.expect(encoder, frames[..., ::BLOCK, ::BLOCK])
            classes = classes_of(frames, _detached(here)) * sent.coded[:, None, None]
            counts = self._counts(sent, classes, later=here.later)
            _, bits = model.code(frames, here, classes)
            arrived = bits if sent.noise_db is None else bits * self._reliability(bits, sent.noise_db, rng)
            decoded = model.frames(arrived, counts, expected, classes)
            errors.append((decoded.float() - frames).square().mean((1, 2, 3)))
            if self.options.price and sent.noise_db is None:
                costs.append(self._bits(model, bits, last, classes, counts, here.later, rng))
            last = (bits * kept(counts, self.sizes)).detach()
            encoder = decoder = decoded.detach().float().clamp(0, 1)
            if sent.noise_db is not None:
                with torch.no_grad():
                    encoder = model.frames(bits, counts, here, classes).float().clamp(0, 1)
        return self._figured(torch.stack(errors), costs, sent)

    def _figured(self, errors, costs, sent: Sent):
        quality = (errors + ERROR_FLOOR).log().mean()
        figures = {"first_db": _decibels(errors[0]), "later_db": _decibels(errors[1:].mean(0))}
        if not costs:
            return quality, figures
        bits, plain = (torch.stack(part).mean(0) for part in zip(*costs))
        figures |= {"bits": float(bits.detach().mean()), "plain_bits": float(plain.mean())}
        return quality + (self.options.price * bits / (plain + 4)).mean(), figures

    def _drawn(self, clips: torch.Tensor, rng: torch.Generator) -> Sent:
        o, b = self.options, len(clips)
        noisy, level_db = torch.rand(2, generator=rng).tolist()
        level = torch.randint(o.levels[0], o.levels[1] + 1, (b,), generator=rng)
        low, high = o.kept
        channels = (low * (high / low) ** torch.rand(b, generator=rng)).round().long()
        coded = torch.rand(b, generator=rng) < o.coded
        noise_db = None
        if noisy < o.noisy:
            coded, noise_db = torch.zeros_like(coded), o.noise_db[0] + (o.noise_db[1] - o.noise_db[0]) * level_db
        level, channels, coded = (part.to(clips.device) for part in (level, channels, coded))
        return Sent(level, channels, coded, noise_db)

    def _counts(self, sent: Sent, classes: torch.Tensor, *, later: bool) -> torch.Tensor:
        even = sent.channels[:, None, None].expand_as(classes)
        return torch.where(
            sent.coded[:, None, None], allotted(sent.level, classes, self.sizes.channels, later=later), even
        )

    def _reliability(self, bits: torch.Tensor, level_db: float, rng: torch.Generator) -> torch.Tensor:
        """What arrives of a bit of 1 behind noise: the sign (half of the clips) or the expected bit."""
        variance = 10 ** (-level_db / 10)
        heard = 1 + variance**0.5 * torch.randn(bits.shape, generator=rng)
        hard = torch.rand(len(bits), 1, 1, 1, generator=rng) < 0.5
        return torch.where(hard, heard.sign(), torch.tanh(heard / variance)).to(bits.device)

    def _bits(self, model, bits, last, classes, counts, later, rng) -> tuple[torch.Tensor, torch.Tensor]:
        """Coded and plain bits a block of each clip, as if all blocks cost what those of one drawn turn cost."""
        turn = torch.randint(0, TURNS, (len(bits),), generator=rng).to(bits.device)
        sent = kept(counts, self.sizes)
        own = (bits * sent).detach()
        last = torch.zeros_like(own) if last is None else last
        logits = model.contexts(own, last, facts_of(classes, counts, later), turn)
        now = (scan_order(bits.shape[1], bits.shape[2], bits.device) == turn[:, None, None]).float()
        cost = (surprise(bits, logits) * sent).sum(-1) * now
        return cost.mean((1, 2)) * TURNS, sent.sum(-1).mean((1, 2))

    def validate(self, model, clips):
        figures = {}
        for channels in VALIDATED_CHANNELS:
            if self.options.kept[0] <= channels <= self.options.kept[1]:
                figures[f"psnr_k{channels}_db"] = self._scored(model, clips, channels=channels)[0]
        for level in VALIDATED_LEVELS if self.options.coded else ():
            found = self._scored(model, clips, level=level)
            figures |= {f"psnr_l{level}_db": found[0], f"bits_per_pixel_l{level}": found[1]}
        return figures

    def _scored(self, model, clips, *, channels: int = 0, level: int = 0) -> tuple[float, float]:
        """Mean PSNR, and bits a pixel without those of classes."""
        found = []
        for clip in clips.split(1):
            drawn = [torch.tensor([x], device=clip.device) for x in (level, channels, not channels)]
            found.append(self._score(model, clip, Sent(drawn[0], drawn[1], drawn[2], None)))
        psnr, bits = zip(*found)
        return sum(psnr) / len(psnr), sum(bits) / len(bits)

    @torch.no_grad()
    def _score(self, model, clip, draw: Sent) -> tuple[float, float]:
        errors, bits_sent, decoded, last = [], 0.0, None, None
        for frames in clip.split(self.sizes.group, 1):
            expected = model.expect(decoded, frames[..., ::BLOCK, ::BLOCK])
            classes = classes_of(frames, expected) * draw.coded[:, None, None]
            counts = self._counts(draw, classes, later=expected.later)
            bits = model.code(frames, expected, classes)[1]
            decoded = model.frames(bits, counts, expected, classes).float().clamp(0, 1)
            errors.append((decoded - frames).square().mean())
            own = bits * kept(counts, self.sizes)
            bits_sent += self.coded_bits(model, own, last, classes, counts, expected.later)
            last = own
        return float(-10 * torch.stack(errors).mean().log10()), bits_sent / clip.numel()

    @staticmethod
    def coded_bits(model, own, last, classes, counts, later: bool) -> float:
        """Of one group, all turns."""
        total, order = 0.0, scan_order(own.shape[1], own.shape[2], own.device)
        last = torch.zeros_like(own) if last is None else last
        for turn in range(TURNS):
            logits = model.contexts(
                own, last, facts_of(classes, counts, later), torch.tensor([turn], device=own.device)
            )
            cost = (surprise(own, logits) * own.abs()).sum(-1)
            total += float(cost[:, order == turn].sum())
        return total

    def facts(self, model: Any) -> dict[str, Any]:
        return {
            "group": self.sizes.group,
            "channels": list(self.options.kept),
            "levels": list(self.options.levels) if self.options.coded else None,
            "noise_db": list(self.options.noise_db) if self.options.noisy else None,
            "colour": "gray",
        }

    def probe(self, model: Any) -> torch.Tensor:
        return probe(model)


def _detached(expected: Expectation) -> Expectation:
    return expected._replace(pixels=expected.pixels.detach())


def _decibels(error: torch.Tensor) -> float:
    return float((-10 * error.detach().log10()).mean())
