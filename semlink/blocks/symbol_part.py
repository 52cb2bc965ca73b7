"""What the data symbols of a transmission carry, told for pictures of what arrived; nothing is decoded by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from semlink.blocks.coding import CodingBase, Decoding

if TYPE_CHECKING:
    import numpy as np

    SoftBits = Callable[[np.ndarray, np.ndarray], np.ndarray | None]

__all__ = ["SymbolPart"]


@dataclass(frozen=True, slots=True)
class SymbolPart:
    """Neighbouring data symbols that carry the same kind of thing.

    Attributes:
        name: what they carry, such as `blocks`, `header` or `analogue`.
        symbols: how many there are.
        soft_bits: LLRs of their bits, positive for 0: symbols complex64 (n,) and noise variances float32 (n,) to
            float32 (n * bits a symbol,); None where they carry amplitudes, or where nobody says.
        points: of the constellation, complex64; None as above.
        blocks: symbols of each transport block, in order; they may end between two symbols.
        numbers: of these blocks, as `Delivered.failed` counts them.
        sizes: bytes of these blocks, where they are told.
        decoding: how one of them, by its place among them, is decoded from its LLRs; None where nobody says.
    """

    name: str
    symbols: int
    soft_bits: SoftBits | None = None
    points: np.ndarray | None = None
    blocks: Sequence[float] = ()
    numbers: Sequence[int] = ()
    sizes: Sequence[int] = ()
    decoding: Callable[[int, np.ndarray], Decoding | None] | None = None

    @classmethod
    def coded(cls, name: str, coding: CodingBase, uses: int, first: int = 0) -> SymbolPart:
        """A transmission of a coding in `uses` symbols, whose blocks are numbered from `first` on."""
        blocks, sizes = coding.block_symbols(uses), coding.block_sizes(uses)
        numbers = range(first, first + len(blocks))
        how = partial(coding.decoding, uses)
        return cls(name, uses, coding.soft_bits, coding.constellation(), blocks, numbers, sizes, how)
