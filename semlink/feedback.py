"""What is said between the bursts of a feedback scheme (HARQ, adaptive MCS)."""

from __future__ import annotations

from dataclasses import dataclass

from semlink.payload import Received


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the receiver says after a burst: which of its blocks passed, and the SNR it measured."""

    acks: tuple[bool, ...] = ()
    snr_db: int | None = None

    @property
    def bits(self) -> int:
        return len(self.acks) + (0 if self.snr_db is None else SNR_BITS)


@dataclass(frozen=True, slots=True)
class BurstContext:
    """What both ends know when a burst begins.

    Attributes:
        room: data symbols that the budget leaves; None without a budget.
        snr_ahead_db: the SNR that this very burst will have; genie.
    """

    room: int | None = None
    snr_ahead_db: int | None = None


@dataclass(frozen=True, slots=True)
class SentBurst:
    """A burst as the transmitter remembers it."""

    symbols: int
    opening: BurstContext
    feedback: Feedback


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst as the receiver got it."""

    received: Received
    opening: BurstContext

    @property
    def symbols(self) -> int:
        return self.received.iq.shape[1]


@dataclass(frozen=True, slots=True)
class Repeats:
    """How blocks that failed are sent again: behind the burst that they failed in, each as long as before.

    Where not all of them find room, those at the end are given up.

    Attributes:
        transmissions: of a block, at most.
        uses: symbols of a clip in all; None without a budget.
        adds_bits: repeats bring coded bits that were not sent before; else the same ones, whose SNR adds up.
    """

    transmissions: int
    uses: int | None
    adds_bits: bool = True


LOWEST_DB, HIGHEST_DB = -15, 48


SNR_BITS = 6
"""Bits of a report: 64 values in whole decibels."""
