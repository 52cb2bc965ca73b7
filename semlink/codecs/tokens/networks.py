"""The network behind a digital code of tokens: readings to rounded latents, latents to pixels.

A linear code, the KLT of the linear estimate of a block, carries the transform
from the first step on; trunks over the tokens correct both ends of it. The knob
q in 0 .. 1 sets the fineness of the steps and is told to both ends, so one
network serves all rates. Pixels are written directly, without the sensor's own
reconstruction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from semlink.codecs.token_readings import TokenReadings, unblocks
from semlink.codecs.tokens.contexts import ContextModel
from semlink.nn.tokens import Conv, Norm, Operating, channels_first, channels_last, silent, trunk, working_dtype

KNOB_STEPS = 256  # a knob is one of 0 .. 255 over 256, a byte
MOST_KNOB = KNOB_STEPS - 1


@dataclass(frozen=True, slots=True)
class TokenSizes:
    """Sizes of the code.

    Attributes:
        tile: the sensor's map, repeated over blocks of `block` pixels; `num_frames` in a clip.
        groups: latents of a token, as the ends of the groups in which they are decoded.
        encoder, decoder: channels of the trunks.
        encoder_blocks: residual blocks before and after the knob is told; `decoder_blocks` at the receiver.
        context: channels of the context networks.
        coarse_step, fine_step: steps of the strongest latents at both ends of the knob, before training.
    """

    tile: list
    groups: list
    block: int = 8
    num_frames: int = 16
    encoder: int = 192
    encoder_blocks: list = None  # type: ignore[assignment]
    decoder: int = 256
    decoder_blocks: int = 6
    context: int = 128
    coarse_step: float = 4.8
    fine_step: float = 0.3

    @property
    def readings(self) -> TokenReadings:
        return TokenReadings(tuple(map(tuple, self.tile)), self.block, self.num_frames // 2)

    @property
    def latents(self) -> int:
        return self.groups[-1]

    @property
    def pixels(self) -> int:
        """Pixels of a block in all frames."""
        return self.num_frames * self.block**2

    @property
    def words(self) -> str:
        before, after = self.encoder_blocks
        return (
            f"T={self.num_frames} block={self.block} readings={self.readings.width} groups={self.groups} "
            f"encoder={self.encoder}x({before}+{after}) decoder={self.decoder}x{self.decoder_blocks} "
            f"context={self.context}"
        )


@dataclass(frozen=True, slots=True)
class LinearCode:
    """A linear code of blocks: latents = analysis x + offset, pixels = synthesis latents + mean.

    `variances` (n,) are those of the latents.
    """

    analysis: torch.Tensor
    offset: torch.Tensor
    synthesis: torch.Tensor
    mean: torch.Tensor
    variances: torch.Tensor


class Refinement(NamedTuple):
    """What training draws of an analogue layer that tells a part of the rounding.

    `snr` (b,) of its mean symbol, 0 for a clip without such a layer; `sent` (b,), the share of the latents that it
    carries, those with the largest residuals; `noise`, standard normal, of the latents' shape.
    """

    snr: torch.Tensor
    sent: torch.Tensor
    noise: torch.Tensor

    def of(self, residual: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """Linear estimates, in steps, of residuals (b, h, w, c); `gain` (b, 1, 1, c) is steps to a unit of pixels.

        Latents of a clip's channel take the mean variance of the channel; symbols have amplitudes variance^(-1/4).
        """
        variance = residual.detach().square().mean((1, 2), keepdim=True) + 1e-6
        strength = variance / gain.detach().square()
        places = strength.argsort(-1, descending=True).argsort(-1)
        carried = places < (self.sent * residual.shape[-1])[:, None, None, None]
        power = strength.sqrt() * carried
        power = power / (power.sum(-1, keepdim=True) / carried.sum(-1, keepdim=True).clamp_min(1)).clamp_min(1e-12)
        snr = self.snr[:, None, None, None] * power
        trust = snr / (1 + snr)
        return trust * residual + (trust * (1 - trust) * variance).sqrt() * self.noise


class TokenCodecNet(nn.Module):
    """Analysis, synthesis and context model."""

    spread: torch.Tensor

    def __init__(self, sizes: TokenSizes) -> None:
        super().__init__()
        self.sizes, width = sizes, sizes.readings.width
        before, after = sizes.encoder_blocks
        self.enter = Conv(width, sizes.encoder, 1)
        self.look = trunk(sizes.encoder, before)
        self.told_encoder = Operating(3, sizes.encoder)
        self.decide = trunk(sizes.encoder, after)
        self.settle = Norm(sizes.encoder)
        self.correct_latents = silent(Conv(sizes.encoder, sizes.latents, 1))
        self.receive = Conv(sizes.latents, sizes.decoder, 1)
        self.told_decoder = Operating(3, sizes.decoder)
        self.restore = trunk(sizes.decoder, sizes.decoder_blocks)
        self.norm = Norm(sizes.decoder)
        self.correct_pixels = silent(Conv(sizes.decoder, sizes.pixels, 1))
        self.contexts = ContextModel(tuple(sizes.groups), sizes.context)
        self.linear_analysis = nn.Linear(width, sizes.latents)
        self.linear_synthesis = nn.Linear(sizes.latents, sizes.pixels)
        self.log_gain = nn.Parameter(torch.zeros(3, sizes.latents))
        self.register_buffer("spread", torch.ones(sizes.latents))
        self._begin_gain()

    @torch.no_grad()
    def begin(self, code: LinearCode) -> None:
        """Take a linear code up as what the trunks are to correct."""
        self.linear_analysis.weight.copy_(code.analysis), self.linear_analysis.bias.copy_(code.offset)
        self.linear_synthesis.weight.copy_(code.synthesis), self.linear_synthesis.bias.copy_(code.mean)
        self.spread.copy_(code.variances.sqrt())
        self.contexts.log_scale.copy_((0.5 * self.spread).log())

    def analyse(self, x: torch.Tensor, knob: torch.Tensor) -> torch.Tensor:
        """Weighed readings (b, h, w, n) as latents (b, h, w, c) in units of their steps, not yet rounded."""
        return self.at_knob(x, self.before_knob(x), knob)

    def before_knob(self, x: torch.Tensor) -> torch.Tensor:
        """What the encoder makes of readings at any rate: (b, channels, h, w)."""
        dtype = working_dtype(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.look(self.enter(channels_first(x.to(dtype))))

    def at_knob(self, x: torch.Tensor, seen: torch.Tensor, knob: torch.Tensor) -> torch.Tensor:
        """Latents of readings and of what `before_knob` made of them."""
        with torch.autocast(x.device.type, enabled=False):
            seen = self.decide(seen + self.told_encoder(powers(knob), seen.dtype))
            correction = channels_last(self.correct_latents(self.settle(seen))).float()
            return (self.linear_analysis(x) + correction) * self.gain(knob)

    def synthesise(self, latents: torch.Tensor, knob: torch.Tensor) -> torch.Tensor:
        """Latents in units of their steps as pixels of blocks (b, h, w, pixels)."""
        dtype = working_dtype(latents)
        with torch.autocast(latents.device.type, enabled=False):
            y = latents / self.gain(knob)
            seen = self.receive(channels_first((y / self.spread).to(dtype)))
            seen = self.restore(seen + self.told_decoder(powers(knob), dtype))
            return self.linear_synthesis(y) + channels_last(self.correct_pixels(self.norm(seen))).float()

    def frames(self, latents: torch.Tensor, knob: torch.Tensor) -> torch.Tensor:
        """Latents as frames (b, t, h, w), not clipped."""
        return unblocks(self.synthesise(latents, knob), self.sizes.block)

    def gain(self, knob: torch.Tensor) -> torch.Tensor:
        """Steps per unit of a linear latent: (b, 1, 1, c)."""
        return (powers(knob) @ self.log_gain).exp()[:, None, None]

    def forward(
        self, x: torch.Tensor, knob: torch.Tensor, turns: torch.Tensor, noise: torch.Tensor, refinement: Refinement
    ):
        """For training: pixels of blocks, and bits of each clip, from latents that are rounded straight through.

        `turns` (groups, b) and `noise`, uniform in -1/2 .. 1/2, of the latents' shape, are drawn by the caller.
        `refinement` is what the receiver learns of the rounding over an analogue layer.
        """
        y = self.analyse(x, knob)
        rounded = y + (y.round() - y).detach()
        gain = self.gain(knob)
        bits = self.contexts.drawn_bits(rounded, y + noise, knob, gain, turns)
        return self.synthesise(rounded + refinement.of(y - y.detach().round(), gain), knob), bits

    def _begin_gain(self) -> None:
        with torch.no_grad():
            self.log_gain[0] = -math.log(self.sizes.coarse_step)
            self.log_gain[1] = math.log(self.sizes.coarse_step / self.sizes.fine_step)


def powers(knob: torch.Tensor) -> torch.Tensor:
    """1, q, q^2: (b, 3)."""
    return torch.stack((torch.ones_like(knob), knob, knob * knob), -1)


@torch.no_grad()
def probe(net: TokenCodecNet) -> torch.Tensor:
    """Pixels for a fixed input at three knobs, and what its latents would cost: readings on a grid of 4x6 tokens."""
    width = net.sizes.readings.width
    x = torch.sin(torch.arange(24 * width).float()).view(1, 4, 6, width).repeat(3, 1, 1, 1)
    knob = torch.tensor([0.0, 0.5, 1.0])
    latents = net.analyse(x, knob)
    bits = net.contexts.bits(latents, latents, knob, net.gain(knob))
    return torch.cat((net.synthesise(latents, knob)[..., ::64].flatten(), bits.flatten()))
