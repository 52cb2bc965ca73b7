"""Pilots on one carrier: paid for, read well, and honest about what is left."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import special

from semlink.blocks import ChannelBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Symbols
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.multipath_38901 import Tdl
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.waveforms.plain import Plain
from semlink.phy.waveforms.single_carrier import SingleCarrier
from semlink.seeds import Seeds

SEEDS = Seeds(3, tuple(range(60)))


def data(n, seeds=SEEDS):
    x = seeds.complex_normal("data", n)
    return Flow(Symbols(x)).then(Symbols(x), Charge("source", "payload", n))


def over(channel, waveform, snr_db, n=2000, seeds=SEEDS):
    """Squared error per symbol, and the noise variance the receiver believes."""
    flow, waveform = data(n, seeds), waveform.designed_for(channel)
    air = waveform.modulate(flow)
    received = waveform.demodulate(channel(air.payload.iq, snr_db, seeds), snr_db)
    return (received.iq - flow.payload.iq).abs() ** 2, received


class Unknown(ChannelBase):
    """States nothing of its gain."""

    def __call__(self, iq, snr_db, seeds):
        return Rayleigh(64)(iq, snr_db, seeds)


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_symbol_is_paid_for_and_the_receiver_counts_right(n, spacing, block, moving):
    waveform = SingleCarrier(spacing, block, "ls", doppler=0.01 if moving else None)
    air = waveform.modulate(data(n, Seeds(1)))
    sent = air.payload.iq.shape[1]
    assert air.ledger.symbols == sent and air.ledger.spent_on("pilot") == sent - n
    assert waveform.data_uses(sent) == n and waveform.data_uses(sent - 1) < n
    received = waveform.demodulate(Awgn()(air.payload.iq, 100.0, Seeds(1)), 100.0)
    torch.testing.assert_close(received.iq, data(n, Seeds(1)).payload.iq, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("channel", "model"),
    [
        (Rayleigh(), {}),
        (Rayleigh(64), {"coherence": 64, "pilot_spacing": 60}),
        (Rayleigh("symbol", 0.005), {"doppler": 0.005, "pilot_spacing": 14, "pilot_block": 2}),
        (PhaseNoise(1e-3), {"linewidth": 1e-3, "pilot_spacing": 14, "pilot_block": 2}),
        (GilbertElliott(0.1, 0.3, 50), {"pilot_spacing": 14}),
    ],
    ids=["static", "blocks", "doppler", "phase", "bursts"],
)
@pytest.mark.parametrize("snr_db", [0.0, 15.0])
def test_noise_variance_is_what_is_left(channel, model, snr_db):
    """E|x_hat - x|^2 / noise_var = 1: the receiver knows how far off it is, its estimation error included."""
    squared, received = over(channel, SingleCarrier(**model), snr_db)
    arrived = torch.isfinite(received.noise_var)
    ratio = (squared / received.noise_var)[arrived].double()
    per_clip = (squared / received.noise_var).where(arrived, torch.nan).nanmean(1).double()
    per_clip = per_clip[torch.isfinite(per_clip)]
    assert abs(ratio.mean() - 1) < 5 * per_clip.std() / math.sqrt(len(per_clip)) + 0.01
    assert not received.genie


@pytest.mark.parametrize("estimator", ["ls", "lmmse"])
@pytest.mark.parametrize(
    ("channel", "pilots"),
    [
        (Rayleigh(doppler=0.001), (60, 4)),
        (Rayleigh(doppler=0.02), (14, 2)),
        (Rayleigh(doppler=0.1), (3, 1)),
        (Rician(k=10, doppler=0.02), (14, 2)),
        (PhaseNoise(0.01), (20, 2)),
    ],
    ids=repr,
)
def test_noise_variance_is_right_at_any_speed(channel, pilots, estimator):
    """Within 1 dB, with nothing but the channel to tell the receiver: ageing between the pilots included."""
    for snr_db in (0.0, 25.0):
        squared, received = over(channel, SingleCarrier(*pilots, estimator), snr_db)
        assert abs(10 * math.log10((squared / received.noise_var).double().mean())) < 1


@pytest.mark.source("kay1993", "sec. 12.5: mean squared error of the Wiener filter")
@pytest.mark.parametrize("doppler", [0.002, 0.02])
def test_error_is_that_of_the_wiener_filter_in_closed_form(doppler):
    """Single pilots d symbols apart on Jakes fading: 1 - r^T (R + s I)^-1 r of the 12 around, by numpy alone."""
    spacing, noise = 9, 0.05
    waveform = SingleCarrier(spacing, 1, doppler=doppler)
    heard = Rayleigh(doppler=doppler)(waveform.modulate(data(900)).payload.iq, -10 * math.log10(noise), SEEDS)
    is_pilot = waveform._is_pilot(heard.iq.shape[1])
    looks = heard.iq[:, is_pilot]
    _, error = waveform._estimate(looks, torch.full(looks.shape, noise), is_pilot)
    places = np.arange(-5, 7) * (spacing + 1.0)  # of the 12 pilots around data between 0 and 10
    between = special.j0(2 * np.pi * doppler * (places[:, None] - places)) + noise * np.eye(12)
    middle = 50 * spacing  # the first data symbol behind the 50th pilot
    for step in range(spacing):
        toward = special.j0(2 * np.pi * doppler * (places - step - 1))
        expected = 1 - toward @ np.linalg.solve(between, toward)
        assert error[0, middle + step].item() == pytest.approx(expected, rel=1e-3)


def test_the_channel_tells_what_the_scenario_does_not():
    for channel, attribute, value in (
        (Rayleigh(doppler=0.01), "doppler", 0.01),
        (Rayleigh(500), "coherence", 500),
        (Rayleigh(), "coherence", "block"),
        (PhaseNoise(1e-3), "linewidth", 1e-3),
    ):
        designed = SingleCarrier(14, 2).designed_for(channel)
        assert getattr(designed, attribute) == value and designed.caveat(channel) == ""
    assert SingleCarrier(14, 2, coherence=32).designed_for(Rayleigh(doppler=0.01)).coherence == 32
    with pytest.raises(ValueError, match="coherence: got 32; need at least .* = 256"):
        SingleCarrier().check_channel(Rayleigh(32))


@pytest.mark.parametrize(
    ("waveform", "channel", "words"),
    [
        (SingleCarrier(coherence="block"), Rayleigh(doppler=0.01), "designed for coherence block, .*doppler is 0.01"),
        (SingleCarrier(14, 2, doppler=0.001), Rayleigh(doppler=0.01), "designed for doppler 0.001, .*doppler is 0.01"),
        (SingleCarrier(60, 4, coherence=128), Rayleigh(64), "designed for coherence 128, .*coherence is 64"),
        (SingleCarrier(coherence="block"), PhaseNoise(1e-3), "linewidth is 0.001"),
        (SingleCarrier(), Unknown(), "states neither coherence nor doppler"),
    ],
    ids=["block", "doppler", "jumps", "phase", "silent"],
)
def test_a_row_says_where_the_receiver_is_wrong(waveform, channel, words):
    assert re.search(words, waveform.designed_for(channel).caveat(channel))


@pytest.mark.parametrize("model", [{"doppler": 0.005, "pilot_spacing": 14}, {"coherence": 32, "pilot_spacing": 28}])
def test_lmmse_beats_ls_and_genie_beats_both(model):
    channel = Rayleigh("symbol", 0.005) if "doppler" in model else Rayleigh(32)
    error = {e: _gain_error(channel, SingleCarrier(estimator=e, **model), 3.0) for e in ("ls", "lmmse", "genie")}
    assert error["genie"] < 1e-10 < error["lmmse"] < 0.9 * error["ls"]


def _gain_error(channel, waveform, snr_db):
    """Mean squared error of the gain that the equaliser used, read off with data y = h."""
    flow = data(2000)
    air = waveform.modulate(flow)
    heard = channel(air.payload.iq, snr_db, SEEDS)
    is_data = ~waveform._is_pilot(heard.iq.shape[1])
    received = waveform.demodulate(heard, snr_db)
    assert bool(received.genie) == (waveform.estimator == "genie")
    used = heard.iq[:, is_data] / received.iq
    return float((used - heard.gain[:, is_data]).abs().square().nanmean())


def test_one_tap_equalisers_agree_once_the_bias_is_out():
    _, zf = over(Rayleigh(), SingleCarrier(equalizer="zf"), 5.0)
    _, mmse = over(Rayleigh(), SingleCarrier(equalizer="mmse"), 5.0)
    torch.testing.assert_close(zf.iq, mmse.iq, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(zf.noise_var, mmse.noise_var)


def test_what_never_arrived_has_infinite_noise():
    flow = data(100)
    waveform = SingleCarrier(20, 2)
    heard = Erasure(1.0)(waveform.modulate(flow).payload.iq, 10.0, SEEDS)
    received = waveform.demodulate(heard, 10.0)
    assert torch.isinf(received.noise_var).all() and (received.iq == 0).all()


def test_gradient_reaches_the_data_through_pilots_and_equaliser():
    seeds = Seeds(1)
    x = seeds.complex_normal("data", 40).requires_grad_()
    waveform = SingleCarrier(10, 2)
    air = waveform.modulate(Flow(Symbols(x)))
    received = waveform.demodulate(Rayleigh()(air.payload.iq, 200.0, seeds), 200.0)
    received.iq.real.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: SingleCarrier(0), "pilot_spacing: got 0"),
        (lambda: SingleCarrier(pilot_block=0), "pilot_block"),
        (lambda: SingleCarrier(estimator="best"), "ls, lmmse, genie"),
        (lambda: SingleCarrier(equalizer="dfe"), "zf, mmse"),
        (lambda: SingleCarrier(doppler=0.6), "doppler"),
        (lambda: SingleCarrier(doppler=0.1, linewidth=0.1), "at most one"),
        (lambda: SingleCarrier(20, 2, coherence=10), "some blocks have no pilot"),
        (lambda: SingleCarrier(20, 2, coherence=0), "coherence: got 0"),
        (lambda: Plain().check_channel(Tdl()), "need Ofdm"),
        (lambda: SingleCarrier().check_channel(Tdl()), "need Ofdm"),
    ],
)
def test_nonsense_is_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()
