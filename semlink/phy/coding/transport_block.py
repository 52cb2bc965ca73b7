"""Transport blocks: payload bits to coded bits on the wire and back.

Source: [3gpp38212, 5.1-5.5, 6.2 and 7.2], [3gpp38211, 7.3.1.1].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from semlink.errors import Infeasible
from semlink.phy.coding.rate_matching import collect, select, sent_positions
from semlink.phy.coding.scrambling import gold_sequence, scrambling_state
from semlink.phy.coding.segmentation import Segments, segment
from semlink.phy.ldpc.decoder import INT8_SCALE, Backend, Finer, RuleName, decode_blocks
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import Demapper, Places, demap, demap_rows, demap_to_steps, map_bits, map_buffers

if TYPE_CHECKING:
    import torch

MAX_CODE_RATE = 0.95  # [3gpp38214, 5.1.3]: above it a receiver may skip the block


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the receiver made of a batch of transport blocks.

    Attributes:
        bits: payload uint8 (b, num_bits), right or wrong.
        ok: bool (b,), whether the transport block passed its CRC.
        block_ok: bool (b, num_blocks), the same for each code block.
        iterations: int32 (b, num_blocks) that the LDPC decoder spent.
        solved: bool (b, num_blocks), whether all its checks held in the end.
    """

    bits: np.ndarray
    ok: np.ndarray
    block_ok: np.ndarray
    iterations: np.ndarray
    solved: np.ndarray


