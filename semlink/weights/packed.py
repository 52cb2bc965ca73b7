"""Files of tensors, packed without loss: bytes of one kind stand together and take as many bits as they must.

A number in half precision has a byte with its sign and exponent, which repeats itself, and one that does not;
whole numbers of a byte are mostly small. Huffman's code over each kind takes a tenth to a fifth off. What is
packed comes back bit for bit, and digests are of what comes back, so no card and no key knows of the packing.

    python -m semlink.weights.packed NAME.safetensors      # writes NAME.packed beside it

A file is MAGIC, then one zlib stream of: the header of safetensors as it was, then for every kind of number, by
name, its first bytes of all tensors, its second bytes, and so on.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from semlink.errors import ModelError
from semlink.files import PACKED_SUFFIX, as_file, json_in, reason_of

MAGIC = b"semlink1"
SIZES = {"I8": 1, "U8": 1, "BOOL": 1, "F16": 2, "BF16": 2, "I16": 2, "F32": 4, "I32": 4, "F64": 8, "I64": 8}
"""Bytes of a number, by what safetensors calls its kind."""
MOST_BYTES = 1 << 31
"""Of a file when it is unpacked."""
_LENGTH = 8  # bytes of the header's length, which begin a safetensors file
_MOST_HEADER = 100_000_000  # of safetensors itself


def pack(plain: bytes) -> bytes:
    """The bytes of a .safetensors file, packed."""
    start = _header_end(plain)
    parts = [plain[start + first + byte : start + last : size] for first, last, size, byte in _planes(plain[:start])]
    coder = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return MAGIC + coder.compress(plain[:start] + b"".join(parts)) + coder.flush()


def unpack(packed: bytes) -> bytes:
    """The inverse of `pack`.

    Raises:
        ValueError: not what `pack` writes, or damaged.
    """
    if not packed.startswith(MAGIC):
        raise ValueError(f"does not begin with {MAGIC.decode()}")
    coder = zlib.decompressobj()
    try:
        held = coder.decompress(packed[len(MAGIC) :], MOST_BYTES)
    except zlib.error as why:
        raise ValueError(str(why)) from why
    if not coder.eof:
        raise ValueError(f"cut off, or above {MOST_BYTES} bytes")
    place = start = _header_end(held)
    plain = bytearray(held[:start]) + bytes(len(held) - start)
    for first, last, size, byte in _planes(held[:start]):
        count = (last - first) // size
        plain[start + first + byte : start + last : size] = held[place : place + count]
        place += count
    if place != len(held):
        raise ValueError(f"holds {len(held) - start} bytes of tensors, its header tells of {place - start}")
    return bytes(plain)


def plain_bytes(path: Path) -> bytes:
    """The .safetensors bytes of a file, packed or not.

    Raises:
        ModelError: not readable, or packed and damaged.
    """
    try:
        held = as_file(path).read_bytes()
    except OSError as why:
        raise ModelError(f"{path}: cannot be read ({reason_of(why)})") from why
    if path.suffix != PACKED_SUFFIX:
        return held
    try:
        return unpack(held)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as why:
        raise ModelError(f"{path}: cannot be read as packed weights ({why})") from why


def file_digest(path: Path) -> str:
    """SHA-256 of a file of tensors, as it is before it is packed."""
    return sha256(plain_bytes(path)).hexdigest()


def _header_end(held: bytes) -> int:
    end = _LENGTH + int.from_bytes(held[:_LENGTH], "little")
    if not _LENGTH < end <= min(len(held), _MOST_HEADER):
        raise ValueError("no header of safetensors")
    return end


def _planes(header: bytes) -> Iterator[tuple[int, int, int, int]]:
    """First and last place of each tensor, bytes of its numbers, and which of them: in the order of the file."""
    told = json_in(header[_LENGTH:])
    tensors = [(t["dtype"], *t["data_offsets"]) for name, t in told.items() if name != "__metadata__"]
    for kind in sorted({kind for kind, _, _ in tensors}):
        if kind not in SIZES:
            raise ValueError(f"numbers of the kind {kind}; allowed: {', '.join(SIZES)}")
        for byte in reversed(range(SIZES[kind])):
            yield from ((first, last, SIZES[kind], byte) for k, first, last in sorted(tensors) if k == kind)


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        plain = plain_bytes(path)
        packed = pack(plain)
        assert unpack(packed) == plain
        path.with_suffix(PACKED_SUFFIX).write_bytes(packed)
        sys.stdout.write(f"{path}: {len(plain)} bytes, packed {len(packed)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
