"""The pseudo-random sequence that whitens coded bits.

Source: [3gpp38211, 5.2.1 and 7.3.1.1].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_SKIP = 1600  # N_c
_ORDER = 31


@lru_cache(maxsize=64)
def gold_sequence(c_init: int, length: int) -> np.ndarray:
    """The length-31 Gold sequence started at `c_init`: uint8 (length,), read-only."""
    if not 0 <= c_init < 2**_ORDER:
        raise ValueError(f"scrambling state {c_init}; 38.211 allows 0..{2**_ORDER - 1}")
    total = length + _SKIP
    first = _shift_register(1, (0, 3), total)
    second = _shift_register(c_init, (0, 1, 2, 3), total)
    sequence = (first ^ second)[_SKIP:total].copy()
    sequence.flags.writeable = False
    return sequence


def scrambling_state(n_rnti: int, n_id: int) -> int:
    """c_init of the first codeword of a downlink (or uplink) shared channel.

    Source: [3gpp38211, 7.3.1.1 and 6.3.1.1].
    """
    if not 0 <= n_rnti < 2**16:
        raise ValueError(f"n_rnti is {n_rnti}; 38.211 allows 0..65535")
    if not 0 <= n_id < 1024:
        raise ValueError(f"n_id is {n_id}; 38.211 allows 0..1023")
    return (n_rnti << 15) + n_id


def _shift_register(state: int, taps: tuple[int, ...], length: int) -> np.ndarray:
    """x(n + 31) = sum of x(n + tap), in steps that double.

    Over two elements squaring is linear: x(n + 31 d) = sum of x(n + tap d) for every power of two d. So each pass adds
    28 d terms at least, since no tap reaches beyond n + 3 d.
    """
    x = np.zeros(max(length, _ORDER), np.uint8)
    x[:_ORDER] = [state >> i & 1 for i in range(_ORDER)]
    known, step = _ORDER, 1
    while known < length:
        while 2 * step * _ORDER <= known:
            step *= 2
        stop = min(known + step * (_ORDER - max(taps)), length)
        places = np.arange(known, stop) - step * _ORDER
        x[known:stop] = np.bitwise_xor.reduce([x[places + step * tap] for tap in taps])
        known = stop
    return x[:length]