@dataclass(frozen=True, slots=True)
class TransportBlock:
    """A payload of `num_bits` sent as `num_coded` bits.

    Attributes:
        num_bits: payload of the block, without CRC.
        num_coded: bits on the wire (G), a multiple of `bits_per_symbol`.
        bits_per_symbol: of the modulation (Q_m).
        code_rate: target rate; together with `num_bits` it chooses the base graph.
        iterations: the most that the decoder may spend on a code block.
        backend, rule, num_threads: of the decoder, see `semlink.phy.ldpc.decoder`.
        n_rnti, n_id: identities that start the scrambling sequence.
    Raises:
        Infeasible: sizes that 38.212 cannot carry.
    """

    num_bits: int
    num_coded: int
    bits_per_symbol: int
    code_rate: float
    iterations: int = 20
    backend: Backend = "auto"
    rule: RuleName = "box-plus"
    num_threads: int = 1
    n_rnti: int = 1
    n_id: int = 1

    def __post_init__(self) -> None:
        segments = self.segments
        per_block, rest = divmod(self.num_coded, self.bits_per_symbol)
        if rest:
            raise Infeasible(
                f"{self.num_coded} coded bits; need a multiple of {self.bits_per_symbol} for whole symbols"
            )
        shortest = per_block // segments.num_blocks * self.bits_per_symbol
        if segments.code.info_bits > MAX_CODE_RATE * shortest:
            raise Infeasible(
                f"transport block of {self.num_bits} bits in {self.num_coded} coded bits puts "
                f"{segments.code.info_bits} bits into {shortest} of a code block; "
                f"38.214 allows a rate of {MAX_CODE_RATE} at most"
            )

    @property
    def segments(self) -> Segments:
        """CRCs and code blocks of this transport block."""
        return segment(self.num_bits, self.code_rate)

    @property
    def num_blocks(self) -> int:
        """Code blocks."""
        return self.segments.num_blocks

    @property
    def crc_bits(self) -> int:
        """All CRC bits: of the transport block and, where there are several, of its code blocks."""
        return self.segments.crc_bits

    @property
    def parity_bits(self) -> int:
        """Coded bits that are neither payload nor CRC."""
        return self.num_coded - self.num_bits - self.crc_bits

    def encode(self, bits: np.ndarray, *, rv: int = 0) -> np.ndarray:
        """Payload uint8 (b, num_bits) to wire uint8 (b, num_coded)."""
        wire, buffers = _wire(self, rv), self._buffers(bits, rv)
        out = np.empty((len(bits), self.num_coded), np.uint8)
        select(buffers, wire.positions, wire.first, wire.flips, out)
        return out

    def encode_symbols(self, bits: np.ndarray, *, rv: int = 0) -> np.ndarray:
        """Payload uint8 (b, num_bits) to symbols complex64 (b, n): those of `encode`, mapped as they are read."""
        places = _places(self, rv)
        if places is None:
            return map_bits(self.encode(bits, rv=rv), self.bits_per_symbol)
        return map_buffers(self._buffers(bits, rv), places)

    def _buffers(self, bits: np.ndarray, rv: int) -> np.ndarray:
        """The beginning of each circular buffer, as far as it is sent: uint8 (b, num_blocks, width)."""
        self._check(bits, self.num_bits, "payload bits")
        segments = self.segments
        return encode(segments.code, segments.cut(bits), _wire(self, rv).width).reshape(
            len(bits), segments.num_blocks, -1
        )

    def decode(self, llr: np.ndarray | torch.Tensor, *, rv: int = 0) -> Decoded:
        """LLRs float32 (b, num_coded), positive for 0, of one transmission to payload bits.

        A tensor on a GPU is decoded there, by Sionna, unless a backend is named.
        """
        if isinstance(llr, np.ndarray):
            return self.decode_buffer(self.collect(llr, rv=rv))
        there = llr.is_cuda and self.backend == "auto"
        block = replace(self, backend="sionna") if there else self
        return block.decode(llr.detach().cpu().numpy(), rv=rv)

    def decode_symbols(
        self, iq: np.ndarray, noise_var: np.ndarray | float, *, demapper: Demapper = "exact", rv: int = 0
    ) -> Decoded:
        """Received symbols complex64 (b, n) to payload bits: what `decode` makes of their LLRs, to the last bit.

        Where int8 decodes, LLRs are floats for the blocks alone that it leaves unsolved.
        """
        self._check(iq, self.num_coded // self.bits_per_symbol, "symbols")
        places = _places(self, rv)
        if places is None or self.backend not in ("auto", "int8"):
            return self.decode(demap(iq, noise_var, self.bits_per_symbol, demapper=demapper), rv=rv)

        def finer(blocks: np.ndarray) -> np.ndarray:
            """Soft buffers of some code blocks in float32."""
            rows, inside = np.unique(blocks // self.num_blocks, return_inverse=True)
            llr = demap_rows(iq, noise_var, self.bits_per_symbol, rows, demapper=demapper)
            return self.collect(llr, rv=rv)[inside, blocks % self.num_blocks]

        return self._decode(demap_to_steps(iq, noise_var, places, INT8_SCALE, demapper), finer)

    def collect(self, llr: np.ndarray, *, rv: int = 0, onto: np.ndarray | None = None) -> np.ndarray:
        """The soft buffer float32 (b, num_blocks, width) after one more transmission.

        Chase combining sends the same `rv` again, incremental redundancy
        others (0, 2, 3, 1); give the buffer so far as `onto`. It is not changed.
        """
        self._check(llr, self.num_coded, "LLRs")
        wire = _wire(self, rv)
        width = wire.width if onto is None else max(wire.width, onto.shape[2])
        buffers = np.zeros((len(llr), self.num_blocks, width), np.float32)
        if onto is not None:
            buffers[:, :, : onto.shape[2]] = onto
        collect(np.ascontiguousarray(llr, np.float32), wire.positions, wire.first, wire.flips, buffers)
        return buffers

    def decode_buffer(self, buffers: np.ndarray) -> Decoded:
        """Decode soft buffers from `collect`."""
        return self._decode(buffers, None)

    def _decode(self, buffers: np.ndarray, finer: Finer | None) -> Decoded:
        segments = self.segments
        flat = buffers.reshape(-1, buffers.shape[2])
        words = decode_blocks(
            segments.code,
            flat,
            iterations=self.iterations,
            backend=self.backend,
            rule=self.rule,
            num_threads=self.num_threads,
            finer=finer,
        )
        bits, ok, block_ok = segments.join(words.hard)
        used, solved = (part.reshape(-1, segments.num_blocks) for part in (words.used, words.solved))
        return Decoded(bits, ok, block_ok, used, solved)

    def _check(self, array: np.ndarray, length: int, what: str) -> None:
        if array.ndim != 2 or array.shape[1] != length:
            raise ValueError(f"{what} of shape {array.shape}; this transport block takes (batch, {length})")


@dataclass(frozen=True, slots=True, eq=False)
class _Wire:
    """Where each wire bit comes from: `first` (num_blocks + 1,), `positions` and `flips` (num_coded,)."""

    first: np.ndarray
    positions: np.ndarray
    flips: np.ndarray
    width: int


@lru_cache(maxsize=256)
def _wire(block: TransportBlock, rv: int) -> _Wire:
    """Rate matching and scrambling of redundancy version `rv`.

    Source: [3gpp38212, 5.4.2.1] for the share of each code block.
    """
    segments, order = block.segments, block.bits_per_symbol
    num_symbols = block.num_coded // order
    longer = num_symbols % segments.num_blocks
    sent = [num_symbols // segments.num_blocks * order] * (segments.num_blocks - longer)
    sent += [(num_symbols // segments.num_blocks + 1) * order] * longer
    positions = np.concatenate([sent_positions(segments.code, n, order, rv) for n in sent])
    flips = gold_sequence(scrambling_state(block.n_rnti, block.n_id), block.num_coded)
    return _Wire(np.cumsum([0, *sent]), positions, flips, int(positions.max()) + 1)


@lru_cache(maxsize=256)
def _places(block: TransportBlock, rv: int) -> Places | None:
    """The same by bit and symbol, for bits that go straight to the mapper, LLRs to the decoder; None with repeats."""
    wire, order = _wire(block, rv), block.bits_per_symbol
    sent = [wire.positions[a:b] for a, b in pairwise(wire.first)]
    if order == 1 or any(len(np.unique(positions)) < len(positions) for positions in sent):
        return None
    positions, flips = (np.ascontiguousarray(row.reshape(-1, order).T) for row in (wire.positions, wire.flips))
    return Places(wire.first // order, positions, -flips.astype(np.int8), wire.width)
