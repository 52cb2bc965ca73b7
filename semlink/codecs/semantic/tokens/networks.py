"""The network behind semantic transmission by tokens: readings to ordered analogue symbols, and back.

    y = linear(x) + correct(x, point)           latents of every token
    s = gain(point) (rotate(group of y))        symbols of every group, strongest first; a prefix is sent
    y~ = unrotate(trust s~ / gain(point))       what a linear receiver believes of them
    v = linear'(y~) + correct'(y~, trust, point)

`point` is what both ends know: SNR, mean rate, and how many symbols each group
sends; the receiver also knows the clip's power and the noise of every symbol,
which make `trust`, so fading and erasures need no other network. All linear
parts begin at the best linear code of training clips. The receiver writes the
frames directly, or, where `writes` says so, the readings.

Source: [zhang2024crl, Sec. III-B], of which prefix, power constraint and allocation are kept and the networks replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from semlink.codecs.semantic.tokens.allocation import GainPredictor, LevelPolicy, left_out_of, log_reference
from semlink.codecs.semantic.tokens.groups import grouped, prefixes, spread, ungrouped
from semlink.codecs.semantic.tokens.operating import FACTS, facts_of
from semlink.codecs.token_readings import TokenReadings
from semlink.nn.tokens import Conv, Norm, channels_first, channels_last, silent, trunk, working_dtype

WRITES = ("frames", "readings")


@dataclass(frozen=True, slots=True)
class SemanticTokenSizes:
    """Sizes of the code.

    Attributes:
        tile: the sensor's map, repeated over blocks of `block` pixels; `num_frames` in a clip.
        group: tokens along a side of a group; `latents` of each token.
        levels: symbols of a group that the allocation may choose from, rising, even.
        encoder, decoder: channels of the trunks.
        encoder_blocks: residual blocks before and after the operating point is told; `decoder_blocks` at the receiver.
        heads: channels of the networks that choose levels.
        writes: "frames", or "readings", which another network restores.
    """

    tile: list
    block: int = 8
    num_frames: int = 16
    group: int = 2
    latents: int = 64
    levels: list = field(default_factory=lambda: [4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256])
    encoder: int = 192
    encoder_blocks: list = field(default_factory=lambda: [2, 2])
    decoder: int = 256
    decoder_blocks: int = 6
    heads: int = 96
    writes: str = "frames"

    def __post_init__(self) -> None:
        if self.writes not in WRITES:
            raise ValueError(f"model.writes: got {self.writes!r}, allowed: {' or '.join(WRITES)}")
        fits = all(0 < a < b for a, b in zip(self.levels, self.levels[1:])) and self.levels[-1] <= self.symbols
        if not fits or any(level % 2 for level in self.levels):
            raise ValueError(f"model.levels: got {self.levels}, allowed: even, rising, 2 to {self.symbols}")

    @property
    def readings(self) -> TokenReadings:
        return TokenReadings(tuple(map(tuple, self.tile)), self.block, self.num_frames // 2)

    @property
    def symbols(self) -> int:
        """Real symbols that a group has at most."""
        return self.group**2 * self.latents

    @property
    def stride(self) -> int:
        """Pixels along a side of a group."""
        return self.group * self.block

    @property
    def written(self) -> int:
        """Values that the receiver writes for a block."""
        return self.readings.width if self.writes == "readings" else self.num_frames * self.block**2

    @property
    def words(self) -> str:
        before, after = self.encoder_blocks
        return (
            f"T={self.num_frames} block={self.block} readings={self.readings.width} group={self.group} "
            f"latents={self.latents} encoder={self.encoder}x({before}+{after}) "
            f"decoder={self.decoder}x{self.decoder_blocks} heads={self.heads} levels={self.levels} {self.writes}"
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a receiver has: symbols on the encoder's scale (b, h, w, n) and the noise variance of each, infinite
    where nothing arrived; symbols sent of each group `kept` (b, h, w); the clip's power and the agreed SNR (b,)."""

    symbols: torch.Tensor
    noise_var: torch.Tensor
    kept: torch.Tensor
    power: torch.Tensor
    snr_db: torch.Tensor


