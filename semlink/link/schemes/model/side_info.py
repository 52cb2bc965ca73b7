"""What a model tells beside its symbols: whole numbers of a fixed width, sent through a coded header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from semlink.errors import InterfaceError

__all__ = ["SideInfo"]


@dataclass(frozen=True, slots=True)
class SideInfo:
    """Numbers of an item of the batch, each of so many bits.

    Attributes:
        name: the decoder's argument that they go to; '' for the second.
    """

    count: int
    bits: int
    name: str = ""

    def num_bytes(self, items: int) -> int:
        """Of the numbers of so many items."""
        return -(-items * self.count * self.bits // 8)

    def pack(self, numbers: torch.Tensor, items: int) -> bytes:
        """Whole numbers, `count` of each item, as bytes.

        Raises:
            InterfaceError: another count, no whole numbers, or one that its bits do not hold.
        """
        if not isinstance(numbers, torch.Tensor) or numbers.is_floating_point() or numbers.is_complex():
            got = numbers.dtype if isinstance(numbers, torch.Tensor) else type(numbers).__name__
            raise InterfaceError(f"the encoder gave side information as {got}; need a tensor of whole numbers")
        if numbers.numel() != items * self.count:
            raise InterfaceError(
                f"the encoder gave {numbers.numel()} numbers of side information; side_info says {self.count} of each "
                f"of {items} item{'s' if items > 1 else ''}"
            )
        flat = numbers.detach().cpu().reshape(-1).numpy().astype(np.int64)
        if flat.size and (flat.min() < 0 or flat.max() >= 1 << self.bits):
            worst = int(flat.min() if flat.min() < 0 else flat.max())
            raise InterfaceError(
                f"the encoder gave {worst} as side information; {self.bits} bits hold 0 to {(1 << self.bits) - 1}"
            )
        places = (flat[:, None] >> np.arange(self.bits - 1, -1, -1)) & 1
        return np.packbits(places.astype(np.uint8)).tobytes()

    def unpack(self, data: bytes, items: int) -> torch.Tensor:
        """int64 (item, count) from bytes."""
        places = np.unpackbits(np.frombuffer(data, np.uint8))[: items * self.count * self.bits]
        weights = 1 << np.arange(self.bits - 1, -1, -1)
        return torch.from_numpy((places.reshape(-1, self.bits) * weights).sum(1).reshape(items, self.count))
