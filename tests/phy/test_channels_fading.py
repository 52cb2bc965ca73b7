"""Fading against its laws: error rates, outage, Doppler spectrum, coherence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from semlink.link.validate.entries.modulation import rayleigh_error_rate
from semlink.phy.capacity import outage_probability
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.seeds import Seeds
from semlink.units import from_db

N = 400_000
SEEDS = Seeds(11)


def gains(channel, num, clips=1, root=5):
    seeds = Seeds(root, tuple(range(clips)))
    return channel(torch.ones(clips, num, dtype=torch.complex64), 20.0, seeds).gain.numpy()


def coherent_errors(channel, sent, snr_db):
    """Signs after the gain is turned back: the share of wrong real and imaginary parts."""
    heard = channel(sent, snr_db, SEEDS)
    turned = heard.iq * heard.gain.conj()
    wrong = (turned.real * sent.real < 0).sum() + (turned.imag * sent.imag < 0).sum()
    return int(wrong)


def qpsk(num):
    signs = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (1, num, 2))) * 2.0 - 1
    return torch.view_as_complex(signs) / 2**0.5


def rician_bit_error_rate(k, snr_per_bit):
    """(1/pi) int_0^{pi/2} M(-snr / sin^2 t) dt with the moment generating function of Rician power."""

    def mgf(t):
        s = snr_per_bit / math.sin(t) ** 2
        return (1 + k) / (1 + k + s) * math.exp(-k * s / (1 + k + s))

    return integrate.quad(mgf, 0, math.pi / 2)[0] / math.pi


@pytest.mark.source("proakis2008", "eq. (13.3-7)")
@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_rayleigh_qpsk_bit_error_rate(snr_db):
    expected = rayleigh_error_rate(from_db(snr_db) / 2)
    errors = coherent_errors(Rayleigh("symbol"), qpsk(N), snr_db)
    # the two bits of a symbol share a gain: at most twice the binomial variance
    assert abs(errors - 2 * N * expected) < 5 * math.sqrt(2 * 2 * N * expected)


@pytest.mark.parametrize("snr_db", [0.0, 8.0])
def test_rayleigh_bpsk_bit_error_rate(snr_db):
    sent = qpsk(N).real.sign().to(torch.complex64)
    heard = Rayleigh("symbol")(sent, snr_db, SEEDS)
    errors = int(((heard.iq * heard.gain.conj()).real * sent.real < 0).sum())
    expected = rayleigh_error_rate(from_db(snr_db))
    assert abs(errors - N * expected) < 5 * math.sqrt(N * expected)


@pytest.mark.source("simon2005", "sec. 8.2: error rates from the moment generating function")
@pytest.mark.parametrize("k", [0.0, 3.0, 10.0])
@pytest.mark.parametrize("snr_db", [3.0, 10.0])
def test_rician_qpsk_bit_error_rate(k, snr_db):
    expected = rician_bit_error_rate(k, from_db(snr_db) / 2)
    errors = coherent_errors(Rician(k, coherence="symbol"), qpsk(N), snr_db)
    assert abs(errors - 2 * N * expected) < 5 * math.sqrt(2 * 2 * N * expected)


@pytest.mark.parametrize(("channel", "k"), [(Rayleigh(1), 0.0), (Rician(3, coherence=1), 3.0)])
def test_outage_probability(channel, k):
    power = np.abs(gains(channel, 100_000)) ** 2
    for rate in (0.5, 2.0):
        expected = outage_probability(10, rate, k)
        out = np.mean(np.log2(1 + 10 * power) < rate)
        assert abs(out - expected) < 5 * math.sqrt(expected * (1 - expected) / power.size)


@pytest.mark.parametrize("doppler", [None, 0.01])
def test_law_and_phase_over_many_clips(doppler):
    coherence = "block" if doppler is None else "symbol"
    h = gains(Rayleigh(coherence, doppler), 7, clips=3000)[:, 6]
    assert stats.kstest(np.abs(h) ** 2, "expon").pvalue > 1e-4
    assert stats.kstest(np.angle(h), "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-4
    h = gains(Rician(k_db=6, coherence=coherence, doppler=doppler), 7, clips=3000)[:, 6]
    k = from_db(6)
    assert stats.kstest(np.abs(h) ** 2, stats.ncx2(2, 2 * k, scale=1 / (2 * k + 2)).cdf).pvalue > 1e-4
    assert stats.kstest(np.angle(h), "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-4


@pytest.mark.source("clarke1968", "autocorrelation of isotropic scattering, J0(2 pi fd tau)")
@pytest.mark.parametrize(("coherence", "doppler"), [("symbol", 0.02), (5, 0.01)])
def test_doppler_autocorrelation_is_bessel(coherence, doppler):
    clips, lags = 400, np.array([5, 10, 20, 35])
    h = gains(Rayleigh(coherence, doppler), 2000, clips=clips)
    for lag in lags:
        products = (h[:, lag:] * h[:, :-lag].conj()).real.mean(1)
        expected = special.j0(2 * np.pi * doppler * lag)
        assert abs(products.mean() - expected) < 5 * products.std() / math.sqrt(clips) + 1e-3


def test_coherence_blocks_stand_still_and_are_independent():
    h = gains(Rayleigh(8), 8 * 20_000 + 3)[0]
    blocks = h[: 8 * 20_000].reshape(-1, 8)
    assert (blocks == blocks[:, :1]).all() and (h[-3:] == h[-1]).all()
    correlation = np.mean(blocks[1:, 0] * blocks[:-1, 0].conj())
    assert abs(correlation) < 5 / math.sqrt(20_000)
    assert len(np.unique(gains(Rayleigh("block"), 100, clips=3))) == 3


@pytest.mark.parametrize("channel", [Rayleigh(4), Rayleigh("symbol", 0.03), Rician(2, coherence=3)])
def test_prefix_single_clip_and_gradient(channel):
    seeds = Seeds(2, (3, 8))
    x = torch.view_as_complex(seeds.normal("x", 600, 2)).requires_grad_()
    heard = channel(x, 5.0, seeds)
    short = channel(x[:, :250], 5.0, seeds)
    torch.testing.assert_close(short.iq, heard.iq[:, :250])
    torch.testing.assert_close(channel(x[1:], 5.0, seeds.alone(1)).iq, heard.iq[1:], rtol=0, atol=0)
    heard.iq.real.sum().backward()
    torch.testing.assert_close(x.grad, heard.gain.conj())


def test_doppler_moves_the_gain_at_every_symbol_unless_told_otherwise():
    assert Rayleigh(doppler=0.01).coherence == "symbol" and Rayleigh(7, 0.01).coherence == 7


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Rayleigh(0), "Rayleigh.coherence: got 0; need"),
        (lambda: Rayleigh("week"), "week"),
        (lambda: Rayleigh(1.5), "1.5"),
        (lambda: Rayleigh("symbol", 0.7), r"doppler: got 0.7; need a finite number in \[0, 0.5\]"),
        (lambda: Rician(-1), "Rician.k: got -1; need a finite number >= 0"),
        (lambda: Rician(), "exactly one"),
        (lambda: Rician(1, 3), "exactly one"),
        (lambda: Rician(k_db=math.nan), "k_db"),
        (lambda: Rayleigh()(torch.ones(1, 2, dtype=torch.complex64), math.inf, SEEDS), "snr_db"),
    ],
)
def test_nonsense_is_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()
