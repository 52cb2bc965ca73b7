"""Starting up: kernels come from disk, and nothing heavy comes along."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from semlink.phy.qam import demap, map_bits
from semlink.phy.coding.transport_block import TransportBlock
block = TransportBlock(2024, 3072, 4, 2 / 3)
bits = np.zeros((1, 2024), np.uint8)
bits[0, ::3] = 1
for decoded in (
    block.decode(demap(map_bits(block.encode(bits), 4), 0.1, 4)),
    block.decode_symbols(block.encode_symbols(bits), 0.1),
):
    assert decoded.ok.all() and np.array_equal(decoded.bits, bits)
parts = [vars(module) for name, module in list(sys.modules.items()) if name.startswith("semlink.")]
kernels = {id(it): it.stats for part in parts for it in part.values() if isinstance(it, Dispatcher)}.values()
told = {
    "found": sum(sum(stats.cache_hits.values()) for stats in kernels),
    "compiled": sum(sum(stats.cache_misses.values()) for stats in kernels),
    "heavy": [name for name in ("sionna", "torch", "matplotlib", "tensorflow") if name in sys.modules],
}
print(json.dumps(told))
"""

AT_ONCE = """
import sys, threading
import numpy as np
from semlink.phy.ldpc import encoder
from semlink.phy.ldpc.code import LdpcCode
together, told = threading.Barrier(3), []
info = np.random.default_rng(1).integers(0, 2, (2, 500), np.uint8)
def work():
    together.wait()
    told.append(encoder.encode(LdpcCode(2, 500), info).tobytes().hex())
print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
work()
for thread in threads:
    thread.join()
assert len(told) == 3
print(*set(told), sum(encoder._encode.stats.cache_hits.values()))
"""


def first_block(**environment: str) -> dict:
    """How many kernels were found and how many compiled until the first block is decoded, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_second_process_compiles_nothing_and_loads_no_torch_or_sionna():
    first_block()
    second = first_block()
    assert second["found"] >= 5 and second["compiled"] == 0 and second["heavy"] == []


@pytest.mark.slow
def test_kernels_are_kept_apart_by_what_they_are_made_of(tmp_path):
    """The width of the vectors is part of the key; so is the text of the files that make the kernel."""
    folder = str(tmp_path)
    fresh = first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="32")
    assert fresh["compiled"] >= 5 and not fresh["found"]
    assert first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="16")["compiled"]
    assert first_block(NUMBA_CACHE_DIR=folder, SEMLINK_VECTORS="32")["compiled"] == 0


@pytest.mark.slow
def test_processes_and_threads_that_all_start_cold_at_once_fail_nowhere(tmp_path):
    """Each compiles, or finds what another has just kept; at the end all is there, and nothing half-written."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)

    def told(processes: int) -> list[list[str]]:
        begun = [
            subprocess.Popen([sys.executable, "-c", AT_ONCE], env=environment, text=True, **pipes)
            for _ in range(processes)
        ]
        assert [process.stdout.readline() for process in begun] == ["ready\n"] * processes
        for process in begun:
            process.stdin.write("go\n")
            process.stdin.flush()
        heard = [process.communicate(timeout=300) for process in begun]
        assert [(process.returncode, fault) for process, (_, fault) in zip(begun, heard, strict=True)] == [
            (0, "")
        ] * processes
        return [out.split() for out, _ in heard]

    first = told(4)
    assert not list(tmp_path.rglob("*.tmp.*"))
    (last,) = told(1)
    assert {code for code, _ in first} == {last[0]} and last[1] == "1"
