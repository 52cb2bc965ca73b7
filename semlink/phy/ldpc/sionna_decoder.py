"""Decoding by Sionna: sum-product with a flooding schedule, on a GPU where there is one.

It always runs all iterations. On a processor it is hundreds of times slower
than the kernels of this package, and serves as their reference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from semlink.phy.ldpc.base_graph import PUNCTURED_COLUMNS
from semlink.phy.ldpc.code import LdpcCode, Words, lifted_edges

_FILLER_LLR = 20.0
_BATCH = {"cpu": 16, "cuda": 4096}


def decode_flooding(code: LdpcCode, buffers: np.ndarray, iterations: int) -> Words:
    """Decode LLRs float32 (block, width); see `ldpc.decode_blocks`."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    num_rows = code.rows_for(buffers.shape[1])
    decoder = _decoder(code, num_rows, iterations, device)
    skipped = PUNCTURED_COLUMNS * code.z
    words = np.empty((len(buffers), skipped + code.width_of(num_rows)), np.uint8)
    for start in range(0, len(buffers), _BATCH[device]):
        share = buffers[start : start + _BATCH[device]]
        logits = np.zeros((len(share), words.shape[1]), np.float32)
        logits[:, skipped : skipped + buffers.shape[1]] = -share
        logits[:, code.info_bits : code.filled_bits] = -_FILLER_LLR
        with torch.no_grad():
            words[start : start + len(share)] = decoder(torch.from_numpy(logits).to(device)).cpu().numpy()
    heard = buffers.any(axis=1)
    solved = heard & ~_syndrome(code, num_rows, words)
    words[~heard] = 1
    return Words(words[:, : code.info_bits].copy(), np.full(len(buffers), iterations, np.int32), solved)


@lru_cache(maxsize=32)
def _decoder(code: LdpcCode, num_rows: int, iterations: int, device: str) -> Any:
    from sionna.phy.fec.ldpc import LDPCBPDecoder

    return LDPCBPDecoder(_parity_checks(code, num_rows), num_iter=iterations, device=device)


def _parity_checks(code: LdpcCode, num_rows: int) -> Any:
    """The lifted parity-check matrix of the first `num_rows` rows, sparse."""
    from scipy.sparse import csr_matrix

    z, edges = code.z, lifted_edges(code.graph, code.z, code.base.info_columns - 1, num_rows)
    lane = np.arange(z)
    row = np.repeat(np.arange(num_rows), edges.degrees)[:, None] * z + lane
    column = edges.columns[:, None] * z + (lane + edges.shifts[:, None]) % z
    shape = num_rows * z, (code.base.info_columns + num_rows) * z
    return csr_matrix((np.ones(row.size), (row.ravel(), column.ravel())), shape=shape)


def _syndrome(code: LdpcCode, num_rows: int, words: np.ndarray) -> np.ndarray:
    """Whether any check of each word fails: bool (block,)."""
    return ((_parity_checks(code, num_rows) @ words.T.astype(np.float64)) % 2).any(axis=0)
