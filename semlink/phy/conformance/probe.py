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
from semlink.seeds import Seeds

QUIET_DB = (120.0, 80.0, 60.0)
FAINT = 1e-7  # power below which there is nothing
SIGMAS = 5.0


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
class Probe:
    """A channel under examination; what several checks need is measured once."""

    channel: ChannelBase
    snr_db: tuple[float, ...]
    seed: int
    clips: int
    symbols: int
    draws: int

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

    @cached_property
    def lost(self) -> torch.Tensor:
        """Symbols that did not arrive: those named as erased, and exact silence."""
        silent = (self.quiet.iq == 0) & (self.loud(self.snr_db[0]).iq == 0)
        return silent if self.quiet.erased is None else silent | self.quiet.erased

    def loud(self, snr_db: float) -> ChannelOutput:
        """The long probe at `snr_db`."""
        return self.hear(self.x, snr_db, self.seeds())

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

    @cached_property
    def has_echoes(self) -> bool:
        """One symbol is heard at the time of others."""
        base, changed = self.x[:1, :256].clone(), self.x[:1, :256].clone()
        changed[:, 128] *= -1
        seeds = self.seeds(clips=1)
        differ = self.hear(base, self.quiet_db, seeds).iq - self.hear(changed, self.quiet_db, seeds).iq
        differ = differ.detach().abs()
        differ[:, 128] = 0
        return bool((differ > 1e-3).any())

    @cached_property
    def gains(self) -> torch.Tensor | None:
        """The gain of every symbol of the long probe, None behind echoes."""
        return None if self.has_echoes else self.signal / self.x

    @cached_property
    def drawn_gains(self) -> torch.Tensor:
        """One gain each of `draws` short transmissions, complex128; of a carrier where there are echoes."""
        length, at = (256, 128) if self.has_echoes else (8, 7)  # echoes need room on both sides
        ones = torch.ones(1, length, dtype=torch.complex64)
        silence, interferes, quiet_db = torch.zeros_like(ones), self.interferes, self.quiet_db
        gains = []
        with world(0):
            for number in range(self.draws // 2 if self.has_echoes else self.draws):
                seeds = self.seeds(first=1000 + number, clips=1)
                gain = complex(self.hear_as_is(ones, quiet_db, seeds).iq[0, at].detach())
                if interferes:
                    gain -= complex(self.hear_as_is(silence, quiet_db, seeds).iq[0, at].detach())
                gains.append(gain)
        return torch.tensor(gains, dtype=torch.complex128)

    @cached_property
    def interferes(self) -> bool:
        """It speaks by itself."""
        return float(self.own.abs().square().mean()) > FAINT

    @cached_property
    def fades(self) -> bool:
        """|h| is not always the same, losses aside."""
        size = self.drawn_gains.abs()
        size = size[size > 1e-6]
        return len(size) > 1 and float(size.std() / size.mean()) > 1e-3
