"""The semantic-channel encoder and decoder: readings straight to channel symbols and back.

Each block of 8 x 8 pixels gives up to 48 real symbols, of which a prefix is
sent. Encoder and decoder are a linear transform that is best for a model of
video, plus the published stages of spectral-wise attention, whose last layers
start at zero: training begins at the figures of linear analogue transmission.

    X = exp(gain(snr)) (linear(x) + branch(x, snr))
    x^ = linear'(X~) + branch'(X~, sent, snr),   X~ the linear MMSE estimate of X

The signal-to-noise ratio is known at both ends. The decoder is told the noise
of each symbol, so fading and erasures need no other network.

Source: [zhang2024crl, Sec. III-B]; the linear start and the conditioning are this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from semlink.codecs.readings_klt import Basis, reading_basis
from semlink.nn.attention import SpectralBlock, init_spectral
from semlink.nn.spectral_stage import conv3, double, halve

STRIDE = 8
SYMBOLS = 48
"""Real symbols that a block has at most."""


@dataclass(frozen=True, slots=True)
class SemanticSize:
    """Sizes of both networks.

    Attributes:
        num_frames: frames of a clip, twice the slots of the sensor.
        width: channels at full size; doubled at each of three levels.
        blocks: attention blocks at full, half and quarter size; four each as published.
        deep: pairs of an attention block and a convolution at an eighth of the size.
    """

    num_frames: int = 16
    width: int = 16
    blocks: list = field(default_factory=lambda: [4, 4, 4])
    deep: int = 2

    def __post_init__(self) -> None:
        if len(self.blocks) != 3:
            raise ValueError(f"model.blocks: got {self.blocks}, allowed: three numbers, for three levels")

    @property
    def words(self) -> str:
        """The sizes in words, for the architecture line of a card."""
        return f"T={self.num_frames} width={self.width} blocks={'/'.join(map(str, self.blocks))} deep={self.deep}"


class Conditioned(nn.Module):
    """Scale and shift of features by the signal-to-noise ratio: (b, width, h, w), (b,) in dB; starts as identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shape = nn.Linear(SNR_FEATURES, 2 * width)
        nn.init.zeros_(self.shape.weight)
        nn.init.zeros_(self.shape.bias)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        scale, shift = self.shape(snr_features(snr_db))[..., None, None].chunk(2, 1)
        return x * (1 + scale) + shift


SNR_FEATURES = 3


def snr_features(snr_db: torch.Tensor) -> torch.Tensor:
    """Smooth functions of the SNR in dB, of order 1 from 0 to 20 dB: (b,) to (b, 3)."""
    level = (snr_db.float() - 10) / 10
    return torch.stack((level, level.square(), level**3), -1)


class SemanticEncoder(nn.Module):
    """Readings x (b, slots, h, w) and SNR (b,) in dB to symbols X (b, 48, h / 8, w / 8), not normalised.

    h and w are multiples of 8; the phase of the sensor's tile must be the trained one.
    """

    def __init__(self, size: SemanticSize, tile: Sequence[Sequence[int]]) -> None:
        super().__init__()
        basis = reading_basis(tile, STRIDE, size.num_frames)
        slots, c = size.num_frames // 2, size.width
        self.linear = nn.Conv2d(slots, SYMBOLS, STRIDE, stride=STRIDE, bias=False)
        self.enter = conv3(slots, c)
        self.levels = nn.ModuleList(
            nn.Sequential(*(SpectralBlock(c << k, c) for _ in range(count)), halve(c << k))
            for k, count in enumerate(size.blocks)
        )
        self.condition = Conditioned(8 * c)
        self.deep = nn.Sequential(
            *(nn.Sequential(SpectralBlock(8 * c, c), conv3(8 * c, 8 * c)) for _ in range(size.deep))
        )
        self.leave = conv3(8 * c, SYMBOLS)
        self.gain = nn.Linear(SNR_FEATURES, SYMBOLS)
        init_spectral(self)
        self._start(basis)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        features = self.enter(x)
        for level in self.levels:
            features = level(features)
        branch = self.leave(self.deep(self.condition(features, snr_db))).float()
        with torch.autocast(x.device.type, enabled=False):
            gain = self.gain(snr_features(snr_db)).exp()[..., None, None]
            return gain * (self.linear(x.float()) + branch)

    @torch.no_grad()
    def _start(self, basis: Basis) -> None:
        """Power as the root of each variance, the best for equal symbols; nothing from the branch."""
        self.linear.weight.copy_(basis.vectors[:SYMBOLS] * start_gains(basis)[:, None, None, None])
        for layer in (self.leave, self.gain):
            layer.weight.zero_()
        assert self.gain.bias is not None
        self.gain.bias.zero_()


