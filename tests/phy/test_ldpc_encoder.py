"""Base graphs and encoding: the standard's numbers, the parity checks, another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from semlink.phy.ldpc.base_graph import LIFTING_SIZES, base_graph, choose_base_graph, lifting_size
from semlink.phy.ldpc.code import LdpcCode, lifted_edges
from semlink.phy.ldpc.encoder import encode

codes = st.one_of(
    st.builds(LdpcCode, st.just(1), st.integers(24, 8448)), st.builds(LdpcCode, st.just(2), st.integers(17, 3840))
)


@pytest.mark.source("3gpp38212", "tables 5.3.2-2 and 5.3.2-3: sizes, degrees, corner entries")
@pytest.mark.parametrize(
    ("number", "rows", "columns", "edges", "degrees"),
    [(1, 46, 68, 316, {3, 4, 5, 6, 7, 8, 9, 10, 19}), (2, 42, 52, 197, {3, 4, 5, 6, 8, 10})],
)
def test_base_graphs_have_their_shape(number, rows, columns, edges, degrees):
    graph = base_graph(number)
    assert (graph.num_rows, graph.num_columns, len(graph.rows)) == (rows, columns, edges)
    assert set(np.bincount(graph.rows).tolist()) == degrees
    # Every row beyond the core has a parity column of its own, not rotated.
    for row in range(4, rows):
        own = (graph.rows == row) & (graph.columns == graph.info_columns + row)
        assert own.sum() == 1 and not graph.shifts[:, own].any()
        assert (graph.columns == graph.info_columns + row).sum() == 1


@pytest.mark.source("3gpp38212", "table 5.3.2-1")
def test_lifting_sizes():
    assert len(LIFTING_SIZES) == 51
    assert (min(LIFTING_SIZES), max(LIFTING_SIZES)) == (2, 384)
    assert [LIFTING_SIZES[z] for z in (384, 208, 192, 7, 30)] == [1, 6, 1, 3, 7]


@pytest.mark.source("3gpp38212", "6.2.2, 7.2.2")
@pytest.mark.parametrize(
    ("num_bits", "rate", "graph"),
    [(292, 0.9, 2), (293, 0.68, 1), (293, 0.67, 2), (3824, 0.67, 2), (3825, 0.67, 1), (100_000, 0.25, 2)]
    + [(100_000, 0.26, 1), (3824, 0.671, 1)],
)
def test_choice_of_base_graph(num_bits, rate, graph):
    assert choose_base_graph(num_bits, rate) == graph


@pytest.mark.source("3gpp38212", "5.2.2")
@pytest.mark.parametrize(
    ("graph", "block_bits", "z"),
    [(1, 8448, 384), (1, 4096, 192), (1, 309, 15), (2, 3840, 384), (2, 2048, 208), (2, 640, 72), (2, 641, 72)]
    + [(2, 560, 72), (2, 561, 64), (2, 192, 32), (2, 193, 26), (2, 17, 3)],
)
def test_lifting_size_of_a_block(graph, block_bits, z):
    assert lifting_size(graph, block_bits) == z


@pytest.mark.parametrize(("graph", "block_bits"), [(1, 8449), (2, 3841), (2, 0), (1, -5)])
def test_blocks_beyond_the_graph_are_named(graph, block_bits):
    with pytest.raises(ValueError, match=f"code block of {block_bits} bits; base graph {graph} carries 1"):
        LdpcCode(graph, block_bits)


@settings(deadline=None, max_examples=30)
@given(code=codes, seed=st.integers(0, 10**6))
def test_every_parity_check_holds(code, seed):
    info = np.random.default_rng(seed).integers(0, 2, (2, code.info_bits), np.uint8)
    buffers = encode(code, info)
    head = np.zeros((2, 2 * code.z), np.uint8)
    head[:, : min(code.info_bits, 2 * code.z)] = info[:, : 2 * code.z]
    columns = np.concatenate([head, buffers], axis=1).reshape(2, -1, code.z)
    edges = lifted_edges(code.graph, code.z, code.base.info_columns - 1, code.base.num_rows)
    for row in range(edges.num_rows):
        parity = np.zeros((2, code.z), np.uint8)
        for e in range(edges.start[row], edges.start[row + 1]):
            parity ^= np.roll(columns[:, edges.columns[e]], -edges.shifts[e], axis=1)
        assert not parity.any()
    first, last = code.fillers
    assert np.array_equal(buffers[:, :first], info[:, 2 * code.z :])
    assert not buffers[:, first:last].any()


@settings(deadline=None, max_examples=20)
@given(code=codes, share=st.floats(0.05, 1), seed=st.integers(0, 10**6))
def test_a_shorter_buffer_is_the_beginning_of_the_longer(code, share, seed):
    info = np.random.default_rng(seed).integers(0, 2, (1, code.info_bits), np.uint8)
    width = max(1, int(share * code.buffer_bits))
    assert np.array_equal(encode(code, info, width), encode(code, info)[:, :width])


def _sionna_says(k: int, n: int, graph: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    ldpc = pytest.importorskip("sionna.phy.fec.ldpc")
    theirs = ldpc.LDPC5GEncoder(k, n, bg=f"bg{graph}")
    info = np.random.default_rng(seed).integers(0, 2, (2, k), np.uint8)
    code = LdpcCode(graph, k)
    first, last = code.fillers
    ours = np.delete(encode(code, info), np.s_[first:last], axis=1)[:, :n]
    assert code.z == theirs.z
    assert np.array_equal(ours, theirs(torch.from_numpy(info).float()).numpy())


def _draw(seed: int) -> tuple[int, int, int]:
    rng = np.random.default_rng(seed)
    graph = int(rng.integers(1, 3))
    k = int(rng.integers(309, 8449) if graph == 1 else rng.integers(17, 3841))
    rate = rng.uniform(0.34 if graph == 1 else 0.21, 0.92)
    return k, int(k / rate), graph


@pytest.mark.parametrize(
    ("k", "n", "graph"), [(100, 300, 2), (309, 500, 1), (45, 60, 2), (640, 2000, 2), (520, 1500, 1)]
)
def test_small_codewords_are_sionnas(k, n, graph):
    _sionna_says(k, n, graph, seed=k)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_random_codewords_are_sionnas(seed):
    _sionna_says(*_draw(seed), seed)
