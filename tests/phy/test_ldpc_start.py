"""Starting up: kernels come from disk, and nothing heavy comes along."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, time
import numpy as np
from semlink.phy.qam import demap, map_bits
from semlink.phy.coding.transport_block import TransportBlock
start = time.process_time()
block = TransportBlock(2024, 3072, 4, 2 / 3)
bits = np.zeros((1, 2024), np.uint8)
bits[0, ::3] = 1
for decoded in (
    block.decode(demap(map_bits(block.encode(bits), 4), 0.1, 4)),
    block.decode_symbols(block.encode_symbols(bits), 0.1),
):
    assert decoded.ok.all() and np.array_equal(decoded.bits, bits)
heavy = [name for name in ("sionna", "torch", "matplotlib", "tensorflow") if name in sys.modules]
print(json.dumps({"seconds": time.process_time() - start, "heavy": heavy}))
"""


def first_block(**environment: str) -> dict:
    """CPU seconds from the end of the imports to the first decoded block, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_second_process_starts_within_half_a_second_and_without_torch_or_sionna():
    first_block()
    second = first_block()
    assert second["seconds"] < 0.5
    assert second["heavy"] == []


@pytest.mark.slow
def test_compiling_everything_takes_seconds_once(tmp_path):
    folder = str(tmp_path)
    fresh, cached = first_block(NUMBA_CACHE_DIR=folder), first_block(NUMBA_CACHE_DIR=folder)
    assert fresh["seconds"] < 20
    assert cached["seconds"] < min(0.5, fresh["seconds"] / 5)


@pytest.mark.slow
def test_kernels_are_kept_apart_by_what_they_are_made_of(tmp_path):
    """The width of the vectors is part of the key; so is the text of the files that make the kernel."""
    folder = str(tmp_path)
    first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="32")
    assert first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="16")["seconds"] > 1
    assert first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="32")["seconds"] < 0.5
