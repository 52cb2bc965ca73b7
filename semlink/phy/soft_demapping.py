"""Likelihoods of the bits of one part of a square QAM symbol, compiled: exact, or of the nearest levels only.

A part is a PAM with equidistant levels a. With y received and W = 1 / noise variance,
level a has the log-likelihood m(a) = W (2 a y - a^2) up to what all levels share, and

    exact:    LLR = log sum exp m(a; bit = 0) - log sum exp m(a; bit = 1)
    max-log:  LLR = max m(a; bit = 0) - max m(a; bit = 1)

The exact sums are taken in float32 relative to the nearest level, with powers of two in
place of exponentials and 64 symbols side by side. That reaches log-odds of 145; beyond,
and wherever the levels lie far apart, the two nearest levels of each side are
the sum to the last digit of float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from semlink.kernels.compiled import compiled

BLOCK = 64  # symbols worked on side by side
_STRETCH = 8 * BLOCK  # symbols whose LLRs stay near the processor
_LARGEST = np.finfo(np.float32).max
_LOG2_E, _LN_2 = np.float32(1.4426950408889634), np.float32(0.6931471805599453)
_HEADROOM = 120  # the nearest level counts 2^120, so that others may be 2^-230 of it
_UNIT = np.float32(2.0**-_HEADROOM)
_FARTHEST, _FARTHEST_EVER = np.float32(-230), np.float32(-3e38)
_FAINT = 127 + _HEADROOM - 210  # float exponent of a sum that what was cut off at `_FARTHEST` could touch
_SPARSE = np.float32(16)  # least drop from the nearest to the third level, in nats, at which two say all


@compiled(nogil=True, error_model="numpy")
def demap_bpsk(iq, weight, llr):
    """Exact as it stands; `iq` complex64 (n,), `weight` float32 (n,), `llr` float32 (n, 1)."""
    for s in range(len(iq)):
        scale = weight[s] * np.float32(2 * np.sqrt(2.0))
        llr[s, 0] = scale * (iq[s].real + iq[s].imag) if scale > 0 else np.float32(0)


@compiled(nogil=True, error_model="numpy")
def demap_parts(parts, weight, levels, is_exact, llr):
    """Exact sums over all levels, or the nearest level with the bit 1 against the nearest with 0.

    `parts` float32 (n, 2), `weight` float32 (n,), `levels` float32 by label, `llr` float32 (n, bits a symbol).
    """
    odds, last = np.empty((llr.shape[1], _STRETCH), np.float32), np.zeros(BLOCK, np.float32)
    for start in range(0, len(parts), _STRETCH):
        n = min(_STRETCH, len(parts) - start)
        if is_exact:
            _exact_odds(parts, weight, levels, start, n, last, odds)
        else:
            _max_log_odds(parts, weight, levels, start, n, odds)
        for k in range(len(odds)):
            for i in range(n):
                llr[start + i, k] = odds[k, i]


@compiled(nogil=True, error_model="numpy")
def parts_to_steps(parts, weight, levels, is_exact, steps_per_llr, most, first, positions, flips, steps):
    """The same LLRs, rounded to int8 and put where the decoder reads them; returns whether all are finite.

    Rows of symbols follow each other in `parts`. Code block r owns symbols `first[r]` to `first[r + 1]` of a row;
    bit k of symbol s goes to `positions[k, s]` of its soft buffer, negated where `flips[k, s]` is -1 and not 0.
    `steps` int8 (row, code block, width) holds zeros; no position comes twice.
    """
    odds, last = np.empty((len(positions), _STRETCH), np.float32), np.zeros(BLOCK, np.float32)
    rounded = np.empty((len(positions), _STRETCH), np.int8)
    row, r, s, faults = 0, 0, 0, 0
    for start in range(0, len(parts), _STRETCH):
        n = min(_STRETCH, len(parts) - start)
        if is_exact:
            _exact_odds(parts, weight, levels, start, n, last, odds)
        else:
            _max_log_odds(parts, weight, levels, start, n, odds)
        for k in range(len(odds)):
            for i in range(n):
                x = odds[k, i]
                faults += not abs(x) <= _LARGEST
                rounded[k, i] = np.int8(np.rint(min(max(x * steps_per_llr, -most), most)))
        done = 0
        while done < n:
            count = min(n - done, first[r + 1] - s)
            for k in range(len(odds)):
                _place(rounded[k, done:], positions[k, s:], flips[k, s:], count, steps[row, r])
            done += count
            s += count
            if s == first[r + 1]:
                r += 1
            if r == len(first) - 1:
                row, r, s = row + 1, 0, 0
    return faults == 0


@compiled(nogil=True)
def _place(values, positions, flips, count, buffer):
    """Put `count` values at their positions, in one run where these follow each other."""
    start = positions[0]
    if positions[count - 1] - start == count - 1:
        run = buffer[start:]
        for i in range(count):
            run[i] = (values[i] ^ flips[i]) - flips[i]
    else:
        for i in range(count):
            buffer[positions[i]] = (values[i] ^ flips[i]) - flips[i]


@compiled(nogil=True, error_model="numpy")
def _max_log_odds(parts, weight, levels, start, count, llr):
    """LLRs of symbols `start` to `start + count` into `llr` (bit, symbol); exact where a part has two levels."""
    num_bits = len(llr) // 2
    zero, one, y = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for s0 in range(start, start + count, BLOCK):
        n = min(BLOCK, start + count - s0)
        for part in range(2):
            for i in range(n):
                y[i] = parts[s0 + i, part]
            for j in range(num_bits):
                zero[:] = np.float32(np.inf)
                one[:] = np.float32(np.inf)
                for label in range(len(levels)):
                    slope = np.float32(-2) * levels[label]
                    offset = levels[label] * levels[label]
                    side = one if label >> (num_bits - 1 - j) & 1 else zero
                    for i in range(BLOCK):
                        side[i] = min(side[i], offset + slope * y[i])
                out = llr[2 * j + part, s0 - start :]
                for i in range(n):
                    w = weight[s0 + i]
                    out[i] = w * (one[i] - zero[i]) if w > 0 else np.float32(0)


@compiled(nogil=True, error_model="numpy")
def _exact_odds(parts, weight, levels, start, count, last, llr):
    """Arrays as for `_max_log_odds`; `last` keeps the weights of the last block, which fill up a short one."""
    num_bits = len(llr) // 2
    sparse_from = _SPARSE / (np.float32(2) * np.abs(levels).min()) ** 2
    metric, likelihood = np.empty((len(levels), BLOCK), np.float32), np.empty((len(levels), BLOCK), np.float32)
    y, w = np.zeros(BLOCK, np.float32), last.copy()
    best, extra = np.empty((2, BLOCK), np.float32), np.empty((2, BLOCK), np.float32)
    sums, work = np.empty((2, BLOCK), np.float32), np.empty((3, BLOCK), np.float32)
    top, odds = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for s0 in range(start, start + count, BLOCK):
        n = min(BLOCK, start + count - s0)
        for i in range(n):
            w[i] = weight[s0 + i]
        is_sparse = _all_above(w, sparse_from)
        for part in range(2):
            for i in range(n):
                y[i] = parts[s0 + i, part]
            _relative_metrics(y, w, levels, metric, top)
            if not is_sparse:
                _powers_of_two(metric, likelihood, work)
            for j in range(num_bits):
                shift = num_bits - 1 - j
                if is_sparse:
                    _two_nearest(metric, shift, best, extra, work)
                    for i in range(BLOCK):
                        odds[i] = (best[0, i] - best[1, i]) * _LN_2 + _log_ratio(extra[0, i], extra[1, i])
                elif _log_odds(likelihood, shift, sums, work, odds):
                    _replace_faint(metric, shift, sums, work, odds)
                out = llr[2 * j + part, s0 - start :]
                for i in range(n):  # a symbol that is not finite shows in `top`, whatever the sums made of it
                    out[i] = odds[i] + np.float32(0) * top[i] if w[i] > 0 else np.float32(0)
    last[:] = w


@njit(inline="always")
def _all_above(values, limit):
    """Whether all of (block,) values are; without an early end, which would keep them from going side by side."""
    count = 0
    for i in range(BLOCK):
        count += values[i] > limit
    return count == BLOCK


@njit(inline="always")
def _relative_metrics(y, w, levels, metric, top):
    """log2 of each level's likelihood over the most likely one's, into `metric` (level, block)."""
    for i in range(BLOCK):
        top[i] = np.float32(-np.inf)
    for k in range(len(levels)):
        a = levels[k]
        for i in range(BLOCK):
            m = w[i] * (a * (np.float32(2) * y[i] - a)) * _LOG2_E
            metric[k, i] = m
            top[i] = max(top[i], m)
    for k in range(len(levels)):
        for i in range(BLOCK):
            metric[k, i] -= top[i]


@njit(inline="always")
def _powers_of_two(exponents, powers, work):
    """2^(exponent + headroom) to a relative 2e-7, by a polynomial and the bits of a float's own exponent."""
    bits, whole = powers.view(np.int32), work[2]
    for k in range(len(exponents)):
        for i in range(BLOCK):
            x = max(exponents[k, i], _FARTHEST)
            whole[i] = np.floor(x + np.float32(0.5))
            powers[k, i] = _power_near_one(x - whole[i])
        for i in range(BLOCK):
            bits[k, i] += (np.int32(whole[i]) + np.int32(_HEADROOM)) << np.int32(23)


