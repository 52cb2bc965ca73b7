"""The networks of the delta-sigma video codec: groups of frames to binary maps and back.

Blocks of 8 x 8 pixels become channels. Encoder and decoder are a linear transform over block and
group, which training begins with (`delta_sigma_start`), plus residual blocks of 3-D convolutions:

    context = P(last two decoded frames),  r = x - context
    code = 0.7 tanh(T r' + branch(r, context)),  bits = modulate(code),  r' = r - T^ (bits before)
    x^ = context + T^ bits + branch'(bits, T^ bits, context)

Channels come in runs; a later run sees what the linear decoder makes of those before.

The third axis of the convolutions is the frame (`fusion: frames`), or a group of feature channels
while frames are stacked in the channels (`fusion: channels`), with as many weights and products.
The first group of a clip has no context; both ends know. Channels that were not sent, and bits that
were lost, are zero at the decoder, which is told how many there are at each place.

Source: [sun2020framediff, abstract and supplement]; sizes, context and start are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.delta_sigma.contexts import CONTEXTS
from semlink.codecs.delta_sigma.initialisation import REACH, block_basis, plan_channels, stages_of
from semlink.codecs.delta_sigma.modulator import ORDERS, modulate

__all__ = ["STRIDE", "DeltaSigmaNet", "DeltaSigmaSize", "delta_sigma_probe", "from_blocks", "to_blocks"]

STRIDE = 8
PIXELS = STRIDE * STRIDE
LATER_SPREAD = 0.8
"""How far behind a context coefficients spread, beside those of a first group: where training begins."""


@dataclass(frozen=True, slots=True)
class DeltaSigmaSize:
    """Sizes and variants.

    Attributes:
        group: frames coded together.
        channels: binary channels of a block and frame.
        width: feature channels, a multiple of `group`.
        analysis, synthesis: residual blocks of encoder and decoder.
        order: of the modulator; 0 for the plain sign.
        scan: the modulator runs along `frames` or along `channels`.
        fusion: the third axis of the convolutions is `frames` or `channels`.
        linear: with the linear transform that training begins at; without, the networks begin at random.
    """

    group: int = 8
    channels: int = 32
    width: int = 64
    analysis: int = 2
    synthesis: int = 3
    order: int = 1
    scan: str = "frames"
    fusion: str = "frames"
    linear: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (("scan", ("frames", "channels")), ("fusion", ("frames", "channels")), ("order", ORDERS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"model.{name}: got {getattr(self, name)!r}, allowed: {', '.join(map(str, allowed))}")
        if not 2 <= self.group <= 64 or self.width % self.group:
            raise ValueError(
                f"model.width: got {self.width}, allowed: a multiple of model.group {self.group}, which is 2 to 64"
            )
        if not 1 <= self.channels <= 255:
            raise ValueError(f"model.channels: got {self.channels}, allowed: 1 to 255")

    @property
    def words(self) -> str:
        """The sizes in words, for the architecture line of a card."""
        blocks = f"blocks={self.analysis}/{self.synthesis}"
        variant = f"order={self.order} scan={self.scan} fusion={self.fusion}"
        whole = "" if self.linear else " without linear transform"
        return f"N={self.group} K={self.channels} width={self.width} {blocks} {variant}{whole}"


def to_blocks(frames: torch.Tensor) -> torch.Tensor:
    """Blocks as channels, mid-gray at zero: (b, t, h, w) in [0, 1] to (b, 64, t, h/8, w/8)."""
    return F.pixel_unshuffle(frames[:, :, None] - 0.5, STRIDE).transpose(1, 2)


def from_blocks(blocks: torch.Tensor) -> torch.Tensor:
    """The inverse of `to_blocks`, not clipped."""
    return F.pixel_shuffle(blocks.transpose(1, 2).contiguous(), STRIDE)[:, :, 0] + 0.5


class Convolution(nn.Module):
    """3 x 3 x 3 over (third axis, rows, columns); its weights lie flat, (out, in, 27)."""

    def __init__(self, width: int, *, share: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, 27) * share * (2 / (27 * width)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv3d(x, self.weight.unflatten(2, (3, 3, 3)), self.bias, padding=1)


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), over frames or over groups of feature channels."""

    def __init__(self, width: int, group: int, fusion: str) -> None:
        super().__init__()
        self.group, self.fusion = group, fusion
        self.first, self.second = Convolution(width), Convolution(width, share=0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = self._turned(x).relu()
        change = self.second(self.first(change).relu())
        return x + self._turned(change)

    def _turned(self, x: torch.Tensor) -> torch.Tensor:
        """(b, g n, n, h, w) with the n groups of channels in the place of the n frames; its own inverse."""
        if self.fusion == "frames":
            return x
        parts = x.unflatten(1, (-1, self.group)).transpose(2, 3)
        return parts.flatten(1, 2).contiguous(memory_format=torch.channels_last_3d)


class Trunk(nn.Module):
    """Features of a group: a 1x1x1 layer, a learned offset for each frame, residual blocks, a last layer.

    The last layer begins at zero where a linear transform stands beside it.
    """

    def __init__(self, inputs: int, outputs: int, blocks: int, size: DeltaSigmaSize) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, size.width)
        self.place = nn.Parameter(0.02 * torch.randn(size.group, size.width))
        self.blocks = nn.ModuleList(Residual(size.width, size.group, size.fusion) for _ in range(blocks))
        self.leave = nn.Linear(size.width, outputs)
        if size.linear:
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(cast(torch.Tensor, self.leave.bias))

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        x = torch.cat([part.movedim(1, -1) for part in parts], -1)  # b n h w c
        x = (self.enter(x) + self.place[:, None, None]).movedim(-1, 1)  # channels last in memory
        for block in self.blocks:
            x = block(x)
        return self.leave(x.relu().movedim(1, -1)).movedim(-1, 1)


