"""The unit that a source codec hands to the transport."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Packet:
    """`data` that is decoded whole or not at all.

    `time` is the frame in display order it belongs to (0..255), so that a
    receiver that lost packets still knows when to show the rest. It travels
    in the packet's header and is charged.
    """

    time: int
    data: bytes
