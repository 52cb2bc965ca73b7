"""Tables, sequences and transport blocks of the 5G standard, beside Sionna's."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from semlink.link.validate.chance import seeds_of
from semlink.link.validate.entry import Bench, CannotRun, Found, found_exactly
from semlink.phy.coding.mcs_tables import mcs_table
from semlink.phy.coding.rate_matching import sent_positions
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.encoder import encode

__all__ = ["McsRows", "RedundancyVersions", "TransportBlocks"]


@dataclass(frozen=True, slots=True)
class McsRows:
    """How many rows of an MCS table are not Sionna's, and bits a symbol and efficiency of its last."""

    table: int

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        rows, wrong = mcs_table(self.table), 0
        with _sionna():
            from sionna.phy.nr.utils import decode_mcs_index

            for row in rows:
                order, rate = decode_mcs_index(row.index, table_index=self.table, is_pusch=False)
                wrong += int(order) != row.bits_per_symbol or abs(float(rate) - row.rate) > 1e-6
        numbers = {"": float(wrong), "rows": float(len(rows)), "last": rows[-1].efficiency}
        return {name: found_exactly(number) for name, number in numbers.items()}


@dataclass(frozen=True, slots=True)
class TransportBlocks:
    """How many of a few random transport blocks are not sent as Sionna sends them.

    Segmentation, check bits, code, rate matching, interleaving and scrambling all have a part in it.
    """

    num_bits: int
    num_coded: int
    rate: float
    bits_per_symbol: int
    n_rnti: int = 4321
    n_id: int = 765

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        import torch

        who: dict[str, Any] = {"n_rnti": self.n_rnti, "n_id": self.n_id}
        bits = seeds_of(bench, self).numpy("validate/bits").integers(0, 2, (2, self.num_bits), np.uint8)
        ours = TransportBlock(self.num_bits, self.num_coded, self.bits_per_symbol, self.rate, **who).encode(bits)
        with _sionna():
            from sionna.phy.nr import TBEncoder

            theirs = TBEncoder(self.num_bits, self.num_coded, self.rate, self.bits_per_symbol, **who)
            expected = theirs(torch.from_numpy(bits).float()).numpy()
        return {"": found_exactly(float((ours != expected).any(axis=1).sum()), "2 blocks")}


@dataclass(frozen=True, slots=True)
class RedundancyVersions:
    """How many of the four redundancy versions of a word are not what Sionna sends."""

    graph: int
    k: int
    n: int

    def __call__(self, bench: Bench) -> Mapping[str, Found]:
        import torch

        bits = seeds_of(bench, self).numpy("validate/bits").integers(0, 2, (2, self.k), np.uint8)
        code = LdpcCode(self.graph, self.k)
        word = encode(code, bits)
        with _sionna():
            from sionna.phy.fec.ldpc import LDPC5GEncoder

            theirs = LDPC5GEncoder(self.k, self.n, num_bits_per_symbol=4, bg=f"bg{self.graph}")
            expected = theirs(torch.from_numpy(bits).float(), rv=[0, 1, 2, 3]).numpy()
        wrong = sum((word[:, sent_positions(code, self.n, 4, rv)] != expected[:, rv]).any() for rv in range(4))
        return {"": found_exactly(float(wrong), "4 versions of 2 words")}


@contextlib.contextmanager
def _sionna():
    """Sionna at work: it prints, and may not be installed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ImportError as fault:
        raise CannotRun("needs Sionna (sionna-no-rt)") from fault