class SemanticDecoder(nn.Module):
    """What arrived to readings x^ (b, slots, h, w).

    `forward` takes symbols on the encoder's scale (b, 48, h / 8, w / 8), which
    of them were sent (1 or 0), the noise variance of each, infinite where
    nothing arrived, and the SNR (b,) in dB.
    """

    def __init__(self, size: SemanticSize, tile: Sequence[Sequence[int]]) -> None:
        super().__init__()
        basis = reading_basis(tile, STRIDE, size.num_frames)
        slots, c = size.num_frames // 2, size.width
        self.log_variance = nn.Parameter(torch.zeros(SYMBOLS))
        self.gain = nn.Linear(SNR_FEATURES, SYMBOLS)
        self.enter = conv3(SYMBOLS + 2, 8 * c)
        self.condition = Conditioned(8 * c)
        self.deep = nn.Sequential(
            *(nn.Sequential(conv3(8 * c, 8 * c), SpectralBlock(8 * c, c)) for _ in range(size.deep))
        )
        self.levels = nn.ModuleList(
            nn.Sequential(double(2 * c << k), *(SpectralBlock(c << k, c) for _ in range(count)))
            for k, count in reversed(list(enumerate(size.blocks)))
        )
        self.leave = conv3(c, slots)
        self.linear = nn.ConvTranspose2d(SYMBOLS, slots, STRIDE, stride=STRIDE, bias=False)
        init_spectral(self)
        self._start(basis)

    def forward(
        self, symbols: torch.Tensor, sent: torch.Tensor, noise_var: torch.Tensor, snr_db: torch.Tensor
    ) -> torch.Tensor:
        with torch.autocast(symbols.device.type, enabled=False):
            prior = (self.log_variance + self.gain(snr_features(snr_db))).exp()[..., None, None]
            trust = sent * prior / (prior + noise_var)
            believed = torch.where(trust > 0, trust * symbols, 0)
            straight = self.linear(believed)
            told = torch.cat((believed, sent.mean(1, keepdim=True), trust.mean(1, keepdim=True)), 1)
        features = self.deep(self.condition(self.enter(told), snr_db))
        for level in self.levels:
            features = level(features)
        return straight + self.leave(features).float()

    @torch.no_grad()
    def _start(self, basis: Basis) -> None:
        gains = start_gains(basis)
        self.linear.weight.copy_(basis.vectors[:SYMBOLS] / gains[:, None, None, None])
        self.log_variance.copy_((gains.square() * basis.variances[:SYMBOLS]).log())
        self.leave.weight.zero_()
        for part in (self.gain.weight, self.gain.bias):
            part.zero_()


def start_gains(basis: Basis) -> torch.Tensor:
    """Amplitudes variance^(-1/4) of the first 48 coefficients, scaled to an average power of one.

    Source: [jakubczak2011, power allocation], the best linear encoder of a Gaussian vector at high SNR.
    """
    variances = basis.variances[:SYMBOLS]
    gains = variances**-0.25
    return gains / (gains.square() * variances).mean().sqrt()


@torch.no_grad()
def semantic_probe(encoder: SemanticEncoder, decoder: SemanticDecoder, size: SemanticSize) -> torch.Tensor:
    """What fixed readings become without noise: tells right weights from wrong ones."""
    slots = size.num_frames // 2
    x = 0.8 * torch.sin(0.37 * torch.arange(slots * 32 * 32.0)).view(1, slots, 32, 32)
    snr_db = torch.full((1,), 12.0)
    symbols = encoder(x, snr_db)
    return decoder(symbols, torch.ones_like(symbols), torch.full_like(symbols, 0.05), snr_db)
