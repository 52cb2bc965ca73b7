"""The joints: what each kind of block must offer.

Blocks are small immutable objects. They keep nothing between calls: all
chance comes from `Seeds`, all knowledge of the receiver from `Agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from semlink.feedback import Burst, BurstContext, Feedback, SentBurst
from semlink.flow import Flow
from semlink.payload import (
    Agreement,
    ChannelOutput,
    Delivered,
    Frames,
    FrameShape,
    Measurement,
    Point,
    Received,
    Symbols,
)
from semlink.seeds import Seeds

if TYPE_CHECKING:
    import numpy as np
    import torch

    from semlink.payload import Packet


class Source(Protocol):
    """Clips by number; the same number is always the same clip."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """A short name of clip `index`, unique within the source."""
        ...

    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (t, h, w) in [0, 1]."""
        ...


class Sensor(Protocol):
    """Light in, readings out."""

    def measure(self, frames: Frames, seeds: Seeds) -> Measurement: ...


class Codec(Protocol):
    """A source codec: one clip to packets and back."""

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip` (t, h, w) whose framed size is at most `max_bytes`.

        Raises:
            Infeasible: not even the smallest stream fits.
        """
        ...

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at the codec's own rate knob (CRF, beta, channels)."""
        ...

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w) in [0, 1] from the packets that arrived; never raises on damage."""
        ...


class Coding(Protocol):
    """Bytes in transport blocks to channel symbols and back."""

    @property
    def bits_per_symbol(self) -> int: ...

    @property
    def code_rate(self) -> float: ...

    def rooms(self, uses: int) -> tuple[int, ...]:
        """Bytes that each transport block of a transmission of `uses` symbols carries."""
        ...

    def uses_for(self, num_bytes: int, *, per_block: int = 0) -> int:
        """The fewest channel uses that carry `num_bytes` when each block loses `per_block` bytes."""
        ...

    def send(self, blocks: Sequence[bytes], uses: int) -> Flow[Symbols]: ...

    def receive(self, received: Received) -> tuple[bytes | None, ...]:
        """The blocks that passed their CRC, None for the others."""
        ...


class Channel(Protocol):
    """Symbols in, what the antenna picked up out.

    `iq` is complex64 (clip, n) of unit average power. The answer is a tensor
    of the same shape, or a `ChannelOutput` that also names gain, noise or erasures.
    """

    def __call__(self, iq: torch.Tensor, snr_db: float, seeds: Seeds) -> torch.Tensor | ChannelOutput: ...


class Waveform(Protocol):
    """What stands between a scheme's symbols and the antenna: pilots, OFDM, equaliser."""

    def data_uses(self, uses: int) -> int:
        """How many of `uses` channel uses are left for data."""
        ...

    def modulate(self, flow: Flow[Symbols]) -> Flow[Symbols]:
        """Data symbols with pilots put in, and charged."""
        ...

    def demodulate(self, heard: ChannelOutput, snr_db: float) -> Received:
        """Data symbols, equalised with what the pilots told."""
        ...


class Calibration(Protocol):
    """What a scheme may try out before the run, on noise that it is not scored on."""

    def quality(self, agreement: Agreement, delivery: float | None = None) -> float:
        """Mean PSNR in dB over the clips under a would-be agreement; -inf if infeasible.

        `delivery` is the share of transmissions that arrive whole, where it is
        known better than from these few clips.
        """
        ...

    def delivery(self, coding: Coding, uses: int, transmissions: int) -> float:
        """The share of so many transmissions of random bytes that arrive without a lost block."""
        ...


class Scheme(Protocol):
    """A transmitter and a receiver that made an agreement beforehand.

    The runner builds two instances from the spec and lets them share nothing
    but the agreement and the air. A scheme sees one clip at a time: frames are
    (1, t, h, w), symbols (1, n).
    """

    def agree(self, frames: FrameShape, point: Point, rehearsal: Calibration) -> Agreement:
        """Settle what both ends know.

        Raises:
            Infeasible: the point leaves no room for anything.
        """
        ...

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]: ...

    def receive(self, received: Received, agreement: Agreement) -> Frames | Delivered: ...


class Interactive(Protocol):
    """A scheme that talks back. It may add `symbols_ahead`, and is then told each burst's SNR before it sends."""

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[SentBurst], opening: BurstContext
    ) -> Flow[Symbols] | None:
        """The next data symbols, possibly none of them for a silence; None when all is said."""
        ...

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        """What the receiver answers to the last of `bursts`."""
        ...

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Frames | Delivered: ...


def is_interactive(scheme: Any) -> bool:
    """Whether a scheme is interactive."""
    return hasattr(scheme, "next_burst")
