"""Transport blocks: the standard's numbers, round trips over lengths, another implementation, HARQ."""

from __future__ import annotations

import contextlib
import io
import math
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from semlink.errors import ChannelFault, Infeasible, SemlinkError
from semlink.phy.coding.crc import attach_crc, check_crc, crc_length, crc_remainder
from semlink.phy.coding.rate_matching import sent_positions
from semlink.phy.coding.scrambling import gold_sequence, scrambling_state
from semlink.phy.coding.segmentation import segment
from semlink.phy.coding.transport_block import TransportBlock
from semlink.phy.ldpc.code import LdpcCode
from semlink.phy.ldpc.encoder import encode
from semlink.phy.qam import demap, map_bits
from semlink.units import noise_var_from_snr


def random_bits(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape, np.uint8)


def block_of(num_bits: int, rate: float, order: int, **options) -> TransportBlock:
    """A transport block whose coded bits meet the target rate, CRCs included."""
    segments = segment(num_bits, rate)
    total = segments.num_blocks * segments.code.info_bits
    num_symbols = math.ceil(total / rate / order / segments.num_blocks) * segments.num_blocks
    return TransportBlock(num_bits, num_symbols * order, order, rate, **options)


def over_the_air(block: TransportBlock, wire: np.ndarray, snr_db: float, seed: int) -> np.ndarray:
    noise_var = noise_var_from_snr(snr_db)
    iq = map_bits(wire, block.bits_per_symbol)
    pairs = np.random.default_rng(seed).standard_normal((*iq.shape, 2), dtype=np.float32)
    heard = iq + (pairs * np.float32(math.sqrt(noise_var / 2))).view(np.complex64)[..., 0]
    return demap(heard, noise_var, block.bits_per_symbol)


def long_division(bits: np.ndarray, length: int, polynomial: int) -> int:
    """Remainder of bits * D^length, one bit at a time on Python integers."""
    value = int("".join(map(str, bits)), 2) << length
    generator = 1 << length | polynomial
    while value.bit_length() > length:
        value ^= generator << (value.bit_length() - length - 1)
    return value


@pytest.mark.source("3gpp38212", "5.1: generator polynomials")
@pytest.mark.parametrize(
    ("name", "length", "powers"),
    [("16", 16, {12, 5, 0}), ("24a", 24, {23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0}), ("24b", 24, {23, 6, 5, 1, 0})],
)
def test_crc_is_the_remainder_of_a_division(name, length, powers):
    for n in (1, 7, 8, 9, 33, 1000):
        bits = random_bits(n, seed=n)
        bits[0] = 1
        assert int(crc_remainder(bits, name)) == long_division(bits, length, sum(1 << p for p in powers))
    assert crc_length(name) == length


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 300), seed=st.integers(0, 10**6), name=st.sampled_from(["16", "24a", "24b"]))
def test_crc_sees_every_burst_of_its_length(n, seed, name):
    word = attach_crc(random_bits(2, n, seed=seed), name)
    assert check_crc(word, name).all()
    rng = np.random.default_rng(seed)
    start = rng.integers(0, word.shape[1])
    burst = random_bits(min(crc_length(name), word.shape[1] - start), seed=seed + 1)
    burst[0] = 1
    word[1, start : start + len(burst)] ^= burst
    assert check_crc(word, name).tolist() == [True, False]


@pytest.mark.source("3gpp38211", "5.2.1")
def test_gold_sequence_follows_its_recursion():
    c_init, length = scrambling_state(12345, 678), 500
    x1, x2 = [1] + [0] * 30, [c_init >> i & 1 for i in range(31)]
    for n in range(length + 1600):
        x1.append(x1[n + 3] ^ x1[n])
        x2.append(x2[n + 3] ^ x2[n + 2] ^ x2[n + 1] ^ x2[n])
    expected = [x1[n + 1600] ^ x2[n + 1600] for n in range(length)]
    assert gold_sequence(c_init, length).tolist() == expected
    assert np.array_equal(gold_sequence(c_init, 77), gold_sequence(c_init, length)[:77])


