"""The networks of the delta-sigma codec on tokens: groups of frames to one-bit maps and back.

A token is a block of 8 x 8 pixels over a group of frames. With p what the last decoded group lets expect of it:

    r = x - p,   code = 0.7 tanh(A s r' + trunk(r, p)),   bits = modulate(code),   r' = r - B bits / s
    x^ = p + (B bits + trunk'(bits, p)) / s

Channels come in runs; a later run sees what the linear decoder makes of those before. s is the scale of the block's
class: quiet blocks are enlarged, so that their bits tell as much as those of lively ones. Classes are sent where the
maps are arithmetic coded (the class also says how many channels a block sends) and are all 0, s = 1, where bits
travel by themselves. The first channels of a first group are never scaled: they carry the mean.

Source: modulator and dropout [sun2020framediff]; tokens, classes and start are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from semlink.codecs.delta_sigma.initialisation import REACH
from semlink.codecs.delta_sigma.modulator import ORDERS, modulate
from semlink.codecs.delta_sigma.tokens.contexts import BitContexts
from semlink.codecs.token_readings import blocks, unblocks
from semlink.nn.tokens import Conv, Norm, channels_first, channels_last, silent, trunk, working_dtype

BLOCK = 8
CLASSES = 11
CLASS_DB = 3.0
LOUDEST_DB = -14.0
"""Mean square of a residual, peak 1, in the middle of class 0; each further class is `CLASS_DB` below."""
UNSCALED = (2, 0)
"""Channels that carry the mean and are never scaled: in a first group, and behind a prediction."""
COARSE_SHARE = 0.03
CODED_DB = 60.0


@dataclass(frozen=True, slots=True)
class TokenBitSizes:
    """Sizes and variants.

    Attributes:
        group: frames coded together, the steps of the modulator.
        channels: binary channels of a block and frame.
        predictor, encoder, decoder: channels of the trunks; `predictor_blocks` and so on, their residual blocks.
        context: channels of the context network; `memory` hidden values for each channel of bits.
        order: of the modulator; 0 for the plain sign.
        scan: the modulator runs along `frames` or along `channels`.
    """

    group: int = 8
    channels: int = 32
    predictor: int = 160
    predictor_blocks: int = 2
    encoder: int = 160
    encoder_blocks: int = 3
    decoder: int = 192
    decoder_blocks: int = 5
    context: int = 96
    memory: int = 8
    order: int = 1
    scan: str = "frames"

    def __post_init__(self) -> None:
        for name, found, allowed in (
            ("order", self.order, ORDERS),
            ("scan", self.scan, ("frames", "channels")),
            ("group", self.group, range(2, 65)),
            ("channels", self.channels, range(2, 256)),
        ):
            if found not in allowed:
                said = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
                raise ValueError(f"model.{name}: got {found!r}, allowed: {said}")

    @property
    def pixels(self) -> int:
        """Of a token."""
        return self.group * BLOCK**2

    @property
    def bits(self) -> int:
        """Of a token, all channels."""
        return self.channels * self.group

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Channels from .. to that are coded together: 1, 1, 2, 4, then eights."""
        ends = [end for end in (1, 2, 4, *range(8, self.channels, 8)) if end < self.channels] + [self.channels]
        return tuple(zip([0, *ends[:-1]], ends))

    @property
    def words(self) -> str:
        return (
            f"N={self.group} K={self.channels} predictor={self.predictor}x{self.predictor_blocks} "
            f"encoder={self.encoder}x{self.encoder_blocks} decoder={self.decoder}x{self.decoder_blocks} "
            f"context={self.context}+{self.memory} order={self.order} scan={self.scan}"
        )


class Expectation(NamedTuple):
    """Of a group: pixels (b, h, w, pixels) about 0, features (b, c, h, w), and whether a group came before."""

    pixels: torch.Tensor
    features: torch.Tensor
    later: bool


class Predictor(nn.Module):
    """From the last decoded group; begins with its last frame, standing still."""

    def __init__(self, sizes: TokenBitSizes) -> None:
        super().__init__()
        self.enter = Conv(sizes.pixels, sizes.predictor, 1)
        self.trunk = trunk(sizes.predictor, sizes.predictor_blocks)
        self.norm = Norm(sizes.predictor)
        self.leave = silent(Conv(sizes.predictor, sizes.pixels, 1))

    def forward(self, last: torch.Tensor) -> Expectation:
        """Frames (b, n, h, w) of the last group."""
        tokens = blocks(last - 0.5, BLOCK)
        still = blocks(last[:, -1:].expand_as(last) - 0.5, BLOCK)
        features = self.norm(
            self.trunk(self.enter(channels_first((tokens - still.mean(-1, keepdim=True)).to(working_dtype(last)))))
        )
        return Expectation(still + channels_last(self.leave(features)).float(), features, True)


