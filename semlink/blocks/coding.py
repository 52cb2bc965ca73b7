"""Channel codings, and bounds in their place."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from semlink.blocks.block import NamedBlock
from semlink.blocks.channel import ChannelBase
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.payload import Received, Symbols

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Decoding:
    """How one block was decoded, for whoever follows it.

    Attributes:
        bits: uint8 (n,), its information bits, right or wrong.
        iterations: of each of its code blocks.
        checks_hold: whether all parity checks of each held in the end.
    """

    bits: np.ndarray
    iterations: tuple[int, ...]
    checks_hold: tuple[bool, ...]


class Coding(Protocol):
    """Bytes in transport blocks to channel symbols and back.

    Attributes:
        bits_per_symbol: of the constellation.
        code_rate: information bits over coded bits.
    """

    __slots__ = ()

    bits_per_symbol: int
    code_rate: float

    @abstractmethod
    def block_sizes(self, uses: int) -> tuple[int, ...]:
        """Bytes of each transport block in a transmission of `uses` symbols; it follows from `uses` alone.

        Raises:
            Infeasible: not even one block fits.
        """
        ...

    @abstractmethod
    def send(self, blocks: Sequence[bytes], uses: int) -> Flow[Symbols]:
        """Blocks of exactly these sizes as `uses` symbols, complex64 (1, uses) of average power 1, every one charged.

        What carries the blocks' bytes is charged as `payload`: 8 bits a byte over `bits_per_symbol`, an
        exact `Fraction`. CRC and redundancy are `crc` and `parity`.
        """
        ...

    @abstractmethod
    def receive(self, received: Received) -> tuple[bytes | None, ...]:
        """The blocks that passed their CRC, None for the others."""
        ...


class CodingBase(NamedBlock, Coding):
    """Base of codings; schemes with one coding call it `only`."""

    __slots__ = ()
    is_bound = False

    def block_symbols(self, uses: int) -> Sequence[float]:
        """Channel uses of each block of a transmission, in their order; by default in proportion to their bytes.

        Raises:
            Infeasible: not even one block fits.
        """
        sizes = self.block_sizes(uses)
        return [uses * size / sum(sizes) for size in sizes]

    def soft_bits(self, iq: np.ndarray, noise_var: np.ndarray) -> np.ndarray | None:
        """LLRs of the coded bits, positive for 0: complex64 (n,) to float32 (n * bits_per_symbol,); for pictures.

        None where it decodes without any.
        """
        return None

    def decoding(self, uses: int, place: int, llr: np.ndarray) -> Decoding | None:
        """How block `place` of a transmission of `uses` symbols is decoded from its LLRs, for `semlink replay --block`.

        None where there is nothing to tell.
        """
        return None

    def constellation(self) -> np.ndarray | None:
        """The points that its symbols are taken from, for pictures; None where they are no fixed set."""
        return None

    def known_curve(self, symbols: int) -> tuple[float, float] | None:
        """How blocks of `symbols` channel uses fare in white noise, where that is known without measuring it.

        The SNR in dB at which half of them are lost, and over how many dB (a standard deviation) the losses fall.
        """
        return None

    def uses_for(self, num_bytes: int, *, per_block: int = 0) -> int:
        """The fewest channel uses that carry `num_bytes` when each block loses `per_block` bytes.

        Found by bisection over `block_sizes`, taking more symbols to carry no less.
        """
        low, high = 1, 64
        while not self._holds(high, num_bytes, per_block):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._holds(middle, num_bytes, per_block) else (middle, high)
        return high

    def _holds(self, uses: int, num_bytes: int, per_block: int) -> bool:
        try:
            return sum(size - per_block for size in self.block_sizes(uses)) >= num_bytes
        except Infeasible:
            return False


class RateBound(Protocol):
    """What no coding can exceed; in a scenario it stands in the place of a coding."""

    __slots__ = ()

    @abstractmethod
    def bits(self, uses: int, snr_db: float, channel: ChannelBase) -> float:
        """Bits that `uses` channel uses carry at most."""
        ...

    @abstractmethod
    def uses(self, bits: int, snr_db: float, channel: ChannelBase) -> int:
        """Channel uses that `bits` need at least."""
        ...


class RateBoundBase(NamedBlock, RateBound):
    """Base of bounds."""

    __slots__ = ()
    is_bound = True
