"""Cyclic redundancy checks of 5G, over arrays of bits.

Source: [3gpp38212, 5.1].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from semlink.kernels.compiled import compiled

POLYNOMIALS = {"16": (16, 0x1021), "24a": (24, 0x864CFB), "24b": (24, 0x800063)}


def crc_length(name: str) -> int:
    """Parity bits of CRC `name`: "16", "24a" or "24b"."""
    return POLYNOMIALS[name][0]


def attach_crc(bits: np.ndarray, name: str) -> np.ndarray:
    """`bits` uint8 (..., n) followed by their parity: uint8 (..., n + crc_length)."""
    parity = crc_remainder(bits, name)
    length = crc_length(name)
    spread = parity[..., None] >> np.arange(length - 1, -1, -1, dtype=np.uint32) & 1
    return np.concatenate([bits, spread.astype(np.uint8)], axis=-1)


def check_crc(bits: np.ndarray, name: str) -> np.ndarray:
    """Whether `bits` uint8 (..., n + crc_length) end in their own parity: bool (...)."""
    return crc_remainder(bits, name) == 0


def crc_remainder(bits: np.ndarray, name: str) -> np.ndarray:
    """Remainder of bits * D^length modulo the generator: uint32 (...).

    It is the parity of a message, and zero for a message with its parity.
    """
    length, polynomial = POLYNOMIALS[name]
    flat = np.ascontiguousarray(bits, np.uint8).reshape(-1, bits.shape[-1])
    table = _byte_table(length, polynomial)
    return _remainders(flat, table, length).reshape(bits.shape[:-1])


@lru_cache(maxsize=4)
def _byte_table(length: int, polynomial: int) -> np.ndarray:
    """Remainder of every byte, for eight steps at a time: uint32 (256,)."""
    register = np.arange(256, dtype=np.uint32) << np.uint32(length - 8)
    top, mask = np.uint32(1 << (length - 1)), np.uint32((1 << length) - 1)
    for _ in range(8):
        register = np.where(register & top, register << 1 ^ polynomial, register << 1).astype(np.uint32) & mask
    return register


@compiled(nogil=True)
def _remainders(bits, table, length):
    num, n = bits.shape
    out = np.zeros(num, np.uint32)
    mask = np.uint32((1 << length) - 1)
    head = n % 8
    for b in range(num):
        register = np.uint32(0)
        byte = np.uint32(0)
        for i in range(head):
            byte = byte << 1 | bits[b, i]
        # Leading zeros leave the register at zero, so a short first byte is free.
        if head:
            register = table[byte]
        for i in range(head, n, 8):
            byte = np.uint32(0)
            for j in range(8):
                byte = byte << 1 | bits[b, i + j]
            register = (register << 8 ^ table[(register >> (length - 8) ^ byte) & 255]) & mask
        out[b] = register
    return out
