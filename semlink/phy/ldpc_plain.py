"""Layered min-sum decoding in plain loops.

The reference of the vector kernels, which give the same bits, and what runs
where vector types do not compile.

Source: [hocevar2004] for the layered schedule, [chen2002] for the normalised minimum.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def decode_float(llr, z, start, columns, shifts, iterations, alpha, hard, used):
    """Decode each row of `llr` (block, variable) into `hard` (block, info_bits); `used` (block,) iterations.

    Check-to-variable messages are `alpha` times the smallest other magnitude.
    A block stops as soon as all its checks hold.
    """
    num_edges = start[-1]
    total = np.empty(llr.shape[1], np.float32)
    message = np.empty((num_edges, z), np.float32)
    t = np.empty(32, np.float32)
    for b in range(len(llr)):
        total[:] = llr[b]
        message[:] = 0
        used[b] = iterations
        for iteration in range(iterations):
            for r in range(len(start) - 1):
                first, degree = start[r], start[r + 1] - start[r]
                for i in range(z):
                    least = second = np.float32(np.inf)
                    negative = False
                    for j in range(degree):
                        v = columns[first + j] * z + (shifts[first + j] + i) % z
                        t[j] = total[v] - message[first + j, i]
                        a = abs(t[j])
                        second = min(second, max(least, a))
                        least = min(least, a)
                        negative ^= t[j] < 0
                    for j in range(degree):
                        v = columns[first + j] * z + (shifts[first + j] + i) % z
                        m = alpha * (second if abs(t[j]) == least else least)
                        m = -m if negative ^ (t[j] < 0) else m
                        message[first + j, i] = m
                        total[v] = t[j] + m
            if _satisfied(total, z, start, columns, shifts):
                used[b] = iteration + 1
                break
        for v in range(hard.shape[1]):
            hard[b, v] = total[v] < 0


@njit(cache=True, nogil=True)
def _satisfied(total, z, start, columns, shifts):
    """Whether every check of the hard decisions holds."""
    for r in range(len(start) - 1):
        for i in range(z):
            odd = False
            for e in range(start[r], start[r + 1]):
                odd ^= total[columns[e] * z + (shifts[e] + i) % z] < 0
            if odd:
                return False
    return True
