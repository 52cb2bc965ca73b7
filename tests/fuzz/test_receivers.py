"""No receiver raises, gives frames that are none, or takes long, whatever damage reaches it behind the checksums.

More of it, with other seeds: `FUZZ_CASES=20000 FUZZ_SEED=7 pytest -m slow tests/fuzz/test_receivers.py -k softcast`.
"""

from __future__ import annotations

import itertools
import os
import random
from functools import cache

import numpy as np
import pytest
import torch
from receivers import CHEAP, SCHEMES, Receiver, check, damage_by, receiver

from semlink.codecs.analogue.chunk_map import read_map, write_map
from semlink.codecs.analogue.softcast import SoftCast
from semlink.codecs.entropy.binary_arithmetic import BitReader, BitWriter
from semlink.link.schemes.camera import Camera
from semlink.link.schemes.measurements.scheme import ProjectionsView
from semlink.payload import Frames, FrameShape
from semlink.sensing.block_cs.multi_hypothesis import MultiHypothesisReconstructor
from semlink.sensing.block_cs.sampler import BlockSampler

CASES = int(os.environ.get("FUZZ_CASES", "200"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
FAILED = {
    "semantic": ("0-semantic-1",),
    "semantic-readings": ("1-semantic-readings-30", "1-semantic-readings-3"),
    "softcast": ("1-softcast-12",),
}
"""Seeds of damage that once raised, gave frames that were none, or took seconds."""
PATIENCE_S = 100.0
"""Of CPU time, for 64 x 64 pixels, beside half a minute in which kernels are compiled; what took long took minutes."""


@cache
def built(name: str) -> Receiver:
    return receiver(name)


def meet(name: str, seed: str) -> None:
    frames, seconds = built(name).frames(damage_by(random.Random(seed)))
    check(frames, built(name).shape)
    assert seconds < PATIENCE_S


@pytest.mark.parametrize("name", [*CHEAP, "semantic"])
def test_a_few_damaged_blocks_give_frames(name):
    for seed in (*FAILED.get(name, ()), *(f"0-{name}-{n}" for n in range(8))):
        meet(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_damaged_blocks_give_frames(name):
    count = CASES if name in CHEAP or "FUZZ_CASES" in os.environ else CASES // 4
    for seed in (*FAILED.get(name, ()), *(f"{SEED}-{name}-{n}" for n in range(count))):
        meet(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_damage_costs_no_more_than_a_whole_clip(name):
    """In turns with blocks of which one bit is wrong: those are none that a receiver remembers."""
    rng, number = random.Random(f"{SEED}-cost-{name}"), itertools.count()

    def hardly(block: bytes, at: int) -> bytes:
        return block if at else block[:-1] + bytes([block[-1] ^ (1 << next(number) % 8)])

    built(name).frames(hardly)  # loads and compiles
    seconds = [(built(name).frames(hardly)[1], built(name).frames(damage_by(rng))[1]) for _ in range(8)]
    whole, damaged = (sorted(each) for each in zip(*seconds, strict=True))
    assert damaged[-1] < 2 * whole[-1] + 0.1, (whole, damaged)


def test_the_compiled_reader_reads_what_was_written():
    rng = np.random.default_rng(4)
    for top in (1, 3, 17, 63):
        levels = np.minimum(rng.geometric(1 / (1 + top / 4), (3, 9, 11)) - 1, top)
        writer = BitWriter()
        write_map(levels, writer)
        writer.put_number(5, 3)
        reader = BitReader(writer.finish())
        np.testing.assert_array_equal(read_map(levels.shape, reader), levels)
        assert reader.get_number(3) == 5, "and stands behind the map"


def test_no_map_of_a_large_clip_takes_long():
    """256 x 256 x 16 in the smallest chunks: 65,536 levels of up to 63 questions each."""
    import time

    codec, rng = SoftCast(), random.Random(3)
    for data in (b"\xff" * 400, bytes(400), rng.randbytes(400)):
        began = time.process_time()
        codec.decode(bytes([data[0] | 0xE0]) + data, np.zeros(2000), np.full(2000, 0.1), (16, 256, 256), noise_var=0.1)
        assert time.process_time() - began < PATIENCE_S


@pytest.mark.parametrize("read", [3e19, -3e19, np.inf, np.nan])
def test_readings_that_no_scene_gives_become_frames(read):
    """Their squares are beyond float32, and a reconstruction by least squares made them NaN."""
    sampler = BlockSampler(0.1, 0.5, 8, None, 0)
    view = ProjectionsView(Camera(sampler, MultiHypothesisReconstructor(sampler)))
    shape = FrameShape(4, 32, 32)
    places = len(view.arrangement(shape).order)
    values = np.where(np.random.default_rng(1).random(places) < 0.5, read, 0.1).astype(np.float32)
    frames = view.restored(Frames(torch.from_numpy(values)[None, None, None]), shape)
    check(frames.pixels[0].numpy(), (4, 32, 32))
