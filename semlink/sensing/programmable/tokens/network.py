"""A decoder of readings on tokens: the linear estimate of every block, corrected by a trunk over the blocks.

Everything between readings and frames is an estimate of the cosine coefficients
of blocks of 16 frames of 8x8 pixels. The linear one knows the ratio map, the
trunk is told how much of each coefficient it explains, and what the trunk adds
is kept to the readings. So a map that nobody trained for costs a linear system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from semlink.nn.cpu import bf16_pays
from semlink.nn.tokens import Conv, Norm, Operating, channels_first, channels_last, silent, trunk, working_dtype
from semlink.sensing.programmable.exposure import ReadNoise
from semlink.sensing.programmable.tokens.cosine import SIDE
from semlink.sensing.programmable.tokens.linear_start import WINDOW, LinearStart, Start, tile_start
from semlink.sensing.programmable.tokens.motion import COMPONENTS
from semlink.sensing.programmable.tokens.prior import Prior

TICK = 2.0**-34
"""Unit of a stored covariance; whole numbers, since half precision would make it none."""


@dataclass(frozen=True, slots=True)
class DecoderSizes:
    """Sizes of the decoder.

    Attributes:
        num_frames: of a clip.
        channels, blocks: of the trunk.
        corrected: coefficients of a block that the trunk sees and corrects, those of most variance.
    """

    num_frames: int = 16
    channels: int = 256
    blocks: int = 5
    corrected: int = 512

    @property
    def coefficients(self) -> int:
        return self.num_frames * SIDE * SIDE

    @property
    def words(self) -> str:
        return f"T={self.num_frames} trunk={self.channels}x{self.blocks} corrected={self.corrected}"


class TokenDecoder(nn.Module):
    """Readings of blocks to cosine coefficients of blocks."""

    mean: torch.Tensor
    ticks: torch.Tensor
    order: torch.Tensor
    spread: torch.Tensor

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes, corrected, channels = sizes, sizes.corrected, sizes.channels
        self.register_buffer("mean", torch.tensor([0.5]))
        self.register_buffer("ticks", torch.zeros(sizes.num_frames, WINDOW, WINDOW, dtype=torch.int32))
        self.register_buffer("order", torch.arange(corrected))
        self.register_buffer("spread", torch.ones(corrected))
        self.enter = Conv(corrected, channels, 1)
        self.told = Operating(corrected, channels)
        self.moved = silent(Conv(COMPONENTS, channels, 1))
        self.trunk = trunk(channels, sizes.blocks)
        self.norm = Norm(channels)
        self.leave = silent(Conv(channels, corrected, 1))

    @torch.no_grad()
    def begin(self, mean: float, covariance: torch.Tensor) -> TokenDecoder:
        """Take what was found of video: the mean of its pixels, and their covariance (t, rows, columns)."""
        self.mean.fill_(mean)
        self.ticks.copy_((covariance / TICK).round())
        variances = self.prior(ReadNoise()).variances()
        order = variances.argsort(descending=True)[: self.sizes.corrected]
        self.order.copy_(order)
        self.spread.copy_(variances[order].sqrt())
        return self

    def prior(self, noise: ReadNoise) -> Prior:
        """What the decoder knows of video before anything is read."""
        return Prior(float(self.mean), self.ticks.cpu().double().mul(TICK).float(), noise)

    def start(self, counts: torch.Tensor, noise: ReadNoise) -> LinearStart:
        """The linear part for a map whose blocks all are `counts` (8, 8), found in full precision."""
        with torch.autocast("cpu", enabled=False):
            dtype = torch.bfloat16 if self.order.is_cuda or bf16_pays() else torch.float32
            found = tile_start(counts.cpu(), self.prior(noise), self.order.cpu(), dtype)
            return found.to(self.order.device)

    def forward(self, readings: torch.Tensor, starts: Sequence[Start]) -> torch.Tensor:
        """Coefficients (b, h, w, n) of frames less the mean, float32.

        Args:
            readings: (b, slots, 8 h, 8 w), brightness less the mean, 0 where nothing is read.
            starts: one for each of as many equal parts of the batch.
        """
        dtype = working_dtype(readings)
        with torch.autocast(readings.device.type, enabled=False):
            parts = [start.estimate(part) for start, part in zip(starts, readings.chunk(len(starts)))]
            linear, chances = (torch.cat(found) for found in zip(*parts))
            known = torch.stack([start.known for start in starts])
            known = known.repeat_interleave(len(readings) // len(starts), 0)
            seen = self.enter(channels_first((linear[..., self.order] / self.spread).to(dtype)))
            seen = seen + self.told(2 * known - 1, dtype) + self.moved(channels_first(chances.to(dtype)))
            seen = self.norm(self.trunk(seen))
            added = channels_last(self.leave(seen)).float() * self.spread
            kept = [start.keep(part) for start, part in zip(starts, added.chunk(len(starts)))]
            return linear + torch.cat(kept)


@torch.no_grad()
def probe(net: TokenDecoder) -> torch.Tensor:
    """The network's answer to a fixed wave under a fixed map: tells right weights from wrong ones."""
    counts = torch.tensor([[1, 2], [4, 0]]).repeat(SIDE // 2, SIDE // 2)
    slots = net.sizes.num_frames // 2
    wave = 0.3 * torch.sin(0.37 * torch.arange(slots * 32 * 48.0)).view(1, slots, 32, 48)
    wave = torch.where(torch.arange(slots)[:, None, None] < counts.repeat(4, 6), wave, 0)
    return net(wave, [net.start(counts, ReadNoise())])[..., ::16]
