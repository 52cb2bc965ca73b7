"""Packets into transport blocks and back, with resynchronisation after a loss.

On the wire a packet is `length` (LEB128, counts what follows), one byte
of frame time modulo 256, and its data; a length of zero is padding and ends
the stream. The stream is cut into blocks of given room. Each block begins with
a two-byte pointer (big endian): where, counted from behind the pointer, the
first packet that begins in this block has its header; 0xFFFF where none does.

The rule of loss: a packet arrives if every block from the one with its first
byte to the one with its last arrived. Only a header that lies more than 65534
bytes into its block is out of the pointer's reach; after a loss just before
such a block, reading resumes at the next pointer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

from semlink.codecs.entropy.leb128 import MOST_BYTES, read_leb128, to_leb128
from semlink.errors import Infeasible
from semlink.payload import Packet

__all__ = ["POINTER_BYTES", "cut", "framed_size", "header_bytes", "join", "packets_in"]

POINTER_BYTES = 2
_NO_HEADER = 0xFFFF


def header_bytes(packets: Sequence[Packet]) -> int:
    """Bytes that lengths and times of `packets` take on the wire."""
    return sum(len(to_leb128(len(packet.data) + 1)) + 1 for packet in packets)


def framed_size(packets: Sequence[Packet]) -> int:
    """Bytes of headers and data of `packets`; block pointers come on top."""
    return header_bytes(packets) + sum(len(packet.data) for packet in packets)


def cut(packets: Sequence[Packet], rooms: Sequence[int]) -> tuple[bytes, ...]:
    """The blocks that carry `packets`: block i has exactly `rooms[i]` bytes.

    Raises:
        Infeasible: the packets do not fit.
    """
    framed = [_frame(packet) for packet in packets]
    headers = [0, *accumulate(len(part) for part in framed)]
    carried = [max(room - POINTER_BYTES, 0) for room in rooms]
    ends = list(accumulate(carried))
    total = sum(carried)
    if headers[-1] > total:
        raise Infeasible(
            f"framing: {headers[-1]} bytes of packets, but {len(rooms)} transport blocks carry {total}; "
            "allow more channel uses or code the source smaller"
        )
    stream = b"".join(framed).ljust(total, b"\0")
    return tuple(
        _block(stream[end - size : end], end - size, headers[:-1], room)
        for room, size, end in zip(rooms, carried, ends, strict=True)
    )


def packets_in(packets: Sequence[Packet], rooms: Sequence[int], number: int) -> tuple[int, ...]:
    """Numbers of the packets of which block `number` carries a part, headers too."""
    carried = [max(room - POINTER_BYTES, 0) for room in rooms]
    start = sum(carried[:number])
    edges = list(accumulate((framed_size([packet]) for packet in packets), initial=0))
    inside = [begin < start + carried[number] and end > start for begin, end in pairwise(edges)]
    return tuple(n for n, is_inside in enumerate(inside) if is_inside)


def join(blocks: Sequence[bytes | None]) -> tuple[Packet, ...]:
    """The packets that arrived whole, in order; None stands for a lost block.

    Never raises: blocks of any content give some packets or none. A pointer
    that contradicts what was read before it drops the unfinished packet.
    """
    arrived: list[Packet] = []
    unfinished: bytes | None = None
    for block in blocks:
        if block is None or len(block) < POINTER_BYTES:
            unfinished = None if block is None else unfinished
            continue
        packets, unfinished = _resume(unfinished, block)
        arrived += packets
    return tuple(arrived)


def _frame(packet: Packet) -> bytes:
    return to_leb128(len(packet.data) + 1) + bytes((packet.time % 256,)) + packet.data


def _block(body: bytes, start: int, headers: Sequence[int], room: int) -> bytes:
    """`body`, which begins `start` bytes into the stream, behind its pointer."""
    first = bisect_left(headers, start)
    offset = headers[first] - start if first < len(headers) else _NO_HEADER
    pointer = offset if offset < min(len(body), _NO_HEADER) else _NO_HEADER
    return (pointer.to_bytes(POINTER_BYTES, "big") + body)[:room]


def _resume(unfinished: bytes | None, block: bytes) -> tuple[list[Packet], bytes | None]:
    """Packets completed in `block`, and the tail that runs on into the next.

    `unfinished` is the tail of the block before: b"" if that ended with a
    packet, None if reading is out of step and has to wait for a pointer.
    """
    pointer, body = int.from_bytes(block[:POINTER_BYTES], "big"), block[POINTER_BYTES:]
    if unfinished is not None:
        packets, headers, tail = _read(unfinished + body)
        first = next((at - len(unfinished) for at in headers if at >= len(unfinished)), _NO_HEADER)
        if min(first, _NO_HEADER) == pointer:
            return packets, tail
    if pointer >= min(len(body), _NO_HEADER):
        return [], None
    packets, _, tail = _read(body[pointer:])
    return packets, tail


def _read(stream: bytes) -> tuple[list[Packet], list[int], bytes | None]:
    """Whole packets of `stream`, where headers begin, and the tail (None behind padding or damage)."""
    packets: list[Packet] = []
    headers: list[int] = []
    at = 0
    while at < len(stream):
        length, begin = read_leb128(stream, at)
        if length == 0 or length is None and begin - at >= MOST_BYTES:
            return packets, headers, None
        headers.append(at)
        if length is None or begin + length > len(stream):
            return packets, headers, stream[at:]
        packets.append(Packet(stream[begin], stream[begin + 1 : begin + length]))
        at = begin + length
    return packets, headers, b""