@pytest.mark.source("3gpp38212", "5.2.2, 6.2, 7.2: CRC lengths and code blocks")
@pytest.mark.parametrize(
    ("num_bits", "rate", "graph", "crc_bits", "num_blocks", "info_bits"),
    [
        (24, 0.5, 2, 16, 1, 40),
        (292, 0.9, 2, 16, 1, 308),
        (3824, 0.67, 2, 16, 1, 3840),
        (3824, 0.7, 1, 16, 1, 3840),
        (3840, 0.7, 1, 24, 1, 3864),
        (8424, 0.5, 1, 24, 1, 8448),
        (8456, 0.5, 1, 24 + 2 * 24, 2, 4264),
        (20496, 0.5, 1, 24 + 3 * 24, 3, 6864),
        (3840, 0.25, 2, 24 + 2 * 24, 2, 1956),
        (20496, 0.2, 2, 24 + 6 * 24, 6, 3444),
    ],
)
def test_segmentation(num_bits, rate, graph, crc_bits, num_blocks, info_bits):
    segments = segment(num_bits, rate)
    assert (segments.code.graph, segments.crc_bits, segments.num_blocks) == (graph, crc_bits, num_blocks)
    assert (segments.code.info_bits, segments.padding) == (info_bits, 0)


@pytest.mark.source("3gpp38212", "table 5.4.2.1-2")
@pytest.mark.parametrize(("graph", "starts"), [(1, (0, 17, 33, 56)), (2, (0, 13, 25, 43))])
def test_redundancy_versions_start_where_the_standard_says(graph, starts):
    code = LdpcCode(graph, {1: 22, 2: 10}[graph] * 208)
    assert code.fillers[0] == code.fillers[1]
    assert [int(sent_positions(code, 64, 1, rv)[0]) for rv in range(4)] == [208 * column for column in starts]


@pytest.mark.source("3gpp38212", "5.4.2.2")
def test_interleaving_deals_the_first_bits_to_the_best_places():
    code = LdpcCode(2, 640)
    plain = sent_positions(code, 24, 1, 0)
    assert sent_positions(code, 24, 4, 0).reshape(6, 4).T.reshape(-1).tolist() == plain.tolist()


@settings(deadline=None, max_examples=60)
@given(
    num_bits=st.integers(1, 12_000),
    rate=st.floats(0.08, 0.9),
    order=st.sampled_from([1, 2, 4, 6, 8]),
    rv=st.sampled_from([0, 3]),
    seed=st.integers(0, 10**6),
)
def test_round_trip_over_lengths(num_bits, rate, order, rv, seed):
    """Versions 0 and 3 can be decoded by themselves."""
    rate = rate if rv == 0 else min(rate, 0.4)
    block = block_of(num_bits, rate, order)
    bits = random_bits(2, num_bits, seed=seed)
    wire = block.encode(bits, rv=rv)
    assert wire.shape == (2, block.num_coded) and set(np.unique(wire)) <= {0, 1}
    decoded = block.decode(np.where(wire == 0, 10.0, -10.0).astype(np.float32), rv=rv)
    assert np.array_equal(decoded.bits, bits)
    assert decoded.ok.all() and decoded.block_ok.all()
    assert decoded.block_ok.shape == decoded.iterations.shape == (2, block.num_blocks)
    assert block.num_bits + block.crc_bits + block.parity_bits == block.num_coded
    assert block.parity_bits > 0


def _sionna_says(num_bits: int, num_coded: int, rate: float, order: int, n_rnti: int, n_id: int) -> None:
    torch = pytest.importorskip("torch")
    nr = pytest.importorskip("sionna.phy.nr")
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = nr.TBEncoder(num_bits, num_coded, rate, order, n_rnti=n_rnti, n_id=n_id)
    assert theirs.k_padding == 0, "choose a size that 38.214 grants"
    block = TransportBlock(num_bits, num_coded, order, rate, n_rnti=n_rnti, n_id=n_id)
    bits = random_bits(2, num_bits, seed=num_bits)
    assert np.array_equal(block.encode(bits), theirs(torch.from_numpy(bits).float()).numpy())


