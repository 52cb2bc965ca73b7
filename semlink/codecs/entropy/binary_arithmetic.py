"""Adaptive binary arithmetic coding of short messages, in integers.

The coder narrows an interval by the probability of each bit. Low ends are
whole Python integers, so a carry needs no care; the message ends with the
shortest byte string in the interval, and the reader takes zeros behind it.

Source: [witten1987].
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["BitReader", "BitWriter", "Odds"]

_TOP, _RENORM, _SCALE = 1 << 32, 1 << 24, 1 << 16


class Odds:
    """Chances of a one by context, from what was seen in that context and a first guess."""

    LIMIT = 255 * 64

    def __init__(self, weight: int = 3) -> None:
        self._weight = weight
        self._seen: dict[Hashable, list[int]] = {}

    def of_one(self, context: Hashable, guess: float) -> int:
        """The chance of a one in 1/65536, at least 1/1024 from either end."""
        zeros, ones = self.counts(context, guess)
        return min(max(_SCALE * ones // (zeros + ones), 64), _SCALE - 64)

    def learn(self, context: Hashable, guess: float, bit: int) -> None:
        counts = self.counts(context, guess)
        counts[bit] += 64
        if sum(counts) > self.LIMIT:
            counts[:] = [count // 2 + 1 for count in counts]

    def counts(self, context: Hashable, guess: float) -> list[int]:
        """Zeros and ones of a context, in 64ths."""
        if context not in self._seen:
            ones = max(round(64 * self._weight * guess), 1)
            self._seen[context] = [max(64 * self._weight - ones, 1), ones]
        return self._seen[context]


class BitWriter:
    """Bits in, bytes out."""

    def __init__(self) -> None:
        self._low, self._width, self._size = 0, _TOP, 4

    def put(self, bit: int, chance: int) -> None:
        """One bit, a one with `chance` in 1/65536."""
        split = (self._width >> 16) * chance
        if bit:
            self._width = split
        else:
            self._low += split
            self._width -= split
        while self._width < _RENORM:
            self._low <<= 8
            self._width <<= 8
            self._size += 1

    def put_number(self, number: int, bits: int) -> None:
        """A number below 2^bits whose values are all alike."""
        for place in reversed(range(bits)):
            self.put(number >> place & 1, _SCALE // 2)

    def finish(self) -> bytes:
        """The message, without zero bytes at its end."""
        zeros = self._width.bit_length()
        while True:
            value = -(-self._low >> zeros) << zeros
            if value < self._low + self._width:
                return value.to_bytes(self._size, "big").rstrip(b"\0")
            zeros -= 1


class BitReader:
    """The bits again, given the same chances; zeros are read behind the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self._place = data, 4
        self._value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self._width = _TOP

    def get(self, chance: int) -> int:
        split = (self._width >> 16) * chance
        if bit := int(self._value < split):
            self._width = split
        else:
            self._value -= split
            self._width -= split
        while self._width < _RENORM:
            following = self.data[self._place] if self._place < len(self.data) else 0
            self._value = self._value << 8 | following
            self._width <<= 8
            self._place += 1
        return bit

    @property
    def state(self) -> tuple[int, ...]:
        """Place in `data`, value and width, by which other code goes on reading."""
        return self._place, self._value, self._width

    @state.setter
    def state(self, state: tuple[int, ...]) -> None:
        self._place, self._value, self._width = state

    def get_number(self, bits: int) -> int:
        number = 0
        for _ in range(bits):
            number = number << 1 | self.get(_SCALE // 2)
        return number
