"""Which bit of the circular buffer travels where on the wire.

Source: [3gpp38212, 5.4.2].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from semlink.kernels.compiled import compiled
from semlink.phy.ldpc.code import LdpcCode

# Table 5.4.2.1-2: start of each redundancy version, in columns of a full buffer.
_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}


@lru_cache(maxsize=256)
def sent_positions(code: LdpcCode, num_sent: int, bits_per_symbol: int, rv: int) -> np.ndarray:
    """Buffer position of every bit of one block on the wire: int32 (num_sent,), read-only.

    Bits are read around the circle from the start of redundancy version `rv`,
    fillers left out, and dealt to the symbols so that the first read bits take
    the most reliable places. More bits than the buffer holds are repeats.
    """
    if rv not in range(4):
        raise ValueError(f"redundancy version is {rv!r}; 38.212 has 0, 1, 2, 3")
    first, last = code.fillers
    circle = np.roll(np.arange(code.buffer_bits, dtype=np.int32), -_STARTS[code.graph][rv] * code.z)
    circle = circle[(circle < first) | (circle >= last)]
    read = np.resize(circle, num_sent)
    dealt = np.ascontiguousarray(read.reshape(bits_per_symbol, -1).T).reshape(-1)
    dealt.flags.writeable = False
    return dealt


@compiled(nogil=True)
def select(buffers, positions, first, flips, out):
    """Put `buffers` (b, block, width) on the wire `out` (b, G): selection, interleaving, scrambling.

    Block r owns wire bits `first[r]` to `first[r + 1]`; `positions` (G,) point into its buffer.
    """
    for b in range(len(out)):
        for r in range(len(first) - 1):
            for i in range(first[r], first[r + 1]):
                out[b, i] = buffers[b, r, positions[i]] ^ flips[i]


@compiled(nogil=True)
def collect(llr, positions, first, flips, buffers):
    """Add `llr` (b, G) onto `buffers` (b, block, width): the way back from `select`, repeats summed."""
    for b in range(len(llr)):
        for r in range(len(first) - 1):
            for i in range(first[r], first[r + 1]):
                buffers[b, r, positions[i]] += -llr[b, i] if flips[i] else llr[b, i]