class Predictor(nn.Module):
    """What a group should look like, from the last two decoded frames; begins with the last one, standing still."""

    def __init__(self, size: DeltaSigmaSize) -> None:
        super().__init__()
        self.group = size.group
        self.enter = nn.Conv2d(2 * PIXELS, size.width, 3, padding=1)
        self.middle = nn.Conv2d(size.width, size.width, 3, padding=1)
        self.leave = nn.Conv2d(size.width, size.group * PIXELS, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(cast(torch.Tensor, self.leave.bias))

    def forward(self, last: torch.Tensor) -> torch.Tensor:
        """(b, 2, h, w) to (b, 64, n, h/8, w/8)."""
        blocks = to_blocks(last)
        x = torch.cat((blocks[:, :, 1], blocks[:, :, 1] - blocks[:, :, 0]), 1)
        features = self.enter(x.contiguous(memory_format=torch.channels_last)).relu()
        features = features + self.middle(features).relu()
        return blocks[:, :, 1:] + self.leave(features).float().unflatten(1, (PIXELS, self.group))


class DeltaSigmaNet(nn.Module):
    """Encoder, decoder and predictor of one codec."""

    def __init__(self, size: DeltaSigmaSize) -> None:
        super().__init__()
        self.size = size
        self.plan = plan_channels(size.channels, STRIDE, stages_of(size.group, size.order))
        self.runs = self.plan.runs if size.linear and size.scan == "frames" else ((0, size.channels),)
        told = 2 * PIXELS + 1
        self.encoder = Trunk(told, size.channels, size.analysis, size)
        self.decoder = Trunk(told + size.channels + 1, PIXELS, size.synthesis, size)
        self.predictor = Predictor(size)
        codes, n = size.channels, size.group
        self.spatial = nn.Parameter(torch.zeros(2, codes, PIXELS))  # of a first group, and behind a context
        self.temporal = nn.Parameter(torch.zeros(2, codes, n, n))
        self.offset = nn.Parameter(torch.zeros(2, codes, n))
        self.back_spatial = nn.Parameter(torch.zeros(2, codes, PIXELS))
        self.back_temporal = nn.Parameter(torch.zeros(2, codes, n, n))
        self.chances: torch.Tensor
        self.register_buffer("chances", torch.full((2, codes, n, CONTEXTS), 0.5))
        if size.linear:
            self._start()

    def context(self, last: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
        """What the decoder expects of a group: (b, 64, n, h/8, w/8), zero for the first, `like` (b, ..., h/8, w/8)."""
        if last is None:
            return like.new_zeros(len(like), PIXELS, self.size.group, *like.shape[-2:])
        return self.predictor(last)

    def code(self, frames: torch.Tensor, context: torch.Tensor, *, later: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes within 0.7 and bits of -1 and 1, both (b, K, n, h/8, w/8), of frames (b, n, h, w)."""
        x = to_blocks(frames) - context
        branch = self.encoder(x, context, _plane(x, float(later))).float()
        codes, bits = [], []
        for number, (start, stop) in enumerate(self.runs):
            own, part = slice(start, stop), int(later)
            with torch.autocast(x.device.type, enabled=False):
                linear = torch.einsum("kp,bpthw->bkthw", self.spatial[part, own], x)
                linear = torch.einsum("kit,bkthw->bkihw", self.temporal[part, own], linear)
                linear = linear + self.offset[part, own][:, :, None, None]
                codes.append(REACH * torch.tanh(linear + branch[:, own]))
                bits.append(modulate(codes[-1], self.size.order, 2 if self.size.scan == "frames" else 1))
                if number + 1 < len(self.runs):
                    x = x - self._estimate(bits[-1].detach(), own, later)
        return torch.cat(codes, 1), torch.cat(bits, 1)

    def frames(self, bits: torch.Tensor, known: torch.Tensor, context: torch.Tensor, *, later: bool) -> torch.Tensor:
        """Frames (b, n, h, w), not clipped, from bits (b, K, n, h/8, w/8).

        Args:
            bits: -1, 1, anything between where they are not sure, 0 where they are not known.
            known: which channels arrived at each place, 0 or 1: (b, K, h/8, w/8).
        """
        bits = bits * known[:, :, None]
        with torch.autocast(bits.device.type, enabled=False):
            estimate = self._estimate(bits, slice(None), later)
        share = known.mean(1)[:, None, None].expand(-1, 1, self.size.group, -1, -1)
        told = self.decoder(bits, estimate, context, share, _plane(bits, float(later)))
        return from_blocks(context + estimate + told.float())

    def _estimate(self, bits: torch.Tensor, own: slice, later: bool) -> torch.Tensor:
        """What channels `own` tell of the blocks by themselves: (b, 64, n, h, w)."""
        along = torch.einsum("kti,bkihw->bkthw", self.back_temporal[int(later), own], bits)
        return torch.einsum("kp,bkthw->bpthw", self.back_spatial[int(later), own], along)

    @torch.no_grad()
    def _start(self) -> None:
        stages = stages_of(self.size.group, self.size.order)
        basis = torch.from_numpy(block_basis(STRIDE)[self.plan.coefficient]).float()
        spread = torch.from_numpy(self.plan.spread).float()[:, None]
        for later, scale in enumerate((1.0, LATER_SPREAD)):
            self.spatial[later] = basis / (scale * spread)
            self.back_spatial[later] = basis * (scale * spread)
            for k, number in enumerate(self.plan.stage):
                stage = stages[number]
                self.temporal[later, k], self.back_temporal[later, k] = stage.first, stage.second
                self.offset[later, k] = stage.offset


def keep_channels(like: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Which channels are sent where `count` (b, h, w) are: 0 or 1 (b, K, h, w), for bits (b, K, n, h, w)."""
    number = torch.arange(like.shape[1], device=like.device)[:, None, None]
    return (number < count[:, None]).to(like.dtype)


@torch.no_grad()
def delta_sigma_probe(net: DeltaSigmaNet) -> torch.Tensor:
    """Codes and frames of a fixed input, both groups; nothing passes the quantiser, so rounding changes little."""
    device = next(net.parameters()).device
    n, k = net.size.group, net.size.channels
    time, rows, columns = torch.meshgrid(torch.arange(n), torch.arange(32), torch.arange(32), indexing="ij")
    frames = (0.5 + 0.3 * torch.sin(rows / 3 + 0.2 * time) * torch.cos(columns / 4 - 0.1 * time))[None].to(device)
    number = torch.arange(k * n * 16, device=device).view(1, k, n, 4, 4)
    bits, known = torch.cos(1.7 * number.double()).sign().float(), torch.ones(1, k, 4, 4, device=device)
    parts = []
    for later in (False, True):
        context = net.context(frames[:, -2:] if later else None, known)
        parts.append(net.code(frames, context, later=later)[0][:, : net.runs[0][1]].flatten())  # before any bit
        parts.append(net.frames(bits, known, context, later=later).flatten())
    return torch.cat(parts)


def _plane(like: torch.Tensor, value: float) -> torch.Tensor:
    """One number everywhere: (b, 1, n, h, w)."""
    return torch.full_like(like[:, :1], value)
