"""Transport blocks that failed are sent again, and the receiver adds up what it heard.

Chase combining repeats the same coded bits, so the SNR adds up; incremental
redundancy reads on around the circular buffer (redundancy versions 0, 2, 3, 1),
so the code rate falls as well. A repeat has the length and the constellation of
the first transmission, and its blocks follow each other in their old order:
which blocks it holds both ends know from the acknowledgements.

Source: [3gpp38212, 5.4.2.1] for the redundancy versions, [3gpp38214, 5.1.2.1] for
their order, [chase1985] for combining.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from semlink.errors import ChannelFault
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Received, Symbols
from semlink.phy.coding.block_coding import Cut, looks_all_zero
from semlink.phy.coding.ldpc_coding import LdpcCoding

__all__ = ["Combining", "SoftBlocks", "combined", "nothing_heard", "repeat", "symbols_of", "version"]

Combining = Literal["ir", "chase"]
_VERSIONS: Mapping[Combining, tuple[int, ...]] = {"ir": (0, 2, 3, 1), "chase": (0,)}


def version(kind: Combining, sent: int) -> int:
    """The redundancy version of a block that was sent `sent` times before."""
    order = _VERSIONS[kind]
    return order[sent % len(order)]


@dataclass(frozen=True, slots=True, eq=False)
class SoftBlocks:
    """What a receiver has of one transmission of `uses` symbols.

    Attributes:
        data: the content of each block, None until it passes its CRC.
        buffers: the soft buffer float32 (code block, width) of each block that did not.
    """

    coding: LdpcCoding
    uses: int
    data: tuple[bytes | None, ...]
    buffers: tuple[np.ndarray | None, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the blocks that have not passed yet."""
        return tuple(number for number, block in enumerate(self.data) if block is None)


def nothing_heard(coding: LdpcCoding, uses: int) -> SoftBlocks:
    """The state before the first transmission of `uses` symbols."""
    count = len(coding.block_sizes(uses))
    return SoftBlocks(coding, uses, (None,) * count, (None,) * count)


def symbols_of(coding: LdpcCoding, uses: int) -> tuple[int, ...]:
    """Channel uses of each block in a transmission of `uses`."""
    return tuple(cut.symbols for cut in coding.cuts(uses) for _ in range(cut.count))


def repeat(coding: LdpcCoding, uses: int, blocks: Mapping[int, bytes], rv: int) -> Flow[Symbols]:
    """Some blocks of an earlier transmission of `uses` symbols once more, charged as retransmission.

    Args:
        blocks: content by number; sent in the order of the numbers.
        rv: redundancy version.
    """
    pieces = []
    for cut, numbers, _, _ in _runs(coding, uses, sorted(blocks)):
        data = np.frombuffer(b"".join(blocks[n] for n in numbers), np.uint8).reshape(len(numbers), cut.room)
        block = coding.transport_block(cut.room, cut.symbols)
        pieces.append(block.encode_symbols(np.unpackbits(data, axis=1), rv=rv).ravel())
    iq = torch.from_numpy(np.concatenate(pieces)[None])
    return Flow(Symbols(iq)).then(Symbols(iq), Charge("phy/harq", "retransmission", iq.shape[1]))


def combined(soft: SoftBlocks, received: Received, blocks: Sequence[int], rv: int) -> SoftBlocks:
    """The state after `blocks` were heard (once more) in redundancy version `rv`.

    Raises:
        ChannelFault: another number of symbols than these blocks have.
    """
    iq = received.iq.detach().cpu().numpy()
    noise = np.broadcast_to(received.noise_var.detach().cpu().numpy(), iq.shape)
    data, buffers = list(soft.data), list(soft.buffers)
    stop = 0
    for cut, numbers, start, stop in _runs(soft.coding, soft.uses, sorted(blocks)):
        shape = (len(numbers), cut.symbols)
        part = iq[0, start:stop], noise[0, start:stop]
        if part[0].size != shape[0] * shape[1]:
            break
        llr = soft.coding.soft_bits(part[0].reshape(shape), part[1].reshape(shape))
        block = soft.coding.transport_block(cut.room, cut.symbols)
        known = [buffer for n in numbers if (buffer := buffers[n]) is not None]
        onto = np.stack(known) if known else None  # blocks of one repeat share their past
        sums = block.collect(llr, rv=rv, onto=onto)
        decoded = block.decode_buffer(sums)
        rows = np.packbits(decoded.bits, axis=1)
        passed = decoded.ok & (decoded.bits.any(axis=1) | looks_all_zero(sums.reshape(len(sums), -1)))
        for number, row, good, heard in zip(numbers, rows, passed, sums):
            data[number] = row.tobytes() if good else None
            buffers[number] = None if good else heard
    if stop != iq.shape[1]:
        raise ChannelFault(f"a burst of {iq.shape[1]} symbols arrived where {len(blocks)} blocks take {stop}")
    return SoftBlocks(soft.coding, soft.uses, tuple(data), tuple(buffers))


def _runs(coding: LdpcCoding, uses: int, numbers: Sequence[int]) -> Iterator[tuple[Cut, list[int], int, int]]:
    """Blocks of equal size with the part of the burst that they fill: (cut, numbers, start, stop)."""
    first = start = 0
    for cut in coding.cuts(uses):
        inside = [n for n in numbers if first <= n < first + cut.count]
        first += cut.count
        if inside:
            stop = start + len(inside) * cut.symbols
            yield cut, inside, start, stop
            start = stop
