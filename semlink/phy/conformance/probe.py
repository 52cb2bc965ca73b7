"""What the conformance kit sends, and how signal and noise are told apart.

A channel is heard twice with the same seeds: at the SNR asked for, and at one
so high that no noise is left. The second is the signal part, the difference is
the noise; that holds for fading, echoes, interference and amplifiers alike.
Every call starts from the same state of the process-wide generators, so that
a channel that draws from them can still be measured, and gets its own failure.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from semlink.blocks import ChannelBase
from semlink.payload import ChannelOutput
from semlink.phy.conformance.chance import most_alike
from semlink.phy.conformance.draws import Draws
from semlink.seeds import Seeds

QUIET_DB = (120.0, 80.0, 60.0)
FAINT = 1e-7  # power below which there is nothing
STILL = 1e-3  # relative change of a gain that stands still, in float32
GRID_CLIPS, GRID_TRIALS, GRID_SYMBOLS = (0, 1, 2, 500), (0, 1, 2, 7), 512
LATE = 512  # where the symbol stands whose echoes are looked for


@contextmanager
def world(number: int) -> Iterator[None]:
    """Process-wide generators of torch, numpy and Python in a state numbered `number`, put back afterwards."""
    before = world_state()
    twister: Any = np.random.MT19937(number)
    try:
        torch.set_rng_state(torch.Generator().manual_seed(number).get_state())
        np.random.set_state(twister.state)  # noqa: NPY002 - to see whether the channel depends on it
        random.seed(number)
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        random.setstate(before[2])


def world_state() -> tuple[Any, ...]:
    """States of the process-wide generators on the CPU."""
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def world_moved(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[str]:
    """Names of the generators whose state changed."""
    moved = []
    if not torch.equal(before[0], after[0]):
        moved.append("torch")
    if not all(np.array_equal(a, b) for a, b in zip(before[1], after[1])):
        moved.append("numpy")
    return [*moved, "random"] if before[2] != after[2] else moved


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """|<a, b>| / (|a| |b|), 0 where either is silent."""
    a, b = a.flatten().to(torch.complex128), b.flatten().to(torch.complex128)
    scale = float(a.norm() * b.norm())
    return float((a * b.conj()).sum().abs()) / scale if scale > 0 else 0.0


@dataclass(frozen=True)
class Grid:
    """Transmissions of many streams: (root seed, clip, trial) of each, its noise and signal (stream, n)."""

    keys: tuple[tuple[int, int, int], ...]
    noise: torch.Tensor
    signal: torch.Tensor

    @cached_property
    def likeness(self) -> torch.Tensor:
        """The largest of `correlation_at_lags` for every pair of streams."""
        return torch.stack([most_alike(self.noise, row) for row in self.noise])


@dataclass(frozen=True)
class Probe:
    """A channel under examination; what several checks need is measured once."""

    channel: ChannelBase
    snr_db: tuple[float, ...]
    seed: int
    clips: int
    symbols: int
    draws: int
    quick: bool = False
    pristine: ChannelBase | None = None

    def seeds(self, *, trial: int = 0, root: int = 0, first: int = 0, clips: int | None = None) -> Seeds:
        """Streams of `clips` clips from number `first` on."""
        numbers = range(first, first + (self.clips if clips is None else clips))
        return Seeds(self.seed + root, tuple(numbers), trial)

    def hear(self, iq: torch.Tensor, snr_db: float, seeds: Seeds, *, state: int = 0) -> ChannelOutput:
        """What the channel makes of a copy of `iq`, the global generators in a state of ours."""
        with world(state):
            return self.hear_as_is(iq, snr_db, seeds)

    def hear_as_is(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> ChannelOutput:
        """What the channel makes of a copy of `iq`."""
        heard = self.channel(iq.clone(), snr_db, seeds)
        return heard if isinstance(heard, ChannelOutput) else ChannelOutput(heard)

    def qpsk(self, clips: int, symbols: int, seed: int = 0) -> torch.Tensor:
        """Random symbols of power exactly 1."""
        signs = np.random.default_rng([self.seed, seed]).integers(0, 2, (clips, symbols, 2)) * 2.0 - 1
        return torch.view_as_complex(torch.from_numpy(signs.astype(np.float32))) * 0.5**0.5

    def gaussian(self, clips: int, symbols: int, seed: int = 0) -> torch.Tensor:
        """Random symbols of every size, of mean power 1."""
        parts = np.random.default_rng([self.seed, seed, 7]).standard_normal((clips, symbols, 2), dtype=np.float32)
        return torch.view_as_complex(torch.from_numpy(parts)) * 0.5**0.5

    def arrived(self, iq: torch.Tensor, seeds: Seeds, *, state: int = 0) -> torch.Tensor:
        """What becomes of the symbols alone, without noise and interference."""
        own = self.hear(torch.zeros_like(iq), self.quiet_db, seeds, state=state).iq if self.interferes else 0
        return (self.hear(iq, self.quiet_db, seeds, state=state).iq - own).detach()

    @cached_property
    def x(self) -> torch.Tensor:
        """The long probe (clip, symbol)."""
        return self.qpsk(self.clips, self.symbols)

    @cached_property
    def quiet_db(self) -> float:
        """The highest SNR the channel takes."""
        for value in QUIET_DB[:-1]:
            try:
                self.hear(self.x[:1, :8], value, self.seeds(clips=1))
            except Exception:  # noqa: BLE001 - a channel may refuse extremes in any way it likes
                continue
            return value
        return QUIET_DB[-1]

    @cached_property
    def quiet(self) -> ChannelOutput:
        """The long probe without noise."""
        return self.hear(self.x, self.quiet_db, self.seeds())

    @cached_property
    def own(self) -> torch.Tensor:
        """What the channel says by itself, into silence and without noise: interference."""
        said = self.hear(torch.zeros_like(self.x), self.quiet_db, self.seeds()).iq.detach()
        return said if bool(torch.isfinite(said.real).all()) else torch.zeros_like(said)

    @cached_property
    def signal(self) -> torch.Tensor:
        """What is left of the long probe without noise and interference."""
        return self.quiet.iq.detach() - self.own

    @property
    def faint(self) -> float:
        """A gain of at most this size is none."""
        return max(10 * 10 ** (-self.quiet_db / 20), 1e-5)

    @cached_property
    def silent(self) -> torch.Tensor:
        """Symbols of the long probe at which nothing is heard, not even noise."""
        return (self.quiet.iq == 0) & (self.loud(self.snr_db[0]).iq == 0)

    @cached_property
    def lost(self) -> torch.Tensor:
        """Symbols that did not arrive: those named as erased, exact silence, and those of gain 0."""
        lost = self.silent if self.quiet.erased is None else self.silent | self.quiet.erased
        return lost if self.gains is None else lost | (self.gains.abs() <= self.faint)

    def loud(self, snr_db: float) -> ChannelOutput:
        """The long probe at `snr_db`."""
        return self.hear(self.x, snr_db, self.seeds())

    def loud_for(self, iq: torch.Tensor) -> torch.Tensor:
        """What becomes of `iq` at the first SNR, noise included."""
        return self.hear(iq, self.snr_db[0], self.seeds()).iq.detach()

    def untouched(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> torch.Tensor | None:
        """The answer of a copy of the channel that was made before anything was sent; None where there is none."""
        if self.pristine is None:
            return None
        with world(0):
            heard = self.pristine(iq.clone(), snr_db, seeds)
        return (heard if isinstance(heard, torch.Tensor) else heard.iq).detach()

    @cached_property
    def grid(self) -> Grid:
        """Short transmissions of two root seeds, some clips and trials."""
        keys, noises, signals = [], [], []
        iq = self.qpsk(1, GRID_SYMBOLS, 9).expand(len(GRID_CLIPS), -1)
        for root in (self.seed, self.seed + 1):
            for trial in GRID_TRIALS:
                seeds = Seeds(root, GRID_CLIPS, trial)
                state = 20 + 10 * trial + root - self.seed
                quiet = self.hear(iq, self.quiet_db, seeds, state=state).iq.detach()
                noises.append(self.hear(iq, self.snr_db[0], seeds, state=state).iq.detach() - quiet)
                signals.append(quiet)
                keys += [(root, clip, trial) for clip in GRID_CLIPS]
        return Grid(tuple(keys), torch.cat(noises), torch.cat(signals))

    def noise(self, snr_db: float, seeds: Seeds | None = None, *, scale: float = 1.0, state: int = 0) -> torch.Tensor:
        """The noise on the long probe (clip, symbol), for streams `seeds`."""
        seeds = self.seeds() if seeds is None else seeds
        iq = self.x * scale
        heard = self.hear(iq, snr_db, seeds, state=state).iq.detach()
        return heard - self.hear(iq, self.quiet_db, seeds, state=state).iq.detach()

    @cached_property
    def first_noise(self) -> torch.Tensor:
        """The noise at the first SNR."""
        return self.noise(self.snr_db[0])

    @cached_property
    def own_noise(self) -> list[int]:
        """Clips whose noise is not that of an earlier one: what statistics may be made of."""
        kept: list[int] = []
        for row, noise in enumerate(self.first_noise):
            if all(correlation(noise, self.first_noise[other]) < 0.5 for other in kept):
                kept.append(row)
        return kept

    @cached_property
    def repeatable(self) -> bool:
        """The same call gives the same numbers."""
        again = self.hear(self.x, self.quiet_db, self.seeds()).iq
        return bool(torch.equal(again, self.quiet.iq))

    @property
    def told_delay(self) -> float:
        """Delay of the last echo in symbols, as the channel says."""
        return self.channel.max_delay_s * (self.channel.bandwidth_hz or 0.0)

    @cached_property
    def response(self) -> torch.Tensor:
        """What one symbol in the midst of others becomes, by lag: complex128 (8 clips, lag), lag 0 at `LATE`."""
        room = 4 * LATE
        while room < LATE + 4 * self.told_delay:
            room *= 2
        base = self.qpsk(8, room, 1)
        changed = base.clone()
        changed[:, LATE] *= -1
        seeds = self.seeds(clips=8)
        moved = self.hear(base, self.quiet_db, seeds).iq - self.hear(changed, self.quiet_db, seeds).iq
        return moved.detach().to(torch.complex128) / (2 * base[:, LATE, None])

    @cached_property
    def has_echoes(self) -> bool:
        """One symbol is heard at the time of others."""
        elsewhere = self.response.abs().clone()
        elsewhere[:, LATE] = 0
        return bool((elsewhere > 5e-4).any())

    @cached_property
    def gains(self) -> torch.Tensor | None:
        """The gain of every symbol of the long probe, None behind echoes."""
        return None if self.has_echoes else self.signal / self.x

    @cached_property
    def draws_made(self) -> Draws:
        """Many short transmissions."""
        return Draws(self)

    @cached_property
    def kept_gains(self) -> torch.Tensor:
        """One gain of each short transmission that arrived, of a carrier where there are echoes: complex128."""
        gains = self.draws_made.upto(self.draws).gain[:, -1]
        return gains[gains.abs() > self.faint]

    @cached_property
    def few_gains(self) -> torch.Tensor:
        """The same of a few transmissions, enough to see whether it varies."""
        gains = self.draws_made.upto(min(self.draws, 512)).gain[:, -1]
        return gains[gains.abs() > self.faint]

    @cached_property
    def interferes(self) -> bool:
        """It speaks by itself."""
        return float(self.own.abs().square().mean()) > FAINT

    @cached_property
    def fades(self) -> bool:
        """|h| is not always the same, losses aside."""
        return _varies(self.few_gains) or (self.gains is not None and _varies(self.gains[~self.lost]))

    @cached_property
    def moves(self) -> bool:
        """The gain changes within a transmission, or from one to the next, be it in phase alone."""
        seen = [self.few_gains] if self.gains is None else [self.few_gains, self.gains[~self.lost]]
        every = torch.cat([gains.flatten().to(torch.complex128) for gains in seen])
        return len(every) > 0 and float((every - every[0]).abs().max()) > STILL * float(every.abs().max())


def _varies(gains: torch.Tensor) -> bool:
    size = gains.abs().double()
    return size.numel() > 1 and float(size.std() / size.mean()) > STILL
