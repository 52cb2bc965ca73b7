"""Decoding: the kernels against plain loops, laws of decoding, error rates beside sum-product."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from numba import njit

from semlink.errors import ChannelFault
from semlink.link.validate.measures.coded_link import CodedLink
from semlink.phy.coding.mcs_tables import mcs_table
from semlink.phy.ldpc import layered_kernel as ldpc_layered, plain_kernel as ldpc_plain
from semlink.phy.ldpc.check_rules import EXACT_DEGREE
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.decoder import BACKENDS, RULES, decode_blocks, kernels
from semlink.seeds import Seeds

OWN = [backend for backend in BACKENDS if backend != "sionna"]
LINK = CodedLink(600, 1200)


def same_words(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def awkward(rng: np.random.Generator, mean: float, shape: tuple[int, int]) -> np.ndarray:
    """LLRs float32 of which some are faint, some huge, some zero, and some zeros have a minus."""
    llr = rng.normal(mean, 2, shape)
    draw = rng.random(shape)
    llr *= np.select([draw < 0.05, draw < 0.1, draw < 0.12], [0.0, 10.0 ** -rng.integers(1, 40, shape), 1e5], 1.0)
    return llr.astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    graph=st.sampled_from([1, 2]),
    size=st.floats(0, 1),
    share=st.floats(0.2, 1),
    mean=st.floats(0, 3),
    rule=st.sampled_from(sorted(RULES)),
    dtype=st.sampled_from([np.int8, np.float32]),
    seed=st.integers(0, 10**6),
)
@example(graph=1, size=0.0, share=0.25, mean=1.0, rule="box-plus", dtype=np.float32, seed=0)
@example(graph=2, size=0.0, share=0.2, mean=0.0, rule="box-plus", dtype=np.float32, seed=1)
def test_vectors_give_the_bits_of_plain_loops(graph, size, share, mean, rule, dtype, seed):
    code = LdpcCode(graph, int(17 * (8448 / 17) ** (size * (1 if graph == 1 else 0.87))))
    rng = np.random.default_rng(seed)
    llr = awkward(rng, mean, (2, max(1, int(share * code.buffer_bits))))
    llr = np.rint(np.clip(4 * llr, -30, 30)).astype(np.int8) if dtype is np.int8 else llr
    assert kernels() is ldpc_layered
    fast = ldpc_layered.decode(code, llr, RULES[rule], 5)
    assert same_words(fast, ldpc_plain.decode(code, llr, RULES[rule], 5))


@njit
def answers_of(rule, inputs):
    """What a check of the plain loops tells its bits: as many as `inputs`."""
    answers = np.empty_like(inputs)
    ldpc_plain._answer(rule, inputs, len(inputs), answers)
    return answers


@settings(deadline=None, max_examples=60)
@given(
    degree=st.integers(2, 19),
    rule=st.integers(0, 2),
    mean=st.floats(0, 3),
    whole=st.booleans(),
    seed=st.integers(0, 99),
)
def test_an_answer_is_no_stronger_than_the_weakest_other_bit_and_has_the_sign_of_all_others(
    degree, rule, mean, whole, seed
):
    """So nothing is said where one of the others knows nothing, be its zero plus or minus."""
    inputs = awkward(np.random.default_rng(seed), mean, (1, degree))[0]
    inputs = np.rint(np.clip(4 * inputs, -128, 127)).astype(np.int32) if whole else inputs
    answers = answers_of(rule, inputs)
    for j, answer in enumerate(answers):
        others = np.delete(inputs, j)
        if degree > EXACT_DEGREE or rule > 0:
            weakest = np.partition(abs(inputs), 1)[0 if abs(inputs[j]) > abs(inputs).min() else 1]
        else:
            weakest = abs(others).min()
        assert abs(answer) <= weakest
        assert answer * np.prod(np.sign(others)) >= 0


@pytest.mark.parametrize("backend", OWN)
@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_single_bit_error_is_corrected(backend, rule):
    link = CodedLink(100, 200)
    bits, wire = link.coded(1, np.random.default_rng(0))
    flipped = np.repeat(wire, link.n, axis=0) ^ np.eye(link.n, dtype=np.uint8)
    words = decode_blocks(link.code, link.buffers(3.0 - 6.0 * flipped), backend=backend, rule=rule)
    assert np.array_equal(words.hard, np.repeat(bits, link.n, axis=0))
    assert words.solved.all()


@pytest.mark.parametrize("backend", OWN)
@pytest.mark.parametrize(("k", "n"), [(17, 40), (292, 400), (1000, 3000), (2048, 3072), (8448, 9600)])
def test_clean_blocks_take_one_iteration_at_any_amplitude(backend, k, n):
    link = CodedLink(k, n)
    bits, wire = link.coded(2, np.random.default_rng(k))
    for amplitude in (5.0, 50.0, 1e4, np.inf):
        llr = np.where(wire == 0, np.float32(amplitude), np.float32(-amplitude))
        words = decode_blocks(link.code, link.buffers(llr), backend=backend)
        assert np.array_equal(words.hard, bits) and words.solved.all()
        assert (words.used == 1).all()


def test_erasures_are_filled_in():
    bits, wire = LINK.coded(50, np.random.default_rng(1))
    llr = (8.0 - 16.0 * wire) * (np.random.default_rng(2).random(wire.shape) > 0.4)
    for backend in OWN:
        assert np.array_equal(decode_blocks(LINK.code, LINK.buffers(llr), backend=backend).hard, bits)


def test_batches_threads_and_repetition_change_nothing():
    _, buffers = LINK.heard(37, LINK.es_n0_db(1.4), Seeds(3))
    for backend in ("auto", "int8", "float32"):
        whole = decode_blocks(LINK.code, buffers, backend=backend)
        assert same_words(whole, decode_blocks(LINK.code, buffers, backend=backend))
        assert same_words(whole, decode_blocks(LINK.code, buffers, backend=backend, num_threads=3))
        halves = [decode_blocks(LINK.code, part, backend=backend) for part in (buffers[:10], buffers[10:])]
        assert same_words(whole, [np.concatenate(pair) for pair in zip(*halves)])


def test_input_is_not_changed_and_may_be_strided():
    _, buffers = LINK.heard(8, 2.0, Seeds(4))
    before = buffers.copy()
    strided = decode_blocks(LINK.code, buffers[::2])
    assert np.array_equal(buffers, before)
    assert same_words(strided, decode_blocks(LINK.code, buffers[::2].copy()))


def test_solved_words_are_codewords_and_auto_solves_more():
    bits, buffers = LINK.heard(400, LINK.es_n0_db(1.0), Seeds(5))
    words = {backend: decode_blocks(LINK.code, buffers, backend=backend) for backend in ("int8", "float32", "auto")}
    for word in words.values():
        # A short-cut to a wrong codeword is far rarer than a failure.
        assert (word.hard[word.solved] != bits[word.solved]).any(axis=1).sum() <= 2
        assert (word.used[~word.solved] >= 20).all()
    assert (words["auto"].solved >= words["int8"].solved).all()
    assert words["auto"].solved.sum() > words["int8"].solved.sum()


def test_iterations_fall_with_snr():
    heard = [LINK.heard(100, LINK.es_n0_db(x), Seeds(6, trial=n))[1] for n, x in enumerate((1.5, 2.5, 4, 8))]
    mean = [decode_blocks(LINK.code, buffers).used.mean() for buffers in heard]
    assert mean == sorted(mean, reverse=True)


@pytest.mark.source("hoydis2022sionna", "sum-product, 20 flooding iterations, measured: .160, .046, .012")
@pytest.mark.parametrize(("snr_db", "sum_product"), [(9.00, 0.160), (9.15, 0.046), (9.30, 0.012)])
@pytest.mark.parametrize("backend", ["int8", "float32", "auto"])
def test_error_rate_is_below_sum_product_with_flooding(backend, snr_db, sum_product):
    """16-QAM, k=2048 n=3072: the upper end of the 99.9 % interval lies below."""
    link, blocks = CodedLink(2048, 3072, 4), 1500
    bits, buffers = link.heard(blocks, snr_db, Seeds(7))
    errors = (decode_blocks(link.code, buffers, backend=backend).hard != bits).any(axis=1).sum()
    assert errors + 3.3 * math.sqrt(errors + 1) + 3 < blocks * sum_product


@pytest.mark.parametrize("table", [1, 2])
@pytest.mark.parametrize("backend", ["int8", "float32"])
def test_llr_scaling_holds_from_low_to_high_snr(backend, table):
    """At every SNR the boldest scheme of at most 72 % of capacity gets through."""
    for snr_db in range(-5, 31, 5):
        capacity = math.log2(1 + 10 ** (snr_db / 10))
        fitting = [m for m in mcs_table(table) if m.efficiency < 0.72 * capacity]
        row = max(fitting, key=lambda m: m.efficiency)
        link = CodedLink(
            1200, int(1200 / row.rate / row.bits_per_symbol + 1) * row.bits_per_symbol, row.bits_per_symbol
        )
        for extra_db in (0.0, 12.0):
            bits, buffers = link.heard(25, snr_db + extra_db, Seeds(8, trial=snr_db + 5))
            assert np.array_equal(decode_blocks(link.code, buffers, backend=backend).hard, bits), (snr_db, row)


def test_sionna_decodes_the_same_blocks():
    pytest.importorskip("sionna.phy")
    bits, buffers = LINK.heard(24, LINK.es_n0_db(2.4), Seeds(9))
    words = decode_blocks(LINK.code, buffers, backend="sionna")
    assert np.array_equal(words.hard, bits) and words.solved.all() and (words.used == 20).all()


@pytest.mark.parametrize(
    ("settings_", "error", "words"),
    [
        ({"backend": "gpu"}, ValueError, "LDPC backend is 'gpu'; allowed: auto, float32, int8, plain, sionna"),
        ({"rule": "min"}, ValueError, "LDPC rule is 'min'; allowed: box-plus, normalised, offset"),
        ({"iterations": 0}, ValueError, "0 LDPC iterations; need at least 1"),
        ({"num_threads": 0}, ValueError, "0 LDPC threads; need at least 1"),
    ],
)
def test_bad_settings_are_named(settings_, error, words):
    with pytest.raises(error, match=words):
        decode_blocks(LINK.code, np.zeros((1, 100), np.float32), **settings_)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_is_refused_and_its_block_named(backend):
    buffers = np.ones((3, 100), np.float32)
    buffers[1, 7] = np.nan
    with pytest.raises(ChannelFault, match="LLR of code block 1 is NaN"):
        decode_blocks(LINK.code, buffers, backend=backend)


SCRIPT = """
import hashlib, numpy as np
from semlink.phy.ldpc.decoder import decode_blocks, kernels
from semlink.seeds import Seeds
from semlink.phy.ldpc.code import LdpcCode
digest = hashlib.sha256()
for graph, bits, width in ((2, 500, 1100), (1, 1000, 2200)):
    llr = np.random.default_rng(1).normal(1.5, 2.0, (10, width)).astype(np.float32)
    for backend in ("int8", "float32"):
        for part in decode_blocks(LdpcCode(graph, bits), llr, backend=backend):
            digest.update(part.tobytes())
print(kernels().__name__, digest.hexdigest())
"""


def _run(vectors: str | None) -> list[str]:
    environment = dict(os.environ) | ({"SEMLINK_VECTORS": vectors} if vectors else {})
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_loops_are_used_where_vectors_are_switched_off():
    (fast, expected), (plain, digest) = _run(None), _run("off")
    assert (fast, plain) == ("semlink.phy.ldpc.layered_kernel", "semlink.phy.ldpc.plain_kernel")
    assert digest == expected


@pytest.mark.slow
@pytest.mark.parametrize("vector_bytes", ["16", "32", "64"])
def test_vectors_of_any_width_give_the_same_bits(vector_bytes):
    assert _run(vector_bytes) == _run(None)
