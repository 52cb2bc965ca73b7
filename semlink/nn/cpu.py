"""How networks run on a processor: threads, and where bf16 pays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch


@cache
def bf16_pays() -> bool:
    """Whether this CPU multiplies bf16 in hardware."""
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread meanwhile: sums in one order, so the last bits are the same on every machine of a kind."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
