"""Decoding of 5G LDPC blocks: soft buffers in, information bits out."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from semlink.errors import ChannelFault
from semlink.phy import ldpc_plain
from semlink.phy.base_graph import PUNCTURED_COLUMNS
from semlink.phy.ldpc_code import LdpcCode

Backend = Literal["auto", "float32", "int8", "plain", "sionna"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
FILLER_LLR = np.float32(1e4)
ALPHA = np.float32(0.75)


def decode_blocks(
    code: LdpcCode, buffers: np.ndarray, *, iterations: int = 20, backend: Backend = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """Information bits uint8 (block, info_bits) and iterations spent int32 (block,).

    Args:
        code: of every block.
        buffers: LLRs float32 (block, width) of the beginning of the circular
            buffer, positive for 0 and zero where nothing was received.
        iterations: the most that a block may take.
        backend: see `BACKENDS`.
    Raises:
        ChannelFault: an LLR that is not a number.
    """
    if backend not in BACKENDS:
        raise ValueError(f"LDPC backend is {backend!r}; allowed: {', '.join(BACKENDS)}")
    if iterations < 1:
        raise ValueError(f"{iterations} LDPC iterations; need at least 1")
    if np.isnan(buffers.sum(dtype=np.float64)):
        bad = int(np.argmax(np.isnan(buffers).any(axis=1)))
        raise ChannelFault(
            f"LLRs of code block {bad} are NaN; the receiver must give numbers, 0 where nothing is known"
        )
    num_rows = code.rows_for(buffers.shape[1])
    edges = code.edges(num_rows)
    llr = _with_known(code, buffers, code.width_of(num_rows))
    hard = np.empty((len(llr), code.info_bits), np.uint8)
    used = np.empty(len(llr), np.int32)
    ldpc_plain.decode_float(llr, code.z, edges.start, edges.columns, edges.shifts, iterations, ALPHA, hard, used)
    return hard, used


def _with_known(code: LdpcCode, buffers: np.ndarray, width: int) -> np.ndarray:
    """LLRs of all variables: unsent columns 0, fillers certainly 0, received bits from `buffers`."""
    skipped = PUNCTURED_COLUMNS * code.z
    llr = np.zeros((len(buffers), skipped + width), np.float32)
    llr[:, skipped : skipped + buffers.shape[1]] = buffers
    llr[:, code.info_bits : code.filled_bits] = FILLER_LLR
    return llr
