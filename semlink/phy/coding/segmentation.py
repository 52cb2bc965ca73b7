"""A transport block cut into code blocks, each with its CRC.

Source: [3gpp38212, 5.1, 5.2.2, 6.2 and 7.2].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from semlink.phy.coding.crc import attach_crc, check_crc, crc_length
from semlink.phy.ldpc.base_graph import base_graph, choose_base_graph
from semlink.phy.ldpc.code import LdpcCode

_LONG_CRC_ABOVE = 3824


@dataclass(frozen=True, slots=True)
class Segments:
    """How `num_bits` of payload are protected and divided.

    `padding` zeros at the end make the code blocks equally long; the sizes
    that 38.214 grants need none.
    """

    num_bits: int
    tb_crc: str
    num_blocks: int
    padding: int
    code: LdpcCode

    @property
    def block_crc(self) -> str | None:
        """The CRC of each code block; a single block has none."""
        return "24b" if self.num_blocks > 1 else None

    @property
    def crc_bits(self) -> int:
        """All CRC bits, of the transport block and of its code blocks."""
        blocks = 0 if self.block_crc is None else self.num_blocks * crc_length(self.block_crc)
        return crc_length(self.tb_crc) + blocks

    def cut(self, bits: np.ndarray) -> np.ndarray:
        """Payload uint8 (b, num_bits) to code blocks uint8 (b * num_blocks, info_bits)."""
        padded = np.pad(bits, ((0, 0), (0, self.padding))) if self.padding else bits
        blocks = attach_crc(padded, self.tb_crc)
        if self.block_crc is not None:
            blocks = attach_crc(blocks.reshape(len(bits), self.num_blocks, -1), self.block_crc)
        return blocks.reshape(-1, self.code.info_bits)

    def join(self, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Decoded code blocks back to payload (b, num_bits), its CRC verdict (b,) and theirs (b, num_blocks).

        The padding counts as part of the CRC: a block with a set padding bit is not ok.
        """
        blocks = blocks.reshape(-1, self.num_blocks, self.code.info_bits)
        if self.block_crc is None:
            message = blocks[:, 0]
            ok = check_crc(message, self.tb_crc)
            block_ok = ok[:, None]
        else:
            block_ok = check_crc(blocks, self.block_crc)
            message = blocks[:, :, : -crc_length(self.block_crc)].reshape(len(blocks), -1)
            ok = check_crc(message, self.tb_crc)
        ok = ok & ~message[:, self.num_bits : self.num_bits + self.padding].any(axis=1)
        return np.ascontiguousarray(message[:, : self.num_bits]), ok, block_ok


@lru_cache(maxsize=256)
def segment(num_bits: int, code_rate: float) -> Segments:
    """The division of a transport block of `num_bits` at the target `code_rate`.

    Raises:
        ValueError: there is nothing to send, or the rate is not a rate.
    """
    if num_bits < 1:
        raise ValueError(f"transport block of {num_bits} bits; need at least 1")
    if not 0 < code_rate < 1:
        raise ValueError(f"target code rate is {code_rate}; need more than 0 and less than 1")
    graph = choose_base_graph(num_bits, code_rate)
    tb_crc = "24a" if num_bits > _LONG_CRC_ABOVE else "16"
    total, limit = num_bits + crc_length(tb_crc), base_graph(graph).max_block_bits
    num_blocks = 1 if total <= limit else -(-total // (limit - crc_length("24b")))
    padding = -total % num_blocks
    own = crc_length("24b") if num_blocks > 1 else 0
    return Segments(num_bits, tb_crc, num_blocks, padding, LdpcCode(graph, (total + padding) // num_blocks + own))
