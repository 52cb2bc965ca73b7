"""One group of frames as bytes: the classes of its blocks, then their bits, in one stream of binary decisions.

Classes go row by row, each as its distance from what the blocks beside and above it let expect, with odds that follow
the group; bits as `IntegerBitContexts` expects them. All chances follow from whole numbers.

Source: this project; the coder is constriction's range coder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import constriction
import numpy as np

from semlink.codecs.delta_sigma.tokens.allotment import counts_at
from semlink.codecs.delta_sigma.tokens.integer_contexts import LOGIT_ONE, LOGIT_REACH, Group, IntegerBitContexts
from semlink.codecs.delta_sigma.tokens.networks import CLASSES
from semlink.codecs.entropy.binary_arithmetic import Odds

GRAIN = 2.0**28  # chances are rounded to multiples of its inverse, away from the last bits of exp
ODDS_ONE = 65536
MOST_LEFT, MOST_LEFT_SHARE = 64, 0.002
"""Bits that a stream may have beyond what it says: the coder's last words, and how finely it takes chances."""
MOST_LACKING = 40
"""Bits that it may lack: zero bytes at its end are not sent."""
_MANY = constriction.stream.model.Bernoulli(perfect=False)


def write_group(contexts: IntegerBitContexts, level: int, classes: np.ndarray, bits: np.ndarray, last) -> bytes:
    """The stream of bits (rows, columns, bits) of blocks of `classes` (rows, columns)."""
    coder, flat = constriction.stream.queue.RangeEncoder(), bits.reshape(-1, bits.shape[2])

    def decide(wanted: int, chance: int) -> int:
        coder.encode(np.array([wanted], np.int32), _MANY, np.array([chance / ODDS_ONE]))
        return wanted

    def put(at: slice, places: np.ndarray, logits: np.ndarray) -> np.ndarray:
        values = flat[places, at.start]
        coder.encode((values > 0).astype(np.int32), _MANY, chances()[logits + LOGIT_REACH])
        return values

    _walk_classes(classes.shape, lambda place, expected, odds: _put_class(classes[place], expected, odds, decide))
    contexts.walk(Group(classes, counts_at(level, classes, contexts.channels, later=last is not None), last), put)
    return coder.get_compressed().astype(">u4").tobytes().rstrip(b"\0")


def read_group(
    contexts: IntegerBitContexts, level: int, data: bytes, grid: tuple[int, int], last: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Classes, counts and bits of a stream; None where it does not end with its bytes: damaged, or of another code."""
    reader = _Reader(data)
    try:
        classes = _walk_classes(grid, lambda place, expected, odds: _take_class(expected, odds, reader.decide))
        counts = counts_at(level, classes, contexts.channels, later=last is not None)
        bits = contexts.walk(Group(classes, counts, last), reader.take)
    except AssertionError:  # how constriction says that no encoder wrote this
        return None
    return (classes, counts, bits) if reader.ends_with_its_bytes() else None


class _Reader:
    def __init__(self, data: bytes) -> None:
        words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
        self._coder, self._size, self._said = constriction.stream.queue.RangeDecoder(words), 8 * len(data), 0.0

    def decide(self, chance: int) -> int:
        return int(self._next(np.array([chance / ODDS_ONE]))[0])

    def take(self, at: slice, places: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return 2.0 * self._next(chances()[logits + LOGIT_REACH]) - 1

    def ends_with_its_bytes(self) -> bool:
        left = self._size - self._said
        return -MOST_LACKING <= left <= MOST_LEFT + MOST_LEFT_SHARE * self._size

    def _next(self, ones: np.ndarray) -> np.ndarray:
        found = self._coder.decode(_MANY, ones)
        self._said -= float(np.log2(np.where(found > 0, ones, 1 - ones)).sum())
        return found


@cache
def chances() -> np.ndarray:
    """The chance of a one for every logit."""
    logits = np.arange(-LOGIT_REACH, LOGIT_REACH + 1) / LOGIT_ONE
    return np.rint(GRAIN / (1 + np.exp(-logits))) / GRAIN


def _walk_classes(grid: tuple[int, ...], visit: Callable[[tuple[int, int], int, Odds], int]) -> np.ndarray:
    classes, odds = np.zeros(grid, np.int64), Odds()
    for row in range(grid[0]):
        for column in range(grid[1]):
            above = classes[row - 1, column] if row else None
            beside = classes[row, column - 1] if column else above
            above = beside if above is None else above
            expected = CLASSES // 2 if above is None else int(above + beside + 1) // 2
            classes[row, column] = visit((row, column), expected, odds)
    return classes


def _put_class(value: int, expected: int, odds: Odds, decide: Callable[[int, int], int]) -> int:
    return _class(expected, odds, lambda wanted, chance: decide(int(wanted(value)), chance))


def _take_class(expected: int, odds: Odds, decide: Callable[[int], int]) -> int:
    return _class(expected, odds, lambda _, chance: decide(chance))


def _class(expected: int, odds: Odds, decide: Callable[[Callable[[int], bool], int], int]) -> int:
    """Whether it is the expected one; if not, whether above it; then step by step whether farther."""

    def ask(context: tuple, wanted: Callable[[int], bool]) -> int:
        found = decide(wanted, odds.of_one(context, 0.5))
        odds.learn(context, 0.5, found)
        return found

    if ask((expected,), lambda value: value == expected):
        return expected
    if 0 < expected < CLASSES - 1:
        upward = bool(ask((expected, "up"), lambda value: value > expected))
    else:
        upward = expected == 0
    at, step = (expected + 1, 1) if upward else (expected - 1, -1)
    while 0 < at < CLASSES - 1 and ask((upward, abs(at - expected)), partial(_is_beyond, at=at, step=step)):
        at += step
    return at


def _is_beyond(value: int, *, at: int, step: int) -> bool:
    return (value - at) * step > 0
