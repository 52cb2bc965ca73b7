"""The map of rate levels as bytes: adaptive arithmetic coding, each level in the context of its neighbours.

Both ends count what followed which pair of neighbours so far, above and to
the left, in whole numbers, so they hold the same model without any side data.
The first byte says whether the map is coded or packed at two bits a level,
whichever is shorter.

Source: the packed form [zhang2024crl, Sec. III-B.3]; adaptive coding is this project's.
"""

from __future__ import annotations

import numpy as np

CHOICES = 4
_PACKED, _CODED = 0, 1
_START = 0.4
"""What each count begins with."""


def pack_levels(levels: np.ndarray) -> bytes:
    """Levels 0 .. 3 (rows, columns) as bytes."""
    coded = _code(levels)
    packed = _pack(levels)
    return bytes([_CODED]) + coded if len(coded) < len(packed) else bytes([_PACKED]) + packed


def unpack_levels(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The inverse of `pack_levels`, from exactly its bytes.

    Raises:
        ValueError: no map of this shape.
    """
    if not data or data[0] not in (_PACKED, _CODED):
        raise ValueError(f"a rate map that begins with {data[:1].hex() or 'nothing'}; allowed: 00 or 01")
    return _unpack(data[1:], shape) if data[0] == _PACKED else _decode(data[1:], shape)


def _pack(levels: np.ndarray) -> bytes:
    flat = np.pad(levels.ravel().astype(np.uint8), (0, -levels.size % CHOICES)).reshape(-1, 4)
    return (flat << np.array([6, 4, 2, 0], np.uint8)).sum(1).astype(np.uint8).tobytes()


def _unpack(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    size = shape[0] * shape[1]
    if 4 * len(data) < size:
        raise ValueError(f"a rate map of {size} levels in {len(data)} bytes; need {-(-size // 4)}")
    flat = np.frombuffer(data, np.uint8)[:, None] >> np.array([6, 4, 2, 0], np.uint8) & 3
    return flat.ravel()[:size].reshape(shape).astype(np.int64)


class _Contexts:
    """Counts of each level for every pair of neighbours, and mixed from less to more context."""

    def __init__(self) -> None:
        self.counts = np.full((CHOICES + 1, CHOICES + 1, CHOICES), _START)

    def chances(self, above: int, left: int) -> np.ndarray:
        """Probabilities of the next level; neighbours outside are `CHOICES`."""
        seen = self.counts[above, left]
        return seen / seen.sum()

    def saw(self, above: int, left: int, level: int) -> None:
        self.counts[above, left, level] += 1
        if above != left:  # the mirror image behaves alike
            self.counts[left, above, level] += 1


def _neighbours(levels: np.ndarray, row: int, column: int) -> tuple[int, int]:
    above = int(levels[row - 1, column]) if row else CHOICES
    left = int(levels[row, column - 1]) if column else CHOICES
    return above, left


def _code(levels: np.ndarray) -> bytes:
    import constriction

    encoder, contexts = constriction.stream.queue.RangeEncoder(), _Contexts()
    for row, column in np.ndindex(*levels.shape):
        around, level = _neighbours(levels, row, column), int(levels[row, column])
        encoder.encode(level, constriction.stream.model.Categorical(contexts.chances(*around), perfect=False))
        contexts.saw(*around, level)
    return _trimmed(encoder.get_compressed())


def _decode(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    import constriction

    words = np.frombuffer(data.ljust(-(-len(data) // 4) * 4, b"\0"), "<u4").astype(np.uint32)
    decoder, contexts = constriction.stream.queue.RangeDecoder(words), _Contexts()
    levels = np.zeros(shape, np.int64)
    for row, column in np.ndindex(*shape):
        around = _neighbours(levels, row, column)
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