class TokenBits(nn.Module):
    """Predictor, encoder, decoder and the contexts of the arithmetic coder."""

    def __init__(self, sizes: TokenBitSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.predictor = Predictor(sizes)
        self.encode_enter = Conv(sizes.pixels + 2, sizes.encoder, 1)
        self.encode_expect = Conv(sizes.predictor, sizes.encoder, 1)
        self.encode_told = nn.Embedding(2 * CLASSES, sizes.encoder)
        self.encode_trunk = trunk(sizes.encoder, sizes.encoder_blocks)
        self.encode_norm = Norm(sizes.encoder)
        self.encode_leave = silent(Conv(sizes.encoder, sizes.bits, 1))
        self.decode_enter = Conv(sizes.bits + 1, sizes.decoder, 1)
        self.decode_expect = Conv(sizes.predictor, sizes.decoder, 1)
        self.decode_told = nn.Embedding(2 * CLASSES, sizes.decoder)
        self.decode_trunk = trunk(sizes.decoder, sizes.decoder_blocks)
        self.decode_norm = Norm(sizes.decoder)
        self.decode_leave = silent(Conv(sizes.decoder, sizes.pixels, 1))
        self.analysis = nn.Parameter(torch.zeros(2 * sizes.bits, sizes.pixels))  # of first groups, then of later ones
        self.synthesis = nn.Parameter(torch.zeros(2 * sizes.pixels, sizes.bits))  # a row has a scale where it is stored
        self.contexts = BitContexts(sizes.channels, sizes.group, sizes.context, sizes.memory)
        for told in (self.encode_told, self.decode_told):
            nn.init.normal_(told.weight, std=0.02)

    def expect(self, last: torch.Tensor | None, like: torch.Tensor) -> Expectation:
        """What both ends expect of a group: nothing of the first, `like` (b, ..., h, w) in blocks."""
        if last is not None:
            return self.predictor(last)
        b, (h, w) = len(like), like.shape[-2:]
        nothing = torch.zeros(b, h, w, self.sizes.pixels, device=like.device)
        features = torch.zeros(b, self.sizes.predictor, h, w, device=like.device, dtype=working_dtype(nothing))
        return Expectation(nothing, features, False)

    def linear(self, part: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Analysis (bits, pixels) and synthesis (pixels, bits) of first groups (0) or later ones (1)."""
        return self.analysis.chunk(2)[part], self.synthesis.chunk(2)[part]

    def code(
        self, frames: torch.Tensor, expected: Expectation, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes within 0.7 and bits of -1 and 1, both (b, h, w, K * n), of frames (b, n, h, w)."""
        part, rest = int(expected.later), blocks(frames - 0.5, BLOCK) - expected.pixels
        scale, first = scales(classes), UNSCALED[part] * self.sizes.group
        branch = self._encode(rest, scale, expected, classes)
        analysis, synthesis = self.linear(part)
        wanted = rest * scale @ analysis[first:].T
        if first:
            wanted = torch.cat((rest @ analysis[:first].T, wanted), -1)
        with torch.autocast(frames.device.type, enabled=False):
            return self._modulated(wanted.float() + branch, scale, part, (analysis @ synthesis).detach())

    def _modulated(
        self, wanted: torch.Tensor, scale: torch.Tensor, part: int, told: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes and bits run by run, each less what the bits before tell of it by `told`: (b, h, w, K * n)."""
        n, first = self.sizes.group, UNSCALED[part] * self.sizes.group
        codes: list[torch.Tensor] = []
        bits: list[torch.Tensor] = []
        for start, stop in self.sizes.runs:
            linear = wanted[..., start * n : stop * n]
            if start:
                before, back = torch.cat(bits, -1).detach(), told[start * n : stop * n, : start * n].T
                coarse = min(first, start * n)
                known = before[..., coarse:] @ back[coarse:]
                if coarse:
                    known = known + before[..., :coarse] @ back[:coarse] * (scale if start * n >= first else 1.0)
                linear = linear - known
            code = (REACH * torch.tanh(linear)).unflatten(-1, (-1, n))
            codes.append(code.flatten(3))
            bits.append(modulate(code, self.sizes.order, 4 if self.sizes.scan == "frames" else 3).flatten(3))
        return torch.cat(codes, -1), torch.cat(bits, -1)

    def frames(
        self, bits: torch.Tensor, known: torch.Tensor, expected: Expectation, classes: torch.Tensor
    ) -> torch.Tensor:
        """Frames (b, n, h, w), not clipped, from bits (b, h, w, K * n): -1, 1, between where not sure, 0 where unknown.

        `known` (b, h, w) says how many channels arrived at each place.
        """
        part, scale = int(expected.later), scales(classes)
        bits = bits * kept(known, self.sizes)
        first = UNSCALED[part] * self.sizes.group
        synthesis = self.linear(part)[1]
        linear = bits[..., :first] @ synthesis[:, :first].T
        linear = linear + bits[..., first:] @ synthesis[:, first:].T / scale
        told = self._decode(bits, known, expected, classes)
        weight = 1 / scale + (0.0 if expected.later else COARSE_SHARE)
        return unblocks(expected.pixels + linear + weight * told, BLOCK) + 0.5

    def _encode(self, rest, scale, expected: Expectation, classes) -> torch.Tensor:
        mean = rest.mean(-1, keepdim=True)
        x = torch.cat((((rest - mean) * scale).clamp(-4, 4), mean, (mean * scale).clamp(-4, 4)), -1)
        dtype = expected.features.dtype
        with torch.autocast(rest.device.type, enabled=False):
            seen = self.encode_enter(channels_first(x.to(dtype))) + self.encode_expect(expected.features)
            seen = seen + _told(self.encode_told, classes, expected.later, dtype)
            return channels_last(self.encode_leave(self.encode_norm(self.encode_trunk(seen)))).float()

    def _decode(self, bits, known, expected: Expectation, classes) -> torch.Tensor:
        x = torch.cat((bits, known[..., None] / self.sizes.channels), -1)
        dtype = expected.features.dtype
        with torch.autocast(bits.device.type, enabled=False):
            seen = self.decode_enter(channels_first(x.to(dtype))) + self.decode_expect(expected.features)
            seen = seen + _told(self.decode_told, classes, expected.later, dtype)
            return channels_last(self.decode_leave(self.decode_norm(self.decode_trunk(seen)))).float()


def scales(classes: torch.Tensor) -> torch.Tensor:
    """How much blocks of each class (b, h, w) are enlarged: (b, h, w, 1)."""
    return (10 ** (CLASS_DB / 20 * classes.float()))[..., None]


def classes_of(frames: torch.Tensor, expected: Expectation) -> torch.Tensor:
    """The class of each block (b, h, w) by the energy that scaled channels have to carry."""
    rest = blocks(frames - 0.5, BLOCK) - expected.pixels
    if not expected.later:
        rest = rest - rest.mean(-1, keepdim=True)
    level = 10 * rest.square().mean(-1).clamp_min(10 ** (-CODED_DB / 10)).log10()
    return ((LOUDEST_DB - level) / CLASS_DB).round().clamp(0, CLASSES - 1).long()


def kept(known: torch.Tensor, sizes: TokenBitSizes) -> torch.Tensor:
    """Which bits are sent where `known` (b, h, w) channels are: 0 or 1, (b, h, w, K * n)."""
    number = torch.arange(sizes.channels, device=known.device).repeat_interleave(sizes.group)
    return (number < known[..., None]).float()


def _told(table: nn.Embedding, classes: torch.Tensor, later: bool, dtype: torch.dtype) -> torch.Tensor:
    return channels_first(table(classes + (CLASSES if later else 0)).to(dtype))


@torch.no_grad()
def probe(net: TokenBits) -> torch.Tensor:
    """Codes and frames of a fixed input, both groups; nothing passes the quantiser, so rounding changes little."""
    device, n = next(net.parameters()).device, net.sizes.group
    time, rows, columns = torch.meshgrid(torch.arange(n), torch.arange(32), torch.arange(32), indexing="ij")
    frames = (0.5 + 0.3 * torch.sin(rows / 3 + 0.2 * time) * torch.cos(columns / 4 - 0.1 * time))[None].to(device)
    number = torch.arange(16 * net.sizes.bits, device=device).view(1, 4, 4, -1)
    bits, known = (
        torch.cos(1.7 * number.double()).sign().float(),
        torch.full((1, 4, 4), net.sizes.channels, device=device),
    )
    classes = torch.arange(16, device=device).view(1, 4, 4) % CLASSES
    parts = []
    for last in (None, frames):
        expected = net.expect(last, known)
        parts.append(
            net.code(frames, expected, classes)[0][..., : n * net.sizes.runs[0][1]].flatten()
        )  # before any bit
        parts.append(net.frames(bits, known, expected, classes)[..., ::4].flatten())
        turn = torch.ones(1, dtype=torch.long, device=device)
        logits = net.contexts(bits, bits.flip(1), torch.zeros(1, 4, 4, 3, device=device), turn)
        parts.append(logits[..., ::8].flatten())
    return torch.cat(parts)
