"""Elementary streams taken apart into packets and put together again.

H.264 and H.265: a NAL unit is a packet, without its start code. AV1: an OBU is
a packet, without its size field (the packet's header has the length) and
without temporal delimiters. What tells a decoder nothing is dropped: access
unit delimiters, supplemental messages, padding, and (unless asked for) later
copies of parameter sets that were sent before. All functions take any bytes.
H.264 and H.265: clause 7.3 and annex B. AV1: section 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from semlink.codecs.entropy.leb128 import read_leb128, to_leb128
from semlink.payload import Packet

__all__ = ["Standard", "access_units", "packets_of"]

Standard = Literal["h264", "h265", "av1"]
AccessUnit = tuple[int, bytes]  # display time, bytes as the codec library has them

_START_CODE = b"\0\0\0\1"
_START_CODE_PREFIX = b"\0\0\1"
_TRAILING_ZEROS = bytes(256)
_DROPPED = {
    "h264": {6, 9, 12},  # SEI, access unit delimiter, filler
    "h265": {35, 38, 39, 40},  # access unit delimiter, filler, SEI before and behind the picture
    "av1": {2, 15},  # temporal delimiter, padding
}
_PARAMETER_SETS = {"h264": {7, 8}, "h265": {32, 33, 34}, "av1": {1}}
_OBU_EXTENSION, _OBU_HAS_SIZE = 0b100, 0b010


def packets_of(units: Iterable[AccessUnit], standard: Standard, *, repeat_headers: bool = False) -> tuple[Packet, ...]:
    """The packets of coded access units, in coding order."""
    split: Callable[[bytes], list[bytes]] = _split_obus if standard == "av1" else _split_nals
    packets, sent = [], set()
    for time, stream in units:
        for data in split(stream):
            kind = _kind(data, standard)
            repeated = data in sent and not repeat_headers
            if kind in _DROPPED[standard] or kind in _PARAMETER_SETS[standard] and repeated:
                continue
            if kind in _PARAMETER_SETS[standard]:
                sent.add(data)
            packets.append(Packet(time, data))
    return tuple(packets)


def access_units(packets: Sequence[Packet], standard: Standard) -> list[AccessUnit]:
    """What a decoder takes: the packets of one frame together, in the order they came."""
    runs = groupby((packet for packet in packets if packet.data), key=lambda packet: packet.time)
    units = ((time, [packet.data for packet in run]) for time, run in runs)
    if standard == "av1":
        return [(time, _merge_obus(obus)) for time, obus in _without_known_headers(units) if obus]
    return [(time, _merge_nals(nals)) for time, nals in units]


def _without_known_headers(units: Iterable[tuple[int, list[bytes]]]) -> Iterator[tuple[int, list[bytes]]]:
    """Sequence headers only where they change.

    After dav1d was told to show a picture that never came it rejects every
    unit that does not begin with a frame, so a copy would cost a key frame.
    """
    known = b""
    for time, obus in units:
        fresh = []
        for obu in obus:
            is_header = _kind(obu, "av1") in _PARAMETER_SETS["av1"]
            if not (is_header and obu == known):
                fresh.append(obu)
            known = obu if is_header else known
        yield time, fresh


def _kind(data: bytes, standard: Standard) -> int:
    """The type field in the first byte of a NAL unit or OBU."""
    if standard == "h264":
        return data[0] & 31
    return data[0] >> 1 & 63 if standard == "h265" else data[0] >> 3 & 15


def _split_nals(stream: bytes) -> list[bytes]:
    """NAL units of an Annex B stream; zeros before a start code belong to it."""
    units = (unit.rstrip(b"\0") for unit in stream.split(_START_CODE_PREFIX))
    return [unit for unit in units if unit]


def _merge_nals(units: Iterable[bytes]) -> bytes:
    """An access unit of Annex B, with trailing zeros that the standards allow.

    Arithmetic decoders of damaged slices read on behind the data; what they
    find there has to be the same in every run.
    """
    return b"".join(_START_CODE + unit for unit in units) + _TRAILING_ZEROS


def _split_obus(stream: bytes) -> list[bytes]:
    """OBUs of a low-overhead stream, their size fields taken out."""
    units = []
    at = 0
    while at < len(stream):
        head = 2 if stream[at] & _OBU_EXTENSION else 1
        size, begin = read_leb128(stream, at + head) if stream[at] & _OBU_HAS_SIZE else (None, at + head)
        end = len(stream) if size is None else begin + size
        header = bytes((stream[at] & ~_OBU_HAS_SIZE,)) + stream[at + 1 : at + head]
        units.append(header + stream[begin:end])
        at = end
    return units


def _merge_obus(units: Iterable[bytes]) -> bytes:
    """The OBUs of a temporal unit with their sizes; decoders that are given units need no delimiter."""
    stream = bytearray()
    for unit in units:
        head = 2 if unit[0] & _OBU_EXTENSION else 1
        stream += bytes((unit[0] | _OBU_HAS_SIZE,)) + unit[1:head] + to_leb128(max(len(unit) - head, 0)) + unit[head:]
    return bytes(stream)
