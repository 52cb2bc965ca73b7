"""Layered decoding in plain loops: the same bits as the vector kernels, at a twentieth of their speed.

It says what the kernels mean, tests hold them against it, and it runs where
vectors do not compile.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from semlink.kernels.compiled import compiled
from semlink.phy.ldpc import check_rules as rules
from semlink.phy.ldpc.base_graph import PUNCTURED_COLUMNS
from semlink.phy.ldpc.check_rules import Rule
from semlink.phy.ldpc.code import LdpcCode, Words

_MAX_DEGREE = 19

# The arithmetic of `simd_lanes`, on int32 within the range of int8 and on float32.
_STEP, _KEPT, _OFFSET = (np.float32(x) for x in (rules.FLOAT_STEP, rules.FLOAT_KEPT, rules.FLOAT_OFFSET))
_ZERO, _QUARTER, _THREE_QUARTERS = np.float32(0), np.float32(0.25), np.float32(0.75)


def _by_kind(whole: Callable, real: Callable) -> Callable:
    """A function of one number for compiled code: `whole` on integers, `real` on floats."""

    def operation(a):
        raise NotImplementedError("for compiled code")

    overload(operation)(lambda a: whole if isinstance(a, types.Integer) else real)
    return operation


_three_quarters = _by_kind(lambda a: a - (a >> 2), lambda a: a * _THREE_QUARTERS)
_offset = _by_kind(lambda a: max(a - rules.INT8_OFFSET, 0), lambda a: max(a - _OFFSET, _ZERO))
_limited = _by_kind(lambda a: min(a, rules.INT8_LIMIT), lambda a: a)
_held = _by_kind(lambda a: min(max(a, -128), 127), lambda a: a)


def _box_plus(a, b):
    raise NotImplementedError("for compiled code")


@overload(_box_plus)
def _box_plus_by_kind(a, b):
    return _whole_box_plus if isinstance(a, types.Integer) else _real_box_plus


def _whole_box_plus(a, b):
    return max(min(a, b) - max(rules.INT8_STEPS - (abs(a - b) >> 2), 0), 0)


def _real_box_plus(a, b):
    low, high = min(a, b), max(a, b)
    weakened = _fused(_QUARTER, high, _fused(_THREE_QUARTERS, low, -_STEP))
    return max(low * _KEPT, min(weakened, low))


@intrinsic
def _fused(typing, a, b, c):
    """a * b + c, rounded once."""
    return a(a, b, c), lambda context, builder, signature, args: builder.fma(*args)


def decode(code: LdpcCode, llr: np.ndarray, rule: Rule, iterations: int) -> Words:
    """Decode scaled LLRs int8 or float32 (block, width) of the circular buffer.

    A block stops as soon as all its checks hold.
    """
    edges = code.edges(code.rows_for(llr.shape[1]))
    whole = llr.dtype == np.int8
    work = np.int32 if whole else np.float32
    certain = work(rules.INT8_CERTAIN if whole else rules.FLOAT_CERTAIN)
    total = np.empty((code.base.info_columns + edges.num_rows) * code.z, work)
    message = np.empty((len(edges.columns), code.z), work)
    known = code.info_bits, code.filled_bits
    words = Words.room(code, len(llr))
    tables = code.z, edges.start, edges.columns, edges.shifts
    _decode(rule.code, llr, *tables, known, certain, total, message, iterations, *words)
    return words


@compiled(nogil=True, error_model="numpy")
def _decode(rule, llr, z, start, columns, shifts, known, certain, total, message, iterations, hard, used, solved):
    skipped = PUNCTURED_COLUMNS * z
    inputs = np.empty(_MAX_DEGREE, total.dtype)
    answers = np.empty(_MAX_DEGREE, total.dtype)
    places = np.empty(_MAX_DEGREE, np.int64)
    for b in range(len(llr)):
        total[:] = 0
        for v in range(llr.shape[1]):
            total[skipped + v] = llr[b, v]
        message[:] = 0
        used[b] = iterations
        for iteration in range(iterations):
            for r in range(len(start) - 1):
                degree = start[r + 1] - start[r]
                for i in range(z):
                    for j in range(degree):
                        e = start[r] + j
                        v = places[j] = columns[e] * z + (shifts[e] + i) % z
                        inputs[j] = certain if known[0] <= v < known[1] else _held(total[v] - message[e, i])
                    _answer(rule, inputs, degree, answers)
                    for j in range(degree):
                        message[start[r] + j, i] = answers[j]
                        total[places[j]] = _held(inputs[j] + answers[j])
            solved[b] = _satisfied(total, z, start, columns, shifts) and _decide(total, hard[b])
            if solved[b]:
                used[b] = iteration + 1
                break
        if not solved[b]:
            _decide(total, hard[b])


@compiled(nogil=True)
def _decide(total, hard):
    """Take the signs; returns whether each bit has one. Zeros out of silence alone are not a word."""
    decided, ones = True, False
    for v in range(len(hard)):
        hard[v] = total[v] < 0
        decided &= total[v] != 0
        ones |= total[v] < 0
    if not (decided or ones):
        for v in range(len(hard)):
            hard[v] = total[v] == 0
    return decided


@compiled(nogil=True)
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


@compiled(nogil=True, error_model="numpy")
def _answer(rule, inputs, degree, answers):
    """What one check tells each of its bits."""
    if rule == 0 and degree <= rules.EXACT_DEGREE:
        _all_but_one(inputs, degree, answers)
    else:
        _least_and_rest(rule, inputs, degree, answers)
    negative = False
    for j in range(degree):
        negative ^= inputs[j] < 0
    for j in range(degree):
        answers[j] = _limited(answers[j])
        if negative ^ (inputs[j] < 0):
            answers[j] = -answers[j]


@compiled(nogil=True, error_model="numpy")
def _all_but_one(inputs, degree, answers):
    after = abs(inputs[degree - 1])
    answers[degree - 2] = after
    for j in range(degree - 2, 0, -1):
        after = _box_plus(after, abs(inputs[j]))
        answers[j - 1] = after
    before = abs(inputs[0])
    for j in range(1, degree - 1):
        answers[j] = _box_plus(before, answers[j])
        before = _box_plus(before, abs(inputs[j]))
    answers[degree - 1] = before


@compiled(nogil=True, error_model="numpy")
def _least_and_rest(rule, inputs, degree, answers):
    least = min(abs(inputs[0]), abs(inputs[1]))
    others = max(abs(inputs[0]), abs(inputs[1]))
    for j in range(2, degree):
        a = abs(inputs[j])
        others = _box_plus(others, max(least, a)) if rule == 0 else min(others, max(least, a))
        least = min(least, a)
    to_least, to_rest = others, least
    if rule == 0:
        to_rest = _box_plus(least, others)
    elif rule == 1:
        to_least, to_rest = _three_quarters(others), _three_quarters(least)
    else:
        to_least, to_rest = _offset(others), _offset(least)
    for j in range(degree):
        answers[j] = to_least if abs(inputs[j]) == least else to_rest
