"""Many short transmissions: what the law of the gain is read from, and whether the noise knows of it.

A batch is a trial of its own, and its clips have numbers that no other batch has. Where there are echoes one
symbol is sent amid silence, and the gains are those of carriers across the band.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.phy.conformance.probe import Probe

BATCH = 128
SYMBOLS = 8
CARRIERS = 16
BEFORE = 64  # silence ahead of the one symbol
SLOW_S, PATIENCE_S = 5e-4, 4.0  # a transmission that takes longer is drawn less often, to take so long altogether
FEWEST = 512
ALIKE = 1e-4  # what noise leaves of a difference between equal gains


@dataclass(frozen=True, slots=True)
class Drawn:
    """Short transmissions.

    Attributes:
        gain: complex128 (draw, look), of each symbol, or of carriers where there are echoes.
        power: float64 (draw,), of what arrives of one symbol.
        noise: complex128 (draw, symbol) at the first SNR, on the same symbols; None where it was not asked for.
    """

    gain: torch.Tensor
    power: torch.Tensor
    noise: torch.Tensor | None = None


@dataclass
class Draws:
    """Transmissions of a probe, made as they are asked for."""

    probe: Probe
    batches: list[Drawn] = field(default_factory=list)
    cost_s: float = 0.0

    def upto(self, num: int) -> Drawn:
        """The first `num` transmissions; fewer of a channel that is slow or draws one fade for a whole batch."""
        while len(self.batches) < math.ceil(self._affordable(num) / BATCH):
            started = time.process_time()
            self.batches.append(self._batch(len(self.batches)))
            self.cost_s = max((time.process_time() - started) / BATCH, 1e-9)
        made = self.batches[: max(math.ceil(num / BATCH), 1)]
        if len(made) > 1 and all(_is_one(batch.gain) for batch in made) and not _is_one(self._firsts(made)):
            made = [Drawn(batch.gain[:1], batch.power[:1]) for batch in made]
        return Drawn(torch.cat([batch.gain for batch in made]), torch.cat([batch.power for batch in made]))

    def with_noise(self, num: int) -> Drawn:
        """The first `num` transmissions, heard once more with noise."""
        drawn = self.upto(num)
        count = len(self.batches[: max(math.ceil(num / BATCH), 1)])
        each = len(drawn.gain) // count
        return Drawn(drawn.gain, drawn.power, torch.cat([self._noise(number)[:each] for number in range(count)]))

    @staticmethod
    def _firsts(made: list[Drawn]) -> torch.Tensor:
        return torch.cat([batch.gain[:1] for batch in made])

    def _affordable(self, num: int) -> int:
        if not self.batches or self.cost_s < SLOW_S:
            return num if self.batches else min(num, BATCH)
        patience_s = 0.2 if self.probe.quick else PATIENCE_S
        return min(num, max(FEWEST if not self.probe.quick else BATCH, 2 ** int(math.log2(patience_s / self.cost_s))))

    def _batch(self, number: int) -> Drawn:
        iq, seeds = self._sent(number)
        heard = self.probe.hear(iq, self.probe.quiet_db, seeds, state=number).iq.detach()
        arrived = (heard - self._own(iq, seeds, number)).to(torch.complex128)
        if not self.probe.has_echoes:
            return Drawn(arrived, arrived[:, -1].abs().square())
        turns = torch.outer(torch.arange(iq.shape[1]) - BEFORE, torch.arange(CARRIERS) / CARRIERS).double()
        return Drawn(arrived @ torch.exp(-2j * torch.pi * turns), arrived.abs().square().sum(1))

    def _noise(self, number: int) -> torch.Tensor:
        iq, seeds = self._sent(number)
        loud, quiet = (
            self.probe.hear(iq, snr_db, seeds, state=number).iq.detach()
            for snr_db in (self.probe.snr_db[0], self.probe.quiet_db)
        )
        first = BEFORE if self.probe.has_echoes else 0
        return (loud - quiet)[:, first : first + SYMBOLS].to(torch.complex128)

    def _sent(self, number: int) -> tuple[torch.Tensor, Seeds]:
        probe = self.probe
        seeds = probe.seeds(first=1000 + BATCH * number, clips=BATCH, trial=number)
        if not probe.has_echoes:
            return torch.ones(BATCH, SYMBOLS, dtype=torch.complex64), seeds
        iq = torch.zeros(BATCH, BEFORE + max(64, 4 * math.ceil(probe.told_delay)), dtype=torch.complex64)
        iq[:, BEFORE] = 1
        return iq, seeds

    def _own(self, iq: torch.Tensor, seeds: Seeds, state: int) -> torch.Tensor | int:
        probe = self.probe
        if not probe.interferes:
            return 0
        return probe.hear(torch.zeros_like(iq), probe.quiet_db, seeds, state=state).iq.detach()


def _is_one(gain: torch.Tensor) -> bool:
    """Whether all transmissions have the same gains."""
    return float((gain - gain[:1]).abs().max()) < ALIKE