@dataclass(frozen=True, slots=True)
class Choices:
    """What is said of the levels before anything is sent: predicted log errors and log-probabilities of the policy
    (b, h, w, levels), of what the encoder has seen."""

    seen: torch.Tensor
    log_errors: torch.Tensor
    log_chances: torch.Tensor


@dataclass(frozen=True, slots=True)
class Sent(Choices):
    """What training wants to know of a batch: what was written (b, h, w, written) of its blocks, too, and symbols kept
    of each group."""

    written: torch.Tensor
    kept: torch.Tensor


Rates = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Symbols of each group (b, h, w) from predicted log errors and log-probabilities of the levels."""
Air = Callable[[torch.Tensor, torch.Tensor], Arrived]
"""What arrives of symbols, of which each group sends so many."""


class SemanticTokenNet(nn.Module):
    """Encoder, decoder, and the two ways to choose levels."""

    scale: torch.Tensor

    def __init__(self, sizes: SemanticTokenSizes) -> None:
        super().__init__()
        self.sizes, width = sizes, sizes.readings.width
        before, after = sizes.encoder_blocks
        self.enter = Conv(width, sizes.encoder, 1)
        self.look = trunk(sizes.encoder, before)
        self.tell_encoder = nn.Linear(FACTS, sizes.encoder)
        self.decide = trunk(sizes.encoder, after)
        self.settle = Norm(sizes.encoder)
        self.correct_latents = silent(Conv(sizes.encoder, sizes.latents, 1))
        self.linear_analysis = nn.Linear(width, sizes.latents)
        self.rotate = nn.Linear(sizes.symbols, sizes.symbols)
        self.log_gain = nn.Linear(FACTS, sizes.symbols)
        self.log_prior = nn.Linear(FACTS + 1, sizes.symbols)
        self.unrotate = nn.Linear(sizes.symbols, sizes.symbols)
        self.receive = Conv(sizes.latents, sizes.decoder, 1)
        self.tell_decoder = nn.Linear(FACTS + 1 + sizes.symbols, sizes.decoder)
        self.restore = trunk(sizes.decoder, sizes.decoder_blocks)
        self.norm = Norm(sizes.decoder)
        self.correct_written = silent(Conv(sizes.decoder, sizes.written, 1))
        self.linear_synthesis = nn.Linear(sizes.latents, sizes.written)
        self.register_buffer("scale", torch.ones(sizes.latents))
        self.predict = GainPredictor(sizes.encoder, sizes.heads, sizes.group, len(sizes.levels))
        self.choose = LevelPolicy(sizes.encoder, sizes.heads, sizes.group, sizes.levels)
        for layer in (self.tell_encoder, self.tell_decoder, self.log_gain, self.log_prior):
            nn.init.zeros_(layer.weight)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor, log_price: torch.Tensor, rates: Rates, air: Air) -> Sent:
        """For training: readings sent at the rates that `rates` chooses and received over `air`; the price of a symbol
        is told beside the clip's error at the lowest level."""
        said = self.choices(x, snr_db, log_price)
        kept = rates(said.log_errors.detach(), said.log_chances.detach())
        written = self.restored(air(self.symbols(x, said.seen, kept, snr_db), kept))
        return Sent(said.seen, said.log_errors, said.log_chances, written, kept)

    def choices(self, x: torch.Tensor, snr_db: torch.Tensor, log_price: torch.Tensor) -> Choices:
        """For training the policy on what is predicted alone: nothing is sent."""
        seen, left_out = self.before_point(x), self.left_out(x)
        log_errors = self.predict(seen, left_out, snr_db)
        return Choices(seen, log_errors, self.choose(seen, left_out, snr_db, log_price + log_reference(log_errors)))

    def before_point(self, x: torch.Tensor) -> torch.Tensor:
        """What the encoder makes of weighed readings (b, h, w, n) at any operating point: (b, channels, h, w)."""
        dtype = working_dtype(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.look(self.enter(channels_first(x.to(dtype))))

    @torch.no_grad()
    def left_out(self, x: torch.Tensor) -> torch.Tensor:
        """Mean square of what each level leaves out of the linear symbols of a group: (b, h, w, levels)."""
        with torch.autocast(x.device.type, enabled=False):
            linear = self.rotate(grouped(self.linear_analysis(x), self.sizes.group))
            return left_out_of(linear, self.sizes.levels, self.sizes.num_frames * self.sizes.stride**2)

    def latents(self, x: torch.Tensor, seen: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """Latents of tokens (b, h, w, c) from readings, what `before_point` made of them, and the facts of groups."""
        with torch.autocast(x.device.type, enabled=False):
            told = spread(self.tell_encoder(facts), self.sizes.group)
            seen = self.decide(seen + channels_first(told.to(seen.dtype)))
            return self.linear_analysis(x) + channels_last(self.correct_latents(self.settle(seen))).float()

    def symbols(self, x: torch.Tensor, seen: torch.Tensor, kept: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """Symbols of groups (b, h, w, n), not normalised; zero from `kept` (b, h, w) on."""
        facts = facts_of(snr_db, kept)
        latents = self.latents(x, seen, facts)
        with torch.autocast(x.device.type, enabled=False):
            strong = self.rotate(grouped(latents, self.sizes.group)) * self.log_gain(facts).exp()
            return strong * prefixes(kept, self.sizes.symbols)

    def restored(self, arrived: Arrived) -> torch.Tensor:
        """What a receiver writes of every block: (b, h, w, written)."""
        dtype = working_dtype(arrived.symbols)
        with torch.autocast(arrived.symbols.device.type, enabled=False):
            facts = facts_of(arrived.snr_db, arrived.kept)
            power = arrived.power.log()[:, None, None, None].expand(*facts.shape[:3], 1)
            told = torch.cat((facts, power), -1)
            prior = self.log_prior(told).exp()
            trust = prefixes(arrived.kept, self.sizes.symbols) * prior / (prior + arrived.noise_var)
            believed = torch.where(trust > 0, trust * arrived.symbols, 0) * (-self.log_gain(facts)).exp()
            latents = ungrouped(self.unrotate(believed), self.sizes.group)
            point = spread(self.tell_decoder(torch.cat((told, trust), -1)), self.sizes.group)
            seen = self.receive(channels_first((latents / self.scale).to(dtype))) + channels_first(point.to(dtype))
            written = channels_last(self.correct_written(self.norm(self.restore(seen)))).float()
            return self.linear_synthesis(latents) + written


@torch.no_grad()
def probe(net: SemanticTokenNet) -> torch.Tensor:
    """What a fixed input becomes at three points, and what is predicted of it: readings on a grid of groups."""
    sizes, side = net.sizes, 4 * net.sizes.group
    x = torch.sin(torch.arange(side * side * sizes.readings.width).float()).view(1, side, side, -1).repeat(3, 1, 1, 1)
    kept = torch.tensor(sizes.levels)[[0, len(sizes.levels) // 2, -1]].view(3, 1, 1).repeat(1, 4, 4)
    snr_db = torch.tensor([0.0, 10.0, 20.0])
    seen = net.before_point(x)
    symbols = net.symbols(x, seen, kept, snr_db)
    power = symbols.square().sum((1, 2, 3)) / kept.sum((1, 2))
    noise = (power * 10 ** (-snr_db / 10))[:, None, None, None].expand_as(symbols)
    written = net.restored(Arrived(symbols, noise, kept, power, snr_db))
    left_out = net.left_out(x)
    chosen = net.choose(seen, left_out, snr_db, torch.tensor([-12.0, -10.0, -8.0])).exp()
    return torch.cat([part.flatten() for part in (written[..., ::64], net.predict(seen, left_out, snr_db), chosen)])
