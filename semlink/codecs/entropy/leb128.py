"""Numbers in as few bytes as they need: seven bits a byte, least significant first.

The high bit marks every byte but the last, as in section 4.10.5 of AV1.
"""

from __future__ import annotations

__all__ = ["MOST_BYTES", "read_leb128", "to_leb128"]

MOST_BYTES = 8


def to_leb128(value: int) -> bytes:
    """The bytes of a number >= 0."""
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*digits, value))


def read_leb128(stream: bytes, at: int = 0) -> tuple[int | None, int]:
    """The number that begins at `at`, None where it is cut off or too long, and where it ends."""
    value = 0
    for digit in range(min(MOST_BYTES, len(stream) - at)):
        byte = stream[at + digit]
        value |= (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return value, at + digit + 1
    return None, min(at + MOST_BYTES, len(stream))
