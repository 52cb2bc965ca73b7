"""Decoding of 5G LDPC blocks: soft buffers in, information bits out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from numba.core.errors import NumbaError

from semlink.errors import ChannelFault
from semlink.kernels.compiled import compiled
from semlink.phy.ldpc import plain_kernel
from semlink.phy.ldpc.check_rules import INT8_INPUT, INT8_UNIT, BoxPlus, Normalised, Offset, Rule
from semlink.phy.ldpc.code import LdpcCode, Words

Backend = Literal["auto", "float32", "int8", "plain", "sionna"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
RuleName = Literal["box-plus", "normalised", "offset"]
RULES: dict[RuleName, Rule] = {"box-plus": BoxPlus(), "normalised": Normalised(), "offset": Offset()}
LARGEST_LLR = np.float32(1e6)
INT8_SCALE = (INT8_UNIT, INT8_INPUT)  # steps per LLR, and the most
Finer = Callable[[np.ndarray], np.ndarray]


def decode_blocks(
    code: LdpcCode,
    buffers: np.ndarray,
    *,
    iterations: int = 20,
    backend: Backend = "auto",
    rule: RuleName = "box-plus",
    num_threads: int = 1,
    finer: Finer | None = None,
) -> Words:
    """Decode LLRs of the beginning of the circular buffer.

    `auto` decodes in int8, and once more in float32 the blocks that are left
    unsolved: int8 is four times as fast, float32 a tenth of a dB better where
    the rate is low. `plain` is float32 in loops.

    Args:
        code: of every block.
        buffers: float32 (block, width), positive for 0, zero where nothing was received; for `int8`, and for
            `auto` with `finer`, also int8 in the steps of `INT8_SCALE`.
        backend: see `BACKENDS`.
        iterations: the most that a block may take (`auto`: twice).
        rule: how checks combine LLRs, see `RULES`.
        num_threads: to share the blocks among.
        finer: from numbers of blocks to their buffers in float32, where `buffers` has them in int8.
    Raises:
        ValueError: a setting that does not exist.
        ChannelFault: an LLR that is not a number.
    """
    _check(backend, rule, iterations, num_threads)
    if buffers.dtype == np.int8 and (backend != "int8" if finer is None else backend not in ("int8", "auto")):
        raise ValueError(f"LDPC backend is {backend!r} and buffers are int8; allowed: int8, and auto with finer ones")
    if buffers.dtype != np.int8:
        buffers = np.ascontiguousarray(buffers, np.float32)
    if backend == "sionna":
        from semlink.phy.ldpc.sionna_decoder import decode_flooding

        _scaled(buffers, np.float32)
        return decode_flooding(code, buffers, iterations)

    def run(name: Backend, some: np.ndarray) -> Words:
        return _shared(code, some, iterations, name, RULES[rule], num_threads)

    if backend != "auto":
        return run(backend, buffers)
    words = run("int8", buffers)
    left = np.flatnonzero(~words.solved)
    if not left.size:
        return words
    again = np.ascontiguousarray(buffers[left] if finer is None else finer(left), np.float32)
    heard = again.any(axis=1)  # nothing can be made of silence
    left = left[heard]
    if left.size:
        more = run("float32", again[heard])
        words.hard[left], words.solved[left] = more.hard, more.solved
        words.used[left] += more.used
    return words


def _check(backend: str, rule: str, iterations: int, num_threads: int) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"LDPC backend is {backend!r}; allowed: {', '.join(BACKENDS)}")
    if rule not in RULES:
        raise ValueError(f"LDPC rule is {rule!r}; allowed: {', '.join(RULES)}")
    if iterations < 1:
        raise ValueError(f"{iterations} LDPC iterations; need at least 1")
    if num_threads < 1:
        raise ValueError(f"{num_threads} LDPC threads; need at least 1")


def _shared(code, buffers, iterations, backend, rule, num_threads: int) -> Words:
    """`_decode` in threads; blocks are independent, so their order of work changes nothing."""
    if num_threads == 1 or len(buffers) < 2:
        return _decode(code, buffers, iterations, backend, rule)
    shares = np.array_split(buffers, min(num_threads, len(buffers)))
    with ThreadPoolExecutor(len(shares)) as pool:
        done = list(pool.map(lambda share: _decode(code, share, iterations, backend, rule), shares))
    return Words(*(np.concatenate(part) for part in zip(*done)))


def _decode(code: LdpcCode, buffers: np.ndarray, iterations: int, backend: Backend, rule: Rule) -> Words:
    if backend == "plain":
        return plain_kernel.decode(code, _scaled(buffers, np.float32), rule, iterations)
    return kernels().decode(code, _scaled(buffers, np.dtype(backend).type), rule, iterations)


@lru_cache(maxsize=1)
def kernels() -> ModuleType:
    """The vector kernels, or plain loops where vectors do not work or SEMLINK_VECTORS=off."""
    if os.environ.get("SEMLINK_VECTORS") == "off":
        return plain_kernel
    code = LdpcCode(2, 20)
    probe = np.full((1, code.buffer_bits), np.int8(INT8_INPUT))
    probe[0, ::5] = -1
    try:
        from semlink.phy.ldpc import layered_kernel

        words = layered_kernel.decode(code, probe, BoxPlus(), 20)
    except (ImportError, NumbaError, NotImplementedError, RuntimeError) as error:
        warnings.warn(f"LDPC decoding falls back to plain loops, 20 times slower: {error}", stacklevel=2)
        return plain_kernel
    return layered_kernel if words.solved[0] and not words.hard.any() else plain_kernel


def _scaled(buffers: np.ndarray, dtype: type) -> np.ndarray:
    """LLRs as the kernels of `dtype` take them; `buffers` itself where nothing is to be done."""
    if buffers.dtype == np.int8:
        return buffers
    if dtype is np.int8:
        out = np.empty(buffers.shape, dtype)
        faulty = _to_int8(buffers, out)
    else:
        faulty, large = _survey(buffers)
        out = np.clip(buffers, -LARGEST_LLR, LARGEST_LLR) if large else buffers
    if faulty >= 0:
        raise ChannelFault(
            f"an LLR of code block {faulty} is NaN; the receiver must give numbers, 0 where it knows nothing"
        )
    return out


@compiled(nogil=True, error_model="numpy")
def _to_int8(llr, out):
    """Round to steps of 1 / INT8_UNIT; returns the first block with a NaN, or -1."""
    unit, most = np.float32(INT8_UNIT), np.float32(INT8_INPUT)
    for b in range(len(llr)):
        numbers = True
        for i in range(llr.shape[1]):
            x = llr[b, i]
            numbers &= x == x
            out[b, i] = np.int8(np.rint(min(max(x * unit, -most), most)))
        if not numbers:
            return b
    return -1


@compiled(nogil=True, error_model="numpy")
def _survey(llr):
    """The first block with a NaN, or -1, and whether any LLR is beyond LARGEST_LLR."""
    large = False
    for b in range(len(llr)):
        numbers = True
        for i in range(llr.shape[1]):
            x = llr[b, i]
            numbers &= x == x
            large |= abs(x) > LARGEST_LLR
        if not numbers:
            return b, large
    return -1, large