@pytest.mark.parametrize(
    ("num_bits", "num_coded", "rate", "order"), [(24, 200, 0.2, 2), (320, 480, 0.8, 4), (1032, 1800, 0.6, 6)]
)
def test_short_blocks_are_sionnas(num_bits, num_coded, rate, order):
    _sionna_says(num_bits, num_coded, rate, order, n_rnti=1, n_id=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_bits", "num_coded", "rate", "order"),
    [(2024, 3072, 0.66, 4), (8456, 9800, 0.87, 8), (20496, 41000, 0.5, 4), (42016, 60000, 0.7, 6)],
)
def test_long_blocks_are_sionnas(num_bits, num_coded, rate, order):
    _sionna_says(num_bits, num_coded, rate, order, n_rnti=4321, n_id=765)


@pytest.mark.parametrize(("k", "n", "graph"), [(400, 900, 2), (1000, 1600, 1)])
def test_redundancy_versions_are_sionnas(k, n, graph):
    torch = pytest.importorskip("torch")
    ldpc = pytest.importorskip("sionna.phy.fec.ldpc")
    info = random_bits(2, k)
    theirs = ldpc.LDPC5GEncoder(k, n, num_bits_per_symbol=4, bg=f"bg{graph}")
    expected = theirs(torch.from_numpy(info).float(), rv=[0, 1, 2, 3]).numpy()
    code = LdpcCode(graph, k)
    for rv in range(4):
        assert np.array_equal(encode(code, info)[:, sent_positions(code, n, 4, rv)], expected[:, rv])


def test_scrambling_follows_the_identities():
    bits = random_bits(1, 500)
    wires = [TransportBlock(500, 1200, 2, 0.5, n_rnti=r, n_id=i).encode(bits) for r, i in ((1, 1), (2, 1), (1, 2))]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert 0.4 < np.mean(wires[i] != wires[j]) < 0.6


def test_encoding_has_not_changed():
    """Golden words: CRC-32 of one block of three code blocks in each redundancy version.

    Written by this code in November 2026, when version 0 of the same sizes and
    the choice of bits of all versions agreed with Sionna 2.2.
    """
    block = TransportBlock(9000, 20000, 4, 0.47)
    digests = [crc32(block.encode(random_bits(1, 9000), rv=rv).tobytes()) for rv in range(4)]
    assert digests == [2491406925, 2792868942, 3665468649, 124897830]


@pytest.mark.parametrize("spread", [4.0, 0.01, 0.0])
@pytest.mark.parametrize("backend", ["auto", "int8", "float32"])
def test_noise_and_silence_are_never_taken_for_a_block(backend, spread):
    """The word of zeros would pass its CRC; it must not be what silence decodes to."""
    block = TransportBlock(200, 500, 2, 0.5, backend=backend)
    llr = np.random.default_rng(3).normal(0, spread, (500, 500)).astype(np.float32)
    assert block.decode(llr).ok.sum() <= 1


def test_silence_is_no_block_for_sionna_either():
    pytest.importorskip("sionna.phy")
    block = TransportBlock(200, 500, 2, 0.5, backend="sionna")
    assert not block.decode(np.zeros((1, 500), np.float32)).ok.any()


