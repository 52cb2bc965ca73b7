"""Training the delta-sigma video codec: two groups of a clip, the second behind what was decoded of the first.

Each clip keeps its own number of channels, so one model learns all rates. In a share of the clips
bits pass over a binary-input channel with Gaussian noise, decided hard or weighed by their likelihood, and in
a share blocks are missing: then the decoder's context is not the encoder's, as on the air. The loss is
the mean logarithm of the squared error, so that easy and hard clips, few and many channels weigh alike.

Source: [sun2020framediff, abstract] for the dropout; noise, loss and the two groups are this project's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from semlink.codecs.delta_sigma.contexts import context_counts
from semlink.codecs.delta_sigma.networks import DeltaSigmaNet, DeltaSigmaSize, delta_sigma_probe, keep_channels
from semlink.errors import ScenarioError
from semlink.training.recipe import build_options

FLOOR = 1e-5
"""Squared error below which nothing is gained: 50 dB."""
VALIDATED = 0.25, 0.5, 1.0
"""Shares of the channels that validation keeps."""
COUNTED = 10
"""Steps from one count of ones and zeros, for the arithmetic coder, to the next."""
REMEMBERED = 0.95
LINEAR = ("spatial", "temporal", "offset", "back_spatial", "back_temporal")


@dataclass(frozen=True, slots=True)
class DeltaSigmaOptions:
    """How to train.

    Attributes:
        kept: channels that are kept, from .. to; both alike for a model of one rate.
        flips: share of clips whose bits arrive through noise.
        noise_db: of these, amplitude of the bits over the noise in dB, from .. to.
        erased: share of clips in which some blocks do not arrive.
        linear_rate: learning rate of the linear transform, as a share of the recipe's.
        encoder_rate: learning rate of what stands before the quantiser, whose gradient is not that of the sign.
    """

    kept: list = field(default_factory=lambda: [2, 32])
    flips: float = 0.0
    noise_db: list = field(default_factory=lambda: [-3.0, 8.0])
    erased: float = 0.0
    linear_rate: float = 0.1
    encoder_rate: float = 1.0


@dataclass(frozen=True, slots=True)
class DeltaSigmaTask:
    """One codec; its size says order, scan and fusion."""

    size: DeltaSigmaSize
    options: DeltaSigmaOptions

    @classmethod
    def from_recipe(cls, model: Mapping[str, Any], options: Mapping[str, Any]) -> DeltaSigmaTask:
        try:
            size = build_options(DeltaSigmaSize, model, "model")
        except ValueError as fault:
            raise fault if isinstance(fault, ScenarioError) else ScenarioError(str(fault)) from fault
        task = cls(size, build_options(DeltaSigmaOptions, options, "options"))
        kept = task.options.kept
        if len(kept) != 2 or not 1 <= kept[0] <= kept[1] <= size.channels:
            raise ScenarioError(f"options.kept: got {kept}, allowed: from .. to within 1 to {size.channels}")
        return task

    @property
    def architecture(self) -> str:
        return f"delta-sigma {self.size.words}"

    def build(self) -> nn.Module:
        return DeltaSigmaNet(self.size)

    def optimisers(self, model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            groups.setdefault(self._rate(name), []).append(parameter)
        return [
            torch.optim.Adam([{"params": p, "lr": share * learning_rate} for share, p in groups.items()], fused=True)
        ]

    def _rate(self, name: str) -> float:
        if name in LINEAR:
            return self.options.linear_rate
        return self.options.encoder_rate if name.startswith("encoder.") else 1.0

    def loss(self, model, clips, step, rng):
        groups = clips.split(self.size.group, 1)
        count = self._count(clips, rng)
        noisy = torch.rand(len(clips), generator=rng) < self.options.flips
        sent = received = None
        errors = []
        for number, frames in enumerate(groups):
            later = number > 0
            expected = model.context(received, count)
            known_here = model.context(sent, count)
            _, bits = model.code(frames, known_here, later=later)
            if step % COUNTED == 0:
                learn_chances(model, bits, later=later)
            known = keep_channels(bits, count)
            arrived = bits * self._reliability(bits, noisy, rng)
            decoded = model.frames(arrived, known, expected, later=later)
            errors.append((decoded.float() - frames).square().mean((1, 2, 3)))
            received = decoded[:, -2:].detach().float().clamp(0, 1)
            sent = self._as_sent(model, received, bits, known, known_here, noisy, later=later)
        error = torch.stack(errors)
        figures = {"first_db": _decibels(error[0]), "later_db": _decibels(error[1:].mean(0))}
        return (error + FLOOR).log().mean(), figures

    def validate(self, model, clips):
        figures = {}
        for share in VALIDATED:
            kept = max(1, min(round(share * self.size.channels), self.options.kept[1]))
            error = self._error(model, clips, kept)
            figures[f"psnr_k{kept}_db"] = float((-10 * error.log10()).mean())
        return figures

    def facts(self, model: Any) -> dict[str, Any]:
        return {
            "group": self.size.group,
            "channels": list(self.options.kept),
            "noise_db": list(self.options.noise_db) if self.options.flips else None,
            "colour": "gray",
        }

    def probe(self, model: Any) -> torch.Tensor:
        return delta_sigma_probe(model)

    def _count(self, clips: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Channels at every block (b, h/8, w/8), none where it is missing."""
        (b, _, h, w), (fewest, most) = clips.shape, self.options.kept
        count = torch.randint(fewest, most + 1, (b, 1, 1), generator=rng)
        missing = torch.rand(b, 1, 1, generator=rng) < self.options.erased
        share = 0.5 * torch.rand(b, 1, 1, generator=rng)
        gone = missing & (torch.rand(b, h // 8, w // 8, generator=rng) < share)
        return torch.where(gone, 0, count).float().to(clips.device)

    def _reliability(self, bits: torch.Tensor, noisy: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """What arrives of a bit of 1: 1, or behind noise the sign (half of the clips) or the expected bit."""
        low, high = self.options.noise_db
        level = low + (high - low) * torch.rand(len(bits), generator=rng)
        variance = (10 ** (-level / 10)).view(-1, 1, 1, 1, 1)
        heard = 1 + variance.sqrt() * torch.randn(bits.shape, generator=rng)
        hard = torch.rand(len(bits), 1, 1, 1, 1, generator=rng) < 0.5
        arrived = torch.where(hard, heard.sign(), torch.tanh(heard / variance))
        return torch.where(noisy.view(-1, 1, 1, 1, 1), arrived, 1.0).to(bits.device)

    @torch.no_grad()
    def _as_sent(self, model, received, bits, known, context, noisy, *, later: bool):
        """The last two frames as the encoder has them, who saw no noise."""
        if not noisy.any():
            return received
        sent = received.clone()
        own = noisy.to(sent.device)
        clean = model.frames(bits[own], known[own], context[own], later=later)
        sent[own] = clean[:, -2:].float().clamp(0, 1)
        return sent

    @torch.no_grad()
    def _error(self, model: Any, clips: torch.Tensor, kept: int) -> torch.Tensor:
        """Mean squared error of each clip: (b,)."""
        count = clips.new_full((len(clips), clips.shape[2] // 8, clips.shape[3] // 8), kept)
        last, errors = None, []
        for number, frames in enumerate(clips.split(self.size.group, 1)):
            context = model.context(last, count)
            _, bits = model.code(frames, context, later=number > 0)
            decoded = model.frames(bits, keep_channels(bits, count), context, later=number > 0).float().clamp(0, 1)
            errors.append((decoded - frames).square().mean((1, 2, 3)))
            last = decoded[:, -2:]
        return torch.stack(errors).mean(0)


@torch.no_grad()
def learn_chances(model: Any, bits: torch.Tensor, *, later: bool) -> None:
    """Let the odds of a one in each context follow the bits of a batch."""
    counts = torch.from_numpy(context_counts((bits > 0).long().cpu().numpy())).to(model.chances)
    total = counts.sum(-1)
    found = (counts[..., 1] + 0.5) / (total + 1)
    slow = model.chances[int(later)]
    keep = torch.where(total >= 32, REMEMBERED, 1 - (1 - REMEMBERED) * total / 32)
    slow.copy_(keep * slow + (1 - keep) * found)


def _decibels(error: torch.Tensor) -> float:
    return float((-10 * error.detach().log10()).mean())
