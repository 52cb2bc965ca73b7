"""A source codec of your own: from a clip to packets and back.

In a scenario:

    schemes:
      - name: mine
        kind: digital
        codec: {kind: my_codec.py:MyCodec, bits: 8}
        coding: {kind: ldpc, modulation: qpsk, rate: 1/2}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.blocks import CodecBase
from semlink.codecs.packetization import framed_size
from semlink.errors import Infeasible
from semlink.payload import FrameShape, Packet

STEPS = (2, 4, 8, 16, 32)


class MyCodec(CodecBase):
    """Each frame as a small picture in one packet; `rates` are the steps between its pixels."""

    def __init__(self, bits: int = 8) -> None:
        if not 1 <= bits <= 8:
            raise ValueError(f"MyCodec: got {bits=}; need 1 to 8")
        self.bits = bits

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        """The best packets for `clip`, float32 (t, h, w) in [0, 1], that with their headers fit into `max_bytes`.

        Raises:
            Infeasible: not even the smallest stream fits.
        """
        for step in STEPS:
            packets = self.encode_at(clip, step)
            if framed_size(packets) <= max_bytes:
                return packets
        raise Infeasible(f"MyCodec: the smallest stream takes {framed_size(packets)} bytes, {max_bytes} are there")

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        """The packets at the codec's own knob: a picture of every `rate`-th row and column."""
        step = int(rate)
        levels = 2**self.bits - 1
        small = np.round(clip[:, step // 2 :: step, step // 2 :: step] * levels).astype(np.uint8)
        return tuple(Packet(time, bytes([step]) + picture.tobytes()) for time, picture in enumerate(small))

    def decode(self, packets: Sequence[Packet], shape: FrameShape) -> np.ndarray:
        """Frames (t, h, w) in [0, 1] from the packets that arrived, in order: some may be missing, none is damaged."""
        frames = np.full((shape.t, shape.h, shape.w), 0.5, np.float32)
        for packet in packets:
            step = packet.data[0]
            rows, columns = len(range(step // 2, shape.h, step)), len(range(step // 2, shape.w, step))
            small = np.frombuffer(packet.data[1:], np.uint8).reshape(rows, columns) / (2**self.bits - 1)
            large = np.pad(np.kron(small, np.ones((step, step))), ((0, step), (0, step)), mode="edge")
            frames[packet.time :] = large[: shape.h, : shape.w]  # shown until the next one that arrives
        return frames
