"""The short ways, from the encoder's buffers to symbols and from symbols to int8, give what the long ones give."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from semlink.errors import ChannelFault
from semlink.payload import Received
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.transport_block import Decoded, TransportBlock
from semlink.phy.ldpc import decoder
from semlink.phy.ldpc.decoder import decode_blocks
from semlink.phy.qam import demap, demap_rows, map_bits
from semlink.units import from_db, to_db

# Payload bits, coded bits by symbol and rate: sizes that fill no block of 64 symbols, one code block and three.
SIZES = ((24, 0.3), (101, 0.5), (640, 0.2), (2024, 0.66), (9000, 0.7))


def heard(block: TransportBlock, batch: int, margin_db: float, rng, rv: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Symbols over noise that differs from one to the next, a twentieth never received, and all of the first block."""
    order = block.bits_per_symbol
    iq = map_bits(block.encode(rng.integers(0, 2, (batch, block.num_bits), np.uint8), rv=rv), order)
    snr_db = to_db(2 ** (order * block.num_bits / block.num_coded) - 1) + margin_db + rng.uniform(-6, 6, iq.shape)
    noise_var = from_db(-snr_db).astype(np.float32)
    noise = rng.standard_normal((*iq.shape, 2)).astype(np.float32).view(np.complex64)[..., 0]
    iq = (iq + np.sqrt(noise_var / 2) * noise).astype(np.complex64)
    noise_var[rng.random(iq.shape) < 0.05] = np.inf
    if batch > 1:
        noise_var[0] = np.inf
    return iq, noise_var


def same(one: Decoded, other: Decoded) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other)))


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from((1, 2, 4, 6, 8, 10)),
    st.sampled_from(SIZES),
    st.sampled_from(("auto", "int8", "float32")),
    st.sampled_from(("exact", "max-log")),
    st.integers(0, 3),
    st.integers(1, 9),
    st.floats(0, 6),
    st.integers(0, 10**6),
)
def test_the_short_ways_are_as_the_long_ones(order, size, backend, demapper, rv, batch, margin_db, seed):
    """Decisions, verdicts and iterations, for every modulation, sent once and (640 bits, BPSK to 256-QAM) repeated."""
    num_bits, rate = size
    num_coded = -(-int((num_bits + 24) / rate) // order) * order
    block = TransportBlock(num_bits, num_coded, order, rate, backend=backend, num_threads=1 + seed % 2)
    bits = np.random.default_rng(seed).integers(0, 2, (batch, num_bits), np.uint8)
    assert np.array_equal(block.encode_symbols(bits, rv=rv), map_bits(block.encode(bits, rv=rv), order))
    iq, noise_var = heard(block, batch, margin_db, np.random.default_rng(seed), rv)
    through_floats = block.decode(demap(iq, noise_var, order, demapper=demapper), rv=rv)
    assert same(block.decode_symbols(iq, noise_var, demapper=demapper, rv=rv), through_floats)


def test_blocks_that_int8_leaves_are_decoded_again_in_float32():
    """And give more words than int8 alone."""
    block = TransportBlock(2024, 3072, 4, 2 / 3)
    iq, noise_var = heard(block, 40, 2.5, np.random.default_rng(3))
    decoded, hasty = block.decode_symbols(iq, noise_var), TransportBlock(2024, 3072, 4, 2 / 3, backend="int8")
    left = ~hasty.decode_symbols(iq, noise_var).solved[:, 0]
    assert (~decoded.solved).sum() < left.sum() < 30
    assert (decoded.iterations[left, 0] > 20).sum() == left.sum() - 1  # nothing is made of the silent one
    assert (decoded.iterations[~left, 0] <= 20).all()


def test_repeated_bits_are_summed_as_floats():
    """More coded bits than the circular buffer holds."""
    block = TransportBlock(96, 1200, 4, 0.2)
    iq, noise_var = heard(block, 9, -3, np.random.default_rng(4))
    assert same(block.decode_symbols(iq, noise_var), block.decode(demap(iq, noise_var, 4)))


@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 257, 700])
def test_rows_are_demapped_as_among_all_others(order, length):
    """Symbols share a way of summing with those of their block of 64, be they of another row."""
    rng = np.random.default_rng(length)
    iq = (rng.standard_normal((37, length)) + 1j * rng.standard_normal((37, length))).astype(np.complex64)
    noise_var = from_db(-rng.uniform(10, 22, iq.shape)).astype(np.float32)
    whole = demap(iq, noise_var, order)
    for rows in ([], [0], [36], [3, 4, 36], [35, 36], list(range(0, 37, 2))):
        found = demap_rows(iq, noise_var, order, np.array(rows, np.int64), demapper="exact")
        assert np.array_equal(found, whole[rows])
    assert np.array_equal(demap_rows(iq, 0.1, order, np.array([5]), demapper="exact")[0], demap(iq, 0.1, order)[5])


@pytest.mark.parametrize("fault", [np.nan, np.inf, 3e38])
def test_a_symbol_that_is_no_number_is_named(fault):
    block = TransportBlock(96, 240, 4, 0.5)
    iq = map_bits(block.encode(np.zeros((3, 96), np.uint8)), 4)
    iq[1, 7] = fault
    with pytest.raises(ChannelFault, match="symbol 67 to demap"):
        block.decode_symbols(iq, 0.1)
    with pytest.raises(ValueError, match="noise variance is -1"):
        block.decode_symbols(iq, -1.0)
    with pytest.raises(ValueError, match=r"symbols of shape \(3, 59\)"):
        block.decode_symbols(iq[:, :-1], 0.1)


def test_a_coding_receives_through_int8(monkeypatch):
    """What a receiver calls makes no float of an LLR at a good SNR, and believes no zeros that nobody sent."""
    coding, uses = LdpcCoding(4, 0.5), 3000
    sizes = coding.block_sizes(uses)
    blocks = [bytes(range(1, 1 + size % 200)).ljust(size, b"x") for size in sizes]
    iq = coding.send(blocks, uses).payload.iq
    seen = []
    monkeypatch.setattr(decoder, "_to_int8", lambda llr, out: seen.append(llr) or -1)
    assert coding.receive(Received(iq, torch.full(iq.shape, 0.05))) == tuple(blocks)
    assert coding.receive(Received(iq, torch.full(iq.shape, torch.inf))) == (None,) * len(blocks)
    assert not seen


def test_int8_buffers_are_for_int8():
    block = TransportBlock(96, 240, 4, 0.5)
    code, buffers = block.segments.code, np.random.default_rng(0).integers(-30, 31, (9, 200), np.int8)
    buffers[:4] = np.abs(buffers[:4])  # a word of zeros
    floats = buffers.astype(np.float32) / decoder.INT8_SCALE[0]
    for one, other in zip(decode_blocks(code, buffers, backend="int8"), decode_blocks(code, floats, backend="int8")):
        assert np.array_equal(one, other)
    for backend in ("auto", "float32", "plain", "sionna"):
        with pytest.raises(ValueError, match=f"backend is '{backend}' and buffers are int8"):
            decode_blocks(code, buffers, backend=backend)
