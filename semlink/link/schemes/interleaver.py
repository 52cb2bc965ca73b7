"""Permutations that both ends know: symbols that stood side by side are apart on the air."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)
def interleaver(root: int, length: int) -> np.ndarray:
    """The permutation of `length` places that follows from `root`, a scheme's own number."""
    sequence = np.random.SeedSequence(root, spawn_key=(length,))
    return np.random.Generator(np.random.Philox(sequence)).permutation(length)