def test_a_lost_code_block_spoils_the_transport_block_only():
    block = block_of(20_000, 0.5, 4)
    bits = random_bits(1, block.num_bits)
    llr = np.where(block.encode(bits) == 0, 5.0, -5.0).astype(np.float32)
    llr[:, : block.num_coded // block.num_blocks] = 0
    decoded = block.decode(llr)
    assert not decoded.ok[0]
    assert decoded.block_ok[0].tolist() == [False, True, True]
    last = decoded.bits.shape[1] // 2
    assert np.array_equal(decoded.bits[:, last:], bits[:, last:])


def success(block: TransportBlock, versions: tuple[int, ...], snr_db: float, num: int = 60) -> float:
    """Share of blocks that arrive after the transmissions `versions`, combined."""
    bits, buffer = random_bits(num, block.num_bits), None
    for attempt, rv in enumerate(versions):
        llr = over_the_air(block, block.encode(bits, rv=rv), snr_db, seed=attempt)
        buffer = block.collect(llr, rv=rv, onto=buffer)
    decoded = block.decode_buffer(buffer)
    assert np.array_equal(decoded.bits[decoded.ok], bits[decoded.ok])
    return float(decoded.ok.mean())


def test_chase_combining_gains_3_db():
    block = block_of(1000, 0.5, 2)
    for snr_db in (0.2, 0.8, 1.4):
        once, twice = success(block, (0,), snr_db, 300), success(block, (0, 0), snr_db - 10 * math.log10(2), 300)
        assert abs(once - twice) < 4 * math.sqrt(2 * 0.25 / 300)


def test_incremental_redundancy_beats_chase_beats_one_transmission():
    block = block_of(1000, 0.8, 4)
    snr_db = 6.0
    once, chase, redundancy = (success(block, versions, snr_db) for versions in ((0,), (0, 0), (0, 2)))
    assert once == 0 and chase < 0.5 and redundancy > 0.95
    assert success(block, (0, 2, 3, 1), 1.6) > 0.95
    assert max(success(block, versions, 1.6) for versions in ((0, 2, 3), (0, 0, 0, 0))) < 0.3


def test_collecting_adds_and_leaves_the_buffer_alone():
    block = block_of(700, 0.4, 4)
    llr = np.random.default_rng(5).normal(size=(3, block.num_coded)).astype(np.float32)
    first = block.collect(llr, rv=0)
    before = first.copy()
    both = block.collect(llr, rv=2, onto=first)
    assert np.array_equal(first, before)
    second = block.collect(llr, rv=2)
    assert both.shape[2] == max(first.shape[2], second.shape[2])
    expected = np.zeros_like(both)
    expected[..., : first.shape[2]] += first
    expected[..., : second.shape[2]] += second
    assert both == pytest.approx(expected, abs=1e-5)
    assert np.abs(first).sum() == pytest.approx(np.abs(llr).sum(), rel=1e-5)


def test_tensors_are_decoded_as_arrays_are():
    torch = pytest.importorskip("torch")
    block = TransportBlock(300, 600, 2, 0.5)
    llr = over_the_air(block, block.encode(random_bits(5, 300)), 3.0, seed=1)
    assert np.array_equal(block.decode(torch.from_numpy(llr)).bits, block.decode(llr).bits)


def test_blocks_pass_over_the_air_at_their_snr():
    """k = 2040 of 3072 bits in 16-QAM at 9.5 dB: hardly a block in a thousand is lost."""
    block = TransportBlock(2024, 3072, 4, 2 / 3)
    bits = random_bits(300, 2024)
    decoded = block.decode(over_the_air(block, block.encode(bits), 9.5, seed=2))
    assert decoded.ok.mean() > 0.98
    assert np.array_equal(decoded.bits[decoded.ok], bits[decoded.ok])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: TransportBlock(0, 100, 2, 0.5), "transport block of 0 bits; need at least 1"),
        (lambda: TransportBlock(-8, 100, 2, 0.5), "transport block of -8 bits; need at least 1"),
        (lambda: TransportBlock(100, 300, 2, 1.5), "target code rate is 1.5"),
        (lambda: TransportBlock(100, 301, 2, 0.5), "301 coded bits; need a multiple of 2"),
        (lambda: TransportBlock(100, 120, 2, 0.9), "116 bits into 120 of a code block; 38.214 allows a rate of 0.95"),
        (lambda: TransportBlock(100, 0, 2, 0.9), "116 bits into 0 of a code block"),
        (lambda: TransportBlock(100, 300, 2, 0.5, n_id=1024).encode(random_bits(1, 100)), "n_id is 1024"),
        (lambda: TransportBlock(100, 300, 2, 0.5, n_rnti=-1).encode(random_bits(1, 100)), "n_rnti is -1"),
        (lambda: TransportBlock(100, 300, 2, 0.5).encode(random_bits(1, 99)), r"takes \(batch, 100\)"),
        (lambda: TransportBlock(100, 300, 2, 0.5).decode(np.zeros((1, 299))), r"takes \(batch, 300\)"),
        (lambda: TransportBlock(100, 300, 2, 0.5).encode(random_bits(1, 100), rv=4), "redundancy version is 4"),
        (lambda: TransportBlock(100, 300, 2, 0.5).decode(np.full((1, 300), np.nan)), "code block 0 is NaN"),
    ],
)
def test_what_cannot_be_carried_is_named(build, words):
    with pytest.raises((ValueError, ChannelFault, Infeasible), match=words) as caught:
        build()
    assert isinstance(caught.value, SemlinkError | ValueError) and "\n" not in str(caught.value)
