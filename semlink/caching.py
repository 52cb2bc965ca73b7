"""Small caches keyed by content: work done once is not done again.

`Memo` lives in a process and forgets the oldest; `StreamStore` lives in the
results folder, is shared by all workers, and holds the source coder's packets,
so that a clip is not coded again for every SNR.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

V = TypeVar("V")


class Memo(Generic[V]):
    """The last `size` results of a pure function, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value at `key`, made once."""
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = make()
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return self._kept[key]

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Memo, (self._size,)


def digest_of(*parts: object) -> str:
    """SHA-256 over arrays, bytes and the `repr` of anything else."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(part if isinstance(part, bytes) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