@njit(inline="always")
def _log_odds(likelihood, shift, sums, work, odds):
    """log of the sum over labels whose bit is 0 over that of the others; True where a sum is too faint for it."""
    bits, mantissa_bits = sums.view(np.int32), work.view(np.int32)
    for i in range(BLOCK):
        sums[0, i] = sums[1, i] = np.float32(0)
    for k in range(len(likelihood)):
        side = k >> shift & 1
        for i in range(BLOCK):
            sums[side, i] += likelihood[k, i]
    faintest = np.int32(255)
    for i in range(BLOCK):
        mantissa_bits[0, i] = (bits[0, i] & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        mantissa_bits[1, i] = (bits[1, i] & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        first, second = bits[0, i] >> np.int32(23), bits[1, i] >> np.int32(23)
        faintest = min(faintest, min(first, second))
        odds[i] = np.float32(first - second) * _LN_2
    for i in range(BLOCK):
        odds[i] += _log_ratio(work[0, i], work[1, i])
    return faintest < _FAINT


@njit(inline="always")
def _two_nearest(metric, shift, best, extra, work):
    """The most likely level of each side as log2, and 1 + the second one's share of it: `best`, `extra` (2, block)."""
    for i in range(BLOCK):
        best[0, i] = best[1, i] = extra[0, i] = extra[1, i] = _FARTHEST_EVER
    for k in range(len(metric)):
        side = k >> shift & 1
        for i in range(BLOCK):
            extra[side, i] = max(extra[side, i], min(best[side, i], metric[k, i]))
            best[side, i] = max(best[side, i], metric[k, i])
    for side in range(2):
        for i in range(BLOCK):
            work[side, i] = extra[side, i] - best[side, i]
    _powers_of_two(work[:2], extra, work)
    for side in range(2):
        for i in range(BLOCK):
            extra[side, i] = np.float32(1) + extra[side, i] * _UNIT


@compiled(nogil=True, error_model="numpy")
def _replace_faint(metric, shift, sums, work, odds):
    """Where one sum is too faint, its two nearest levels in its place; the other sum, which has the nearest, stays."""
    best, extra = np.empty((2, BLOCK), np.float32), np.empty((2, BLOCK), np.float32)
    _two_nearest(metric, shift, best, extra, work)
    bits, mantissa_bits = sums.view(np.int32), work.view(np.int32)
    for i in range(BLOCK):
        strong = max(bits[0, i], bits[1, i])
        mantissa_bits[0, i] = (strong & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        work[1, i] = np.float32((strong >> np.int32(23)) - np.int32(127 + _HEADROOM))
    for i in range(BLOCK):
        is_zero = bits[0, i] < bits[1, i]
        faint = min(bits[0, i], bits[1, i]) >> np.int32(23) < _FAINT
        weak = best[0, i] if is_zero else best[1, i]
        gain = extra[0, i] if is_zero else extra[1, i]
        value = (work[1, i] - weak) * _LN_2 + _log_ratio(work[0, i], gain)
        odds[i] = (-value if is_zero else value) if faint else odds[i]


@njit(inline="always")
def _power_near_one(x):
    """2^x for |x| <= 1/2, to a relative 1e-7."""
    high = np.float32(0.05550327214) + x * (np.float32(0.009676037098) + x * np.float32(0.001340043216))
    return np.float32(1) + x * (np.float32(0.6931472067) + x * (np.float32(0.2402210736) + x * high))


@njit(inline="always")
def _log_ratio(a, b):
    """log(a / b) for positive a and b within a factor of two, to 1e-7."""
    t = (a - b) / (a + b)
    square = t * t
    high = np.float32(0.6667597803) + square * (np.float32(0.3959005963) + square * np.float32(0.3422245378))
    return t * (np.float32(1.999999672) + square * high)
