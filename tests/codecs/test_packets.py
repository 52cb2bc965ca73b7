"""Framing: what is cut into blocks comes back, and a lost block costs only what it touches."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from semlink.codecs.packetization import POINTER_BYTES, cut, framed_size, header_bytes, join
from semlink.errors import Infeasible
from semlink.payload import Packet

packet_lists = st.lists(st.builds(Packet, st.integers(0, 255), st.binary(max_size=300)), max_size=12)
room_lists = st.lists(st.integers(0, 90), max_size=40)


def spans(packets, rooms):
    """First and last block of each packet, counted byte by byte: independent of the code under test."""
    owner = [i for i, room in enumerate(rooms) for _ in range(max(room - POINTER_BYTES, 0))]
    at = 0
    for packet in packets:
        size = framed_size([packet])
        yield owner[at], owner[at + size - 1]
        at += size


def roomy(packets, rooms):
    """`rooms`, and after them rooms of 40 bytes until everything fits."""
    missing = framed_size(packets) - sum(max(room - POINTER_BYTES, 0) for room in rooms)
    return [*rooms, *[40] * max(0, -(-missing // 38))]


@given(packet_lists, room_lists)
def test_round_trip(packets, rooms):
    rooms = roomy(packets, rooms)
    blocks = cut(packets, rooms)
    assert [len(block) for block in blocks] == rooms
    assert join(blocks) == tuple(packets)


@given(packet_lists, room_lists, st.data())
def test_lost_blocks_cost_the_packets_they_touch(packets, rooms, data):
    rooms = roomy(packets, rooms)
    lost = data.draw(st.sets(st.integers(0, max(len(rooms) - 1, 0))))
    blocks = [None if i in lost else block for i, block in enumerate(cut(packets, rooms))]
    untouched = [
        packet
        for packet, (first, last) in zip(packets, spans(packets, rooms), strict=True)
        if not lost & set(range(first, last + 1))
    ]
    assert join(blocks) == tuple(untouched)


@given(st.lists(st.none() | st.binary(max_size=60), max_size=20))
def test_garbage_never_raises(blocks):
    for packet in join(blocks):
        assert 0 <= packet.time <= 255


@given(packet_lists, st.integers(3, 60), st.data())
def test_forged_block_leaves_packets_elsewhere_alone(packets, room, data):
    """A block of wrong content (a CRC that missed) cannot hurt packets that lie wholly before or behind it."""
    rooms = roomy(packets, [room] * 3)
    blocks = list(cut(packets, rooms))
    bad = data.draw(st.integers(0, len(blocks) - 1))
    blocks[bad] = data.draw(st.binary(min_size=rooms[bad], max_size=rooms[bad]))
    before = [p for p, (_, last) in zip(packets, spans(packets, rooms), strict=True) if last < bad]
    assert list(join(blocks)[: len(before)]) == before
    behind = [p for p, (first, _) in zip(packets, spans(packets, rooms), strict=True) if first > bad]
    assert list(join(blocks))[-len(behind) :] == behind or not behind


def test_wire_format_golden():
    """Two packets in blocks of 6 bytes, written out by hand from the module's description."""
    packets = [Packet(3, b"abc"), Packet(260, b"")]
    assert cut(packets, [6, 6]) == (b"\x00\x00\x04\x03ab", b"\x00\x01c\x01\x04\x00")


def test_sizes():
    packets = [Packet(0, bytes(126)), Packet(0, bytes(127)), Packet(0, bytes(16383))]
    assert header_bytes(packets) == 2 + 3 + 4
    assert framed_size(packets) == 126 + 127 + 16383 + 9


def test_too_many_bytes_are_infeasible():
    with pytest.raises(Infeasible, match="12 bytes of packets, but 2 transport blocks carry 11"):
        cut([Packet(0, bytes(10))], [7, 8])


def test_header_out_of_the_pointers_reach():
    """Only a header beyond byte 65534 of its block waits for the next pointer, and only after a loss."""
    packets = [Packet(1, bytes(70_000)), Packet(2, b"late"), Packet(3, b"next"), Packet(4, bytes(10))]
    rooms = [1000, 69_030, 40]
    assert join(cut(packets, rooms)) == tuple(packets)
    assert join([None, *cut(packets, rooms)[1:]]) == ()
    later = [*packets, Packet(5, bytes(20)), Packet(6, b"last")]
    assert join([None, *cut(later, [*rooms, 50])[1:]])[-1] == Packet(6, b"last")


def test_untouched_blocks_after_the_stream_are_padding():
    blocks = cut([Packet(9, b"x")], [10, 10, 10])
    assert blocks[1:] == (b"\xff\xff" + bytes(8),) * 2
    assert join([blocks[0], None, blocks[2]]) == (Packet(9, b"x"),)
