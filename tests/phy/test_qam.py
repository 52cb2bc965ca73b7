"""Mapping and soft demapping: closed-form error rates, the standard's formulas, another implementation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import erfc

from semlink.errors import ChannelFault
from semlink.link.validate.entries.modulation import gray_error_rate
from semlink.phy.qam import MODULATIONS, constellation, demap, map_bits
from semlink.units import noise_var_from_snr

ORDERS = sorted(MODULATIONS.values())
DEMAPPERS = ("exact", "max-log")


def noisy(symbols: np.ndarray, noise_var: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pairs = rng.standard_normal((*symbols.shape, 2), dtype=np.float32) * np.float32(math.sqrt(noise_var / 2))
    return symbols + pairs.view(np.complex64)[..., 0]


def random_bits(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape, np.uint8)


@pytest.mark.source("3gpp38211", "5.1")
def test_points_are_those_of_the_standard():
    def level(*bits: int) -> int:
        inner = 1
        for j, bit in enumerate(reversed(bits[1:])):
            inner = 2 ** (j + 1) - (1 - 2 * bit) * inner
        return (1 - 2 * bits[0]) * inner

    for order, norm in ((2, 2), (4, 10), (6, 42), (8, 170), (10, 682)):
        for label, bits in enumerate(product((0, 1), repeat=order)):
            expected = complex(level(*bits[0::2]), level(*bits[1::2])) / math.sqrt(norm)
            assert constellation(order)[label] == pytest.approx(expected, abs=1e-6)
    assert constellation(1) == pytest.approx(np.array([1 + 1j, -1 - 1j]) / math.sqrt(2), abs=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_unit_power_and_gray_neighbours(order):
    points = constellation(order)
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1, abs=1e-6)
    distance = np.abs(points[:, None] - points[None, :])
    nearest = distance[distance > 1e-6].min()
    for a, b in np.argwhere(np.abs(distance - nearest) < 1e-4):
        assert int(a ^ b).bit_count() == 1


@pytest.mark.source("proakis2008", "bit error probability of binary antipodal signalling")
@pytest.mark.parametrize("snr_db", [-2.0, 2.0, 5.0])
def test_bpsk_error_rate(snr_db):
    snr = 10 ** (snr_db / 10)
    assert_error_rate(1, snr_db, 0.5 * erfc(math.sqrt(snr)))


@pytest.mark.source("cho2002", "closed form of square Gray QAM")
@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("offset_db", [0.0, 4.0, 8.0])
def test_gray_error_rate(order, offset_db):
    snr_db = 2.2 * order - 5 + offset_db
    assert_error_rate(order, snr_db, gray_error_rate(order, 10 ** (snr_db / 10)))


def assert_error_rate(order: int, snr_db: float, expected: float) -> None:
    bits = random_bits(240_000, seed=order)
    noise_var = noise_var_from_snr(snr_db)
    llr = demap(noisy(map_bits(bits, order), noise_var, seed=order), noise_var, order)
    errors = np.count_nonzero((llr < 0) != bits)
    # Bits of one symbol may fail together: allow for `order` times the binomial variance.
    spread = math.sqrt(bits.size * expected * (1 - expected) * order)
    assert abs(errors - bits.size * expected) < 4 * spread + 1


def test_closed_form_of_16qam_agrees_with_its_textbook_terms():
    def q(x: float) -> float:
        return 0.5 * erfc(x / math.sqrt(2))

    for snr_db in (0.0, 6.0, 12.0):
        a = math.sqrt(10 ** (snr_db / 10) / 5)
        assert gray_error_rate(4, 10 ** (snr_db / 10)) == pytest.approx(0.75 * q(a) + 0.5 * q(3 * a) - 0.25 * q(5 * a))


@settings(deadline=None, max_examples=50)
@given(
    order=st.sampled_from(ORDERS),
    symbols=st.integers(0, 200),
    seed=st.integers(0, 10**6),
    demapper=st.sampled_from(DEMAPPERS),
)
def test_round_trip(order, symbols, seed, demapper):
    bits = random_bits(2, symbols * order, seed=seed)
    iq = map_bits(bits, order)
    assert iq.shape == (2, symbols) and iq.dtype == np.complex64
    llr = demap(iq, 0.01, order, demapper=demapper)
    assert llr.shape == bits.shape and llr.dtype == np.float32
    assert np.array_equal(llr < 0, bits)


@pytest.mark.parametrize("order", ORDERS)
def test_exact_llrs_are_true_log_odds(order):
    """Among bits of LLR about L, a share 1 / (1 + e^|L|) is wrong: that is what an LLR means."""
    noise_var = noise_var_from_snr(2.0 * order - 3)
    bits = random_bits(60_000 * order, seed=3)
    llr = demap(noisy(map_bits(bits, order), noise_var, seed=4), noise_var, order)
    wrong, size = (llr < 0) != bits, np.abs(llr)
    for low, high in ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)):
        here = (size >= low) & (size < high)
        expected = np.mean(1 / (1 + np.exp(size[here].astype(np.float64))))
        assert abs(wrong[here].mean() - expected) < 5 * math.sqrt(expected * order / here.sum())


def test_qpsk_llr_in_closed_form():
    iq = noisy(map_bits(random_bits(400), 2), 0.3)
    expected = np.stack([iq.real, iq.imag], axis=-1).reshape(-1) * 4 / math.sqrt(2) / 0.3
    for demapper in DEMAPPERS:
        assert demap(iq, 0.3, 2, demapper=demapper) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("order", [2, 4, 6, 8, 10])
@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0])
def test_llrs_are_sionnas(order, snr_db):
    torch = pytest.importorskip("torch")
    mapping = pytest.importorskip("sionna.phy.mapping")
    noise_var = noise_var_from_snr(snr_db)
    bits = random_bits(600 * order)
    iq = map_bits(bits, order)
    theirs = mapping.Mapper("qam", order)(torch.from_numpy(bits).float()).numpy()
    assert iq == pytest.approx(theirs, abs=1e-6)
    heard = noisy(iq, noise_var)
    for method, demapper in (("app", "exact"), ("maxlog", "max-log")):
        logits = mapping.Demapper(method, "qam", order)(torch.from_numpy(heard), torch.tensor(noise_var))
        expected = -logits.numpy()
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(demap(heard, noise_var, order, demapper=demapper), expected, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("order", ORDERS)
def test_erased_symbols_say_nothing_whatever_arrived(order):
    iq = map_bits(random_bits(3 * order), order)
    iq[1] = np.nan
    for demapper in DEMAPPERS:
        llr = demap(iq, np.array([0.1, np.inf, 0.1], np.float32), order, demapper=demapper).reshape(3, order)
        assert not llr[1].any()
        assert llr[0].all() and llr[2].all()


def test_noise_may_differ_by_symbol_and_be_absent():
    iq = map_bits(random_bits(2, 40), 4)
    each = demap(iq, np.full((2, 10), 0.2, np.float32), 4)
    assert np.array_equal(each, demap(iq, 0.2, 4))
    assert np.array_equal(each, demap(iq, np.full((2, 1), 0.2, np.float32), 4))
    silent = demap(iq, 0.0, 4)
    assert np.isfinite(silent).all() and np.array_equal(silent < 0, random_bits(2, 40))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: map_bits(random_bits(6), 4), ValueError, "6 bits; need a multiple of 4"),
        (lambda: map_bits(random_bits(6), 3), ValueError, "3 bits per symbol; allowed"),
        (lambda: demap(np.ones(3, np.complex64), -0.5, 4), ValueError, "noise variance is -0.5"),
        (lambda: demap(np.ones(3, np.complex64), np.nan, 4), ValueError, "noise variance is nan"),
        (lambda: demap(np.array([1, np.nan], np.complex64), 0.1, 4), ChannelFault, "symbol 1"),
        (lambda: demap(np.array([np.inf, 1], np.complex64), 0.1, 2), ChannelFault, "symbol 0"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
