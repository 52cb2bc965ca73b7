"""A channel coding of your own: from bytes to symbols and back.

In a scenario:

    schemes:
      - name: mine
        kind: digital
        codec: {kind: h264}
        coding: {kind: my_coding.py:MyCoding, times: 3}
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch

from semlink.blocks import CodingBase
from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Received, Symbols

CRC_BYTES = 4
SYMBOLS_A_BYTE = 4


class MyCoding(CodingBase):
    """QPSK, every symbol sent `times` times; one block in a transmission, with a CRC-32 behind it."""

    bits_per_symbol = 2

    def __init__(self, times: int = 3) -> None:
        if times < 1:
            raise ValueError(f"MyCoding: got {times=}; need 1 or more")
        self.times = times
        self.code_rate = 1 / times

    def block_sizes(self, uses: int) -> tuple[int, ...]:
        """Bytes of each block in a transmission of `uses` symbols; both ends work it out from `uses` alone.

        Raises:
            Infeasible: not even one block fits.
        """
        size = uses // (self.times * SYMBOLS_A_BYTE) - CRC_BYTES
        if size < 1:
            raise Infeasible(f"MyCoding: {uses} symbols hold no byte beside the CRC")
        return (size,)

    def send(self, blocks: Sequence[bytes], uses: int) -> Flow[Symbols]:
        """Exactly `uses` symbols, complex64 (1, uses), for blocks of just these sizes; every symbol is charged."""
        (block,) = blocks
        bits = np.unpackbits(np.frombuffer(block + zlib.crc32(block).to_bytes(CRC_BYTES, "big"), np.uint8))
        signs = torch.from_numpy(1 - 2.0 * bits).float().reshape(-1, 2) * 0.5**0.5
        iq = torch.view_as_complex(signs).repeat(self.times)
        iq = torch.cat([iq, torch.ones(uses - len(iq), dtype=iq.dtype)])[None]
        payload, crc = SYMBOLS_A_BYTE * len(block), SYMBOLS_A_BYTE * CRC_BYTES
        return Flow(Symbols(iq)).then(
            Symbols(iq),
            Charge("my_coding", "payload", payload),
            Charge("my_coding", "crc", crc),
            Charge("my_coding", "parity", uses - payload - crc),
        )

    def receive(self, received: Received) -> tuple[bytes | None, ...]:
        """Each block that passed its CRC, None for the others."""
        (size,) = self.block_sizes(received.iq.shape[1])
        used = (size + CRC_BYTES) * SYMBOLS_A_BYTE * self.times
        trust = 1 / received.noise_var[:, :used].clamp(min=1e-9)  # 0 where nothing arrived
        soft = (received.iq[:, :used] * trust).reshape(self.times, -1).sum(dim=0)
        data = np.packbits((torch.view_as_real(soft).flatten() < 0).cpu().numpy()).tobytes()
        block, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
        return (block if zlib.crc32(block).to_bytes(CRC_BYTES, "big") == crc else None,)
