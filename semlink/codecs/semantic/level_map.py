"""The map of rate levels as bytes: adaptive arithmetic coding, each level in the context of its neighbours.

Both ends count what followed which pair of neighbours so far, above and to
the left, so they hold the same model without any side data. Longer tables of
levels than the published four count by the mean of both neighbours, and expect
levels near it. The first byte says whether the map is coded or packed at two
(four) bits a level, whichever is shorter.

Source: the packed form [zhang2024crl, Sec. III-B.3]; adaptive coding is this project's.
"""

from __future__ import annotations

import numpy as np

CHOICES = 4
_PACKED, _CODED = 0, 1
_START = 0.4
"""What each count begins with."""
_NEAR = (48, 34, 24, 17, 12, 8, 6, 4, 3, 2)
"""Of a longer table: what counts begin with, by twice the distance from the mean of the neighbours; further off 1."""
_SEEN, _SEEN_ANYWHERE = 24, 3
"""What a level that was met adds to its count in its context, and in every context."""


def pack_levels(levels: np.ndarray, choices: int = CHOICES) -> bytes:
    """Levels 0 .. `choices` - 1 (rows, columns) as bytes; at most 16 choices."""
    coded = _code(levels, choices)
    packed = _pack(levels, _bits(choices))
    return bytes([_CODED]) + coded if len(coded) < len(packed) else bytes([_PACKED]) + packed


def unpack_levels(data: bytes, shape: tuple[int, int], choices: int = CHOICES) -> np.ndarray:
    """The inverse of `pack_levels`, from exactly its bytes.

    Raises:
        ValueError: no map of this shape.
    """
    if not data or data[0] not in (_PACKED, _CODED):
        raise ValueError(f"a rate map that begins with {data[:1].hex() or 'nothing'}; allowed: 00 or 01")
    if data[0] == _CODED:
        return _decode(data[1:], shape, choices)
    return _unpack(data[1:], shape, choices)


def packed_bytes(blocks: int, choices: int = CHOICES) -> int:
    """Bytes of a map of so many blocks at most."""
    return -(-blocks * _bits(choices) // 8) + 1


def _bits(choices: int) -> int:
    return 2 if choices <= 4 else 4


def _pack(levels: np.ndarray, bits: int) -> bytes:
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    flat = np.pad(levels.ravel().astype(np.uint8), (0, -levels.size % len(shifts))).reshape(-1, len(shifts))
    return (flat << shifts).sum(1).astype(np.uint8).tobytes()


def _unpack(data: bytes, shape: tuple[int, int], choices: int) -> np.ndarray:
    size, bits = shape[0] * shape[1], _bits(choices)
    if 8 * len(data) < bits * size:
        raise ValueError(f"a rate map of {size} levels in {len(data)} bytes; need {-(-bits * size // 8)}")
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    levels = (np.frombuffer(data, np.uint8)[:, None] >> shifts & (1 << bits) - 1).ravel()[:size]
    if levels.max(initial=0) >= choices:
        raise ValueError(f"a rate map with the level {levels.max()}; allowed: below {choices}")
    return levels.reshape(shape).astype(np.int64)


class _Pairs:
    """Of four levels: counts of each for every pair of neighbours; neighbours outside are `CHOICES`."""

    def __init__(self) -> None:
        self.counts = np.full((CHOICES + 1, CHOICES + 1, CHOICES), _START)

    def chances(self, above: int, left: int) -> np.ndarray:
        """Probabilities of the next level."""
        seen = self.counts[above, left]
        return seen / seen.sum()

    def saw(self, above: int, left: int, level: int) -> None:
        self.counts[above, left, level] += 1
        if above != left:  # the mirror image behaves alike
            self.counts[left, above, level] += 1


class _Means:
    """Of more levels: counts for every sum of both neighbours, whole numbers; one outside is as the other."""

    def __init__(self, choices: int) -> None:
        self.choices = choices
        sums, levels = np.arange(2 * choices)[:, None], np.arange(choices)
        near = np.array([*_NEAR, *[1] * (4 * choices)])
        self.counts = near[np.abs(2 * levels - sums)]
        self.counts[-1] = 8  # both outside

    def chances(self, above: int, left: int) -> np.ndarray:
        """Probabilities of the next level; neighbours outside are `choices`."""
        seen = self.counts[self._context(above, left)]
        return seen / seen.sum()

    def saw(self, above: int, left: int, level: int) -> None:
        self.counts[:, level] += _SEEN_ANYWHERE
        self.counts[self._context(above, left), level] += _SEEN

    def _context(self, above: int, left: int) -> int:
        inside = [level for level in (above, left) if level < self.choices]
        return 2 * sum(inside) // len(inside) if inside else 2 * self.choices - 1


def _contexts(choices: int) -> _Pairs | _Means:
    return _Pairs() if choices == CHOICES else _Means(choices)


def _neighbours(levels: np.ndarray, row: int, column: int, outside: int) -> tuple[int, int]:
    above = int(levels[row - 1, column]) if row else outside
    left = int(levels[row, column - 1]) if column else outside
    return above, left


def _code(levels: np.ndarray, choices: int) -> bytes:
    import constriction

    encoder, contexts = constriction.stream.queue.RangeEncoder(), _contexts(choices)
    for row, column in np.ndindex(*levels.shape):
        around, level = _neighbours(levels, row, column, choices), int(levels[row, column])
        encoder.encode(level, constriction.stream.model.Categorical(contexts.chances(*around), perfect=False))
        contexts.saw(*around, level)
    return _trimmed(encoder.get_compressed())


def _decode(data: bytes, shape: tuple[int, int], choices: int) -> np.ndarray:
    import constriction

    words = np.frombuffer(data.ljust(-(-len(data) // 4) * 4, b"\0"), "<u4").astype(np.uint32)
    decoder, contexts = constriction.stream.queue.RangeDecoder(words), _contexts(choices)
    levels = np.zeros(shape, np.int64)
    for row, column in np.ndindex(*shape):
        around = _neighbours(levels, row, column, choices)
        model = constriction.stream.model.Categorical(contexts.chances(*around), perfect=False)
        try:
            levels[row, column] = decoder.decode(model)
        except AssertionError as why:
            raise ValueError(f"a rate map that is no code: {why}") from why
        contexts.saw(*around, int(levels[row, column]))
    return levels


def _trimmed(words: np.ndarray) -> bytes:
    """Little-endian bytes without zeros at the end, which the decoder puts back."""
    return words.astype("<u4").tobytes().rstrip(b"\0")
