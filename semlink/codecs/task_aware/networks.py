"""The networks of task-aware compression: readings to quantised latents and back.

    y = linear(x) + branch(x),   u = gain(q) y,   x' = linear^T(u' / gain) + branch(u' / gain, q)

`linear` is the orthonormal transform of `linear_start`, the branches are levels
of spectral-wise attention whose last layer begins at zero: training starts at
transform coding with uniform steps. A hyperprior tells mean and scale of every
latent. One set of weights serves all rates: the knob q in [0, 1] sets a gain
for each channel, between a few learned anchors, and is fed to all parts but
the analysis, which a search over q therefore runs once.

Source: [zhang2024crl, Sec. III-C] for transforms and hyperprior, without the
linear paths; gains compare [cui2021gained, Sec. 3]. In the paper's hyper
synthesis there is attention as well; here it is convolutions, see `exact_layers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.readings_klt import reading_basis
from semlink.codecs.task_aware.entropy_models import (
    FactorisedPrior,
    bits_of,
    gaussian_mass,
    round_through,
    uniform_noise,
)
from semlink.codecs.task_aware.latent_context import Stage, make_contexts, repeated_conv, stages_of
from semlink.nn.attention import SpectralBlock, init_spectral
from semlink.nn.spectral_stage import conv3, double, halve

KNOB_STEPS = 255  # q travels as one byte
HYPER_START = (1.0, 4.0)  # log2 of the gain that z begins with at q = 0 and 1: at less, its rounding hides it


@dataclass(frozen=True, slots=True)
class CodecSizes:
    """Sizes of the networks; all of the architecture.

    Attributes:
        tile: rows of counts of the ratio map, repeated over the frame.
        num_frames: T.
        width, levels, blocks: c0, number of halvings, attention blocks on each level.
        latents: channels of y.
        hyper, hyper_width: channels of z, and of the layers around it.
        hyper_blocks: attention blocks before each of the two halvings that lead to z.
        context: width of the layers that look at decoded latents; 0 for none, as in the paper.
        anchors: how many points of q the gains are learned at.
        coarse, fine: quantiser steps that training starts with at q = 0 and q = 1, in the readings domain.
        linear: with the linear paths; the paper has none.
    """

    tile: list
    num_frames: int = 16
    width: int = 16
    levels: int = 3
    blocks: int = 1
    latents: int = 160
    hyper: int = 32
    hyper_width: int = 64
    hyper_blocks: int = 0
    context: int = 32
    anchors: int = 5
    coarse: float = 1.6
    fine: float = 0.2
    linear: bool = True

    @property
    def stride(self) -> int:
        """Pixels from latent to latent."""
        return 2**self.levels

    @property
    def slice_rows(self) -> int:
        """Frame sizes are padded to multiples of this: one row of z."""
        return 4 * self.stride

    @property
    def words(self) -> str:
        """The sizes in words, for the architecture line of a card."""
        plain = "" if self.linear else " without linear paths"
        return (
            f"T={self.num_frames} width={self.width} levels={self.levels} blocks={self.blocks} "
            f"latents={self.latents} hyper={self.hyper}/{self.hyper_width} blocks={self.hyper_blocks} "
            f"context={self.context}{plain}"
        )

    def step(self, q: float) -> float:
        """The quantiser step that training starts with at q."""
        return self.coarse * (self.fine / self.coarse) ** q


class TaskAwareNet(nn.Module):
    """All parts together; `forward` is what is trained.

    Shape: readings domain (b, T/2, h, w), h and w multiples of `sizes.slice_rows`; q (b,).
    """

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.sizes = sizes
        spread = _spread(sizes)
        self.analysis = Analysis(sizes)
        self.synthesis = Synthesis(sizes, spread)
        self.hyper_analysis = HyperAnalysis(sizes, spread)
        self.hyper_synthesis = HyperSynthesis(sizes)
        self.gain = Gain(sizes.latents, sizes.anchors, -math.log2(sizes.coarse), -math.log2(sizes.fine))
        self.hyper_gain = Gain(sizes.hyper, sizes.anchors, *HYPER_START)
        self.log_spread = nn.Parameter(spread.log2())
        self.prior = FactorisedPrior(sizes.hyper, start_scale=3.0)
        self.context = make_contexts(sizes.latents, sizes.context) if sizes.context else None

    def forward(
        self, x: torch.Tensor, q: torch.Tensor, rng: torch.Generator | None = None, *, free_hyper: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The readings as decoded, and the bits of each clip (b,); with `rng` those of noisy latents.

        `free_hyper` lets the prior learn z while z does not yet feel what it costs.
        """
        y = self.analysis(x)
        log_gain, hyper_gain = self.gain(q), self.hyper_gain(q).exp2()
        z = self.hyper_analysis(y, q) * hyper_gain
        with torch.autocast(x.device.type, enabled=False):
            z, u = z.float(), y.float() * log_gain.exp2()
            z_hat = round_through(z)
            counted = z_hat if rng is None else z + uniform_noise(z, rng)
            z_bits = bits_of(self.prior.mass(counted.detach() if free_hyper else counted))
        mean, log_scale = self.hyper_synthesis(z_hat / hyper_gain, q)
        with torch.autocast(x.device.type, enabled=False):
            log_unit = log_gain + self.log_spread.view(1, -1, 1, 1)
            u_hat, y_bits = self._quantised(u, mean.float() * log_unit.exp2(), log_scale.float() + log_unit, q, rng)
            y_hat = u_hat / log_gain.exp2()
        return self.synthesis(y_hat, q), z_bits + y_bits

    def _quantised(
        self, u: torch.Tensor, mean: torch.Tensor, log_scale: torch.Tensor, q: torch.Tensor, rng: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents in steps as decoded, and their bits (b,), stage after stage."""
        noisy = u if rng is None else u + uniform_noise(u, rng)
        done, bits = torch.zeros_like(u), torch.zeros(len(u), device=u.device)
        for number, stage in enumerate(stages_of(u.shape[1]) if self.context is not None else [Stage(0, u.shape[1])]):
            own, mask = slice(stage.first, stage.last), stage.mask(*u.shape[2:]).to(u.device)
            centre, log_width = mean[:, own], log_scale[:, own]
            if number > 0:
                shift, widen = self.context[number - 1](done[:, : stage.sees].detach(), q)  # type: ignore[index]
                centre, log_width = centre + shift, log_width + widen
            decoded = centre + round_through(u[:, own] - centre)
            counted = decoded if rng is None else noisy[:, own]
            mass = gaussian_mass(counted, centre, log_width.clamp(-8, 9).exp2())
            bits = bits + bits_of(torch.where(mask, mass, 1.0))
            rest = torch.zeros_like(done[:, stage.last :])
            done = torch.cat((done[:, : stage.first], torch.where(mask, decoded, done[:, own]), rest), 1)
        return done, bits


class Analysis(nn.Module):
    """Readings (b, s, h, w) to latents (b, n, h/stride, w/stride), not yet scaled by the gain."""

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        self.linear = _linear(sizes, nn.Conv2d)
        layers: list[nn.Module] = [conv3(sizes.num_frames // 2, sizes.width)]
        for level in range(sizes.levels):
            width = sizes.width * 2**level
            layers += [SpectralBlock(width, sizes.width) for _ in range(sizes.blocks)] + [halve(width)]
        self.branch = nn.Sequential(*layers, conv3(sizes.width * 2**sizes.levels, sizes.latents))
        init_spectral(self.branch)
        if sizes.linear:
            nn.init.zeros_(self.branch[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.branch(x)
        return y if self.linear is None else y.float() + _plain(self.linear, x)


class Synthesis(nn.Module):
    """Latents and q back to readings."""

    unit: torch.Tensor

    def __init__(self, sizes: CodecSizes, spread: torch.Tensor) -> None:
        super().__init__()
        self.linear = _linear(sizes, nn.ConvTranspose2d)
        self.register_buffer("unit", spread.sqrt().view(1, -1, 1, 1), persistent=False)
        wide = sizes.width * 2**sizes.levels
        layers: list[nn.Module] = [nn.Conv2d(sizes.latents + 1, wide, 3, padding=1)]
        for level in reversed(range(sizes.levels)):
            width = sizes.width * 2**level
            layers += [double(2 * width)] + [SpectralBlock(width, sizes.width) for _ in range(sizes.blocks)]
        self.branch = nn.Sequential(*layers, conv3(sizes.width, sizes.num_frames // 2))
        init_spectral(self.branch)
        if sizes.linear:
            nn.init.zeros_(self.branch[-1].weight)  # type: ignore[arg-type]

    def forward(self, y: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        x = self.branch(with_knob(y / self.unit, q))
        return x.float() if self.linear is None else x.float() + _plain(self.linear, y)


class HyperAnalysis(nn.Module):
    """Latents and q to z (b, hyper, a quarter of the rows, of the columns).

    It sees the latents, relative to their spread, and the logarithms of their sizes.
    """

    unit: torch.Tensor

    def __init__(self, sizes: CodecSizes, spread: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("unit", spread.view(1, -1, 1, 1), persistent=False)
        width = sizes.hyper_width
        layers: list[nn.Module] = [repeated_conv(2 * sizes.latents + 1, width, 3), nn.GELU()]
        for last in (False, True):
            layers += [SpectralBlock(width, width // 8) for _ in range(sizes.hyper_blocks)]
            layers += [repeated_conv(width, sizes.hyper if last else width, 4, stride=2)] + (
                [] if last else [nn.GELU()]
            )
        self.layers = nn.Sequential(*layers)
        init_spectral(self)

    def forward(self, y: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        shares = y / self.unit
        return self.layers(with_knob(torch.cat((shares, (1 + 8 * shares.abs()).log()), 1), q))


class HyperSynthesis(nn.Module):
    """z and q to mean and log2 scale of the latents, both relative to the channel's own spread.

    Plain convolutions and ReLU, so that `exact_hyper` can do the same in whole
    numbers; edges are repeated, so that a crop looks like a frame. The last layer
    begins near zero: mean 0 and the spread of the transform.
    """

    def __init__(self, sizes: CodecSizes) -> None:
        super().__init__()
        width = sizes.hyper_width
        before = (sizes.hyper, width)
        self.grow = nn.ModuleList(repeated_conv(channels + 1, 4 * width, 3) for channels in before)
        self.mix = repeated_conv(width + 1, width, 3)
        self.out = nn.Conv2d(width, 2 * sizes.latents, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, z: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for layer in self.grow:
            z = F.relu(F.pixel_shuffle(layer(with_knob(z, q)), 2))
        mean, log_scale = self.out(F.relu(self.mix(with_knob(z, q)))).chunk(2, 1)
        return mean, log_scale


class Gain(nn.Module):
    """log2 of a factor for each channel, linear in q between learned anchors."""

    def __init__(self, channels: int, anchors: int, low: float, high: float) -> None:
        super().__init__()
        start = torch.linspace(low, high, anchors).view(-1, 1).expand(anchors, channels)
        self.anchors = nn.Parameter(start.clone())

    def forward(self, q: torch.Tensor) -> torch.Tensor:
        """(b, channels, 1, 1) at q (b,)."""
        at = q.clamp(0, 1) * (len(self.anchors) - 1)
        below = at.floor().clamp_max(len(self.anchors) - 2).long()
        share = (at - below).view(-1, 1)
        mixed = self.anchors[below] * (1 - share) + self.anchors[below + 1] * share
        return mixed[..., None, None]


def with_knob(x: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """`x` with one more channel that holds 2 q - 1."""
    plane = (2 * q - 1).to(x.dtype).view(-1, 1, 1, 1).expand(len(x), 1, *x.shape[2:])
    return torch.cat((x, plane), 1)


def _plain(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


def _linear(sizes: CodecSizes, kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> nn.Module | None:
    """The transform or its transpose as a strided convolution; spare channels are zero."""
    if not sizes.linear:
        return None
    basis = reading_basis(sizes.tile, sizes.stride, sizes.num_frames).vectors[: sizes.latents]
    ends = (basis.shape[1], sizes.latents) if kind is nn.Conv2d else (sizes.latents, basis.shape[1])
    layer = kind(*ends, sizes.stride, stride=sizes.stride, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[: len(basis)] = basis
    return layer


def _spread(sizes: CodecSizes) -> torch.Tensor:
    """Standard deviation of each latent under the model of `linear_start`; 1 without linear paths."""
    spread = torch.ones(sizes.latents)
    if sizes.linear:
        variances = reading_basis(sizes.tile, sizes.stride, sizes.num_frames).variances[: sizes.latents]
        spread[: len(variances)] = variances.clamp_min(1e-4).sqrt()
    return spread


@torch.no_grad()
def probe(net: TaskAwareNet) -> torch.Tensor:
    """The parts' answers to fixed waves, without rounding: tells right weights from wrong ones."""
    sizes = net.sizes
    side, rows = sizes.slice_rows, sizes.slice_rows // sizes.stride
    q = torch.tensor([0.4])
    x = _wave(sizes.num_frames // 2, side, side)
    y = net.analysis(x)
    z = net.hyper_analysis(y, q)
    mean, log_scale = net.hyper_synthesis(_wave(sizes.hyper, 1, 1), q)
    out = net.synthesis(_wave(sizes.latents, rows, rows), q)
    return torch.cat([part.float().flatten()[:400] for part in (y, z, mean, log_scale, out)])


def _wave(*shape: int) -> torch.Tensor:
    return torch.sin(0.37 * torch.arange(math.prod(shape)).float()).view(1, *shape)
