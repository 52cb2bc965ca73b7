"""OFDM: orthogonal, paid for, estimated honestly, and refused where it cannot work."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from semlink.blocks import ChannelBase
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Symbols, part_of
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.erasures import Erasure
from semlink.phy.channels.fading import Rayleigh, clarke_gain
from semlink.phy.channels.multipath_38901 import Cdl, Tdl
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.power import mean_power
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.phy.waveforms.ofdm_estimation import Delays, GridModel
from semlink.phy.waveforms.ofdm_grid import to_grid
from semlink.seeds import Seeds

CLIPS = 40
SEEDS = Seeds(3, tuple(range(CLIPS)))


def data(n, seeds=SEEDS):
    x = seeds.complex_normal("data", n)
    return Flow(Symbols(x)).then(Symbols(x), Charge("source", "payload", n))


def data_of(waveform, heard, snr_db, n):
    """The first `n` data symbols received, without the filling behind them."""
    return part_of(waveform.demodulate(heard, snr_db), 0, n)


def over(channel, waveform, snr_db, n=3000):
    flow, waveform = data(n), waveform.designed_for(channel)
    air = waveform.modulate(flow)
    received = data_of(waveform, channel(air.payload.iq, snr_db, SEEDS), snr_db, n)
    return (received.iq - flow.payload.iq).abs() ** 2, received


@given(
    st.integers(1, 400), st.integers(4, 40), st.integers(0, 4), st.integers(1, 5), st.sampled_from([(0,), (2,), (1, 3)])
)
@settings(max_examples=60, deadline=None)
def test_every_sample_is_paid_for_and_the_data_come_back(n, subcarriers, prefix, comb, rows):
    waveform = Ofdm(subcarriers, 30, min(prefix, subcarriers), 4, rows, min(comb, subcarriers), "ls")
    flow = data(n, Seeds(1))
    air = waveform.modulate(flow)
    sent = air.payload.iq.shape[1]
    symbols = sent // waveform.symbol_uses
    assert air.ledger.symbols == sent and air.ledger.spent_on("header") == symbols * waveform.cyclic_prefix
    assert waveform.data_uses(sent) >= n > waveform.data_uses(sent - 1) or symbols == rows[0] + 1
    whole = waveform.modulate(data(max(waveform.data_uses(sent), 1), Seeds(1)))
    assert whole.payload.iq.shape[1] == sent  # a scheme that spends all it may leaves nothing to fill
    received = data_of(waveform, Awgn()(air.payload.iq, 100.0, Seeds(1)), 100.0, n)
    torch.testing.assert_close(received.iq, flow.payload.iq, atol=2e-3, rtol=0)


def test_samples_have_unit_power():
    air = Ofdm().modulate(data(20_000, Seeds(1)))
    assert abs(mean_power(air.payload.iq) - 1).item() < 5 / math.sqrt(20_000)


def test_the_filling_comes_along():
    air = Ofdm().modulate(data(1000, Seeds(1)))
    received = Ofdm().designed_for(Awgn()).demodulate(Awgn()(air.payload.iq, 60.0, Seeds(1)), 60.0)
    assert received.iq.shape[1] == Ofdm().data_uses(air.payload.iq.shape[1]) > 1000


@pytest.mark.parametrize("estimator", ["ls", "lmmse", "genie"])
@pytest.mark.parametrize("channel", [Awgn(), Rayleigh(), Tdl("C", 200), Tdl("A", 30), Cdl("D", 100)], ids=repr)
def test_noise_variance_is_what_is_left(channel, estimator):
    squared, received = over(channel, Ofdm(estimator=estimator), 10.0)
    ratio = (squared / received.noise_var).double().mean(1)
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(CLIPS) + 0.03
    assert bool(received.genie) == (estimator == "genie")


def test_a_flat_channel_is_one_gain_on_every_subcarrier():
    n = 2000
    flow = data(n)
    air = Ofdm(estimator="genie").modulate(flow)
    heard = Rayleigh()(air.payload.iq, 120.0, SEEDS)
    received = data_of(Ofdm(estimator="genie"), heard, 120.0, n)
    torch.testing.assert_close(received.iq, flow.payload.iq, atol=1e-3, rtol=0)
    torch.testing.assert_close(received.genie["csi"], heard.gain[:, :1].expand(-1, n), atol=1e-4, rtol=0)


def test_true_gain_is_the_fourier_transform_of_the_paths():
    """At delays that fall on samples the taps are the paths, and H(f) = sum_p a_p exp(-2 pi j f tau_p)."""
    channel = Tdl("A", delay_spread_ns=0.0, speed_kmh=0)
    waveform = Ofdm(estimator="genie")
    air = waveform.modulate(data(2000))
    heard = channel(air.payload.iq, 100.0, SEEDS)
    received = data_of(waveform, heard, 100.0, 2000)
    total = heard.taps[:, 6, :1]  # every path at delay 0
    torch.testing.assert_close(received.genie["csi"], total.expand(-1, 2000), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_lmmse_beats_ls_on_multipath(snr_db):
    _, ls = over(Tdl("C", 200), Ofdm(estimator="ls"), snr_db)
    _, lmmse = over(Tdl("C", 200), Ofdm(estimator="lmmse"), snr_db)
    _, genie = over(Tdl("C", 200), Ofdm(estimator="genie"), snr_db)
    error = {}
    for name, received in (("ls", ls), ("lmmse", lmmse)):
        squared = (received.iq - genie.iq).abs().square() / genie.noise_var
        error[name] = squared.median().item()
    assert error["lmmse"] < 0.6 * error["ls"]


def test_rayleigh_error_rate_on_every_subcarrier():
    """QPSK with true gains over multipath meets the closed form of flat Rayleigh fading."""
    waveform, seeds, n = Ofdm(estimator="genie"), Seeds(1, tuple(range(300))), 1500
    x = torch.sgn(seeds.normal("bits", n, 2)) / 2**0.5
    air = waveform.modulate(Flow(Symbols(torch.view_as_complex(x))))
    received = data_of(waveform, Tdl("A", 100)(air.payload.iq, 10.0, seeds), 10.0, n)
    wrong = (torch.view_as_real(received.iq) * x < 0).double().mean((1, 2))
    expected = 0.5 * (1 - math.sqrt(5 / 6))
    assert abs(wrong.mean() - expected) < 5 * wrong.std() / math.sqrt(300)


def test_lost_samples_cost_what_they_cost():
    squared, received = over(Erasure(0.02, block=8), Ofdm(estimator="genie"), 15.0)
    arrived = torch.isfinite(received.noise_var)
    ratio = (squared / received.noise_var)[arrived].double()
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert received.noise_var[arrived].mean() > 1.2 * 10**-1.5
    gone = data_of(
        Ofdm(design_doppler_hz=0.0), Erasure(1.0)(Ofdm().modulate(data(500)).payload.iq, 15.0, SEEDS), 15.0, 500
    )
    assert torch.isinf(gone.noise_var).all()


def test_gradient_reaches_the_data():
    seeds = Seeds(1)
    x = seeds.complex_normal("data", 300).requires_grad_()
    air = Ofdm().modulate(Flow(Symbols(x)))
    received = data_of(Ofdm().designed_for(Tdl("A", 30)), Tdl("A", 30)(air.payload.iq, 100.0, seeds), 100.0, 300)
    received.iq.real.sum().backward()
    assert (x.grad - 1).abs().median() < 0.1


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Ofdm(pilot_symbols=(0,), slot_symbols=1, pilot_comb=1), "fewer pilots than the 128 elements"),
        (lambda: Ofdm(pilot_symbols=()), "at least one"),
        (lambda: Ofdm(pilot_symbols=(14,)), r"pilot_symbols: got 14; need a whole number in \[0, 13\]"),
        (lambda: Ofdm(pilot_symbols=(2, 2)), "each symbol once"),
        (lambda: Ofdm(spacing_khz=20), "15, 30, 60, 120, 240"),
        (lambda: Ofdm(cyclic_prefix=129), "cyclic_prefix"),
        (lambda: Ofdm(num_subcarriers=0), "num_subcarriers"),
        (lambda: Ofdm(design_doppler_hz=-1), "design_doppler_hz"),
        (lambda: Ofdm().check_channel(Tdl("C", 1000)), r"cyclic_prefix: got 9 samples; need at least 33.2.*8652 ns"),
        (lambda: Ofdm().check_channel(Tdl(bandwidth_mhz=10)), "3.84 MHz"),
        (lambda: Ofdm().demodulate(Awgn()(torch.ones(1, 100, dtype=torch.complex64), 0, Seeds(1)), 0), "137"),
    ],
)
def test_nonsense_is_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()


def test_channels_that_fit_are_let_through():
    Ofdm().check_channel(Tdl("C", 200))
    Ofdm().check_channel(Rayleigh())


class Silent(ChannelBase):
    """States nothing of its gain."""

    def __call__(self, iq, snr_db, seeds):
        return Awgn()(iq, snr_db, seeds)


@pytest.mark.parametrize("channel", [Silent(), Rayleigh(64), PhaseNoise(1e-4)], ids=["silent", "blocks", "phase"])
def test_lmmse_never_takes_a_doppler_shift_from_nowhere(channel):
    with pytest.raises(ValueError, match="design_doppler_hz: got None; need a maximum Doppler shift"):
        Ofdm().check_channel(channel)
    with pytest.raises(ValueError, match="need a maximum Doppler shift"):
        data_of(Ofdm(), channel(Ofdm().modulate(data(500)).payload.iq, 10.0, SEEDS), 10.0, 500)
    Ofdm(design_doppler_hz=50).check_channel(channel)
    Ofdm(estimator="ls").check_channel(channel)
    assert Ofdm(estimator="ls").designed_for(channel).caveat(channel)


def test_knowledge_is_the_channels_unless_the_scenario_says_otherwise():
    channel = Tdl("D", 50, 120)
    designed = Ofdm().designed_for(channel)
    assert designed.design_doppler_hz == pytest.approx(120 / 3.6 * 3.5e9 / 299_792_458)
    assert designed.design_delay == pytest.approx(12.525 * 50e-9 * 3.84e6)
    assert designed.design_spread == pytest.approx(50e-9 * 3.84e6) and designed.design_k == channel.k_factor
    assert Ofdm(design_doppler_hz=9.0, design_delay=2.0).designed_for(channel).design_doppler_hz == 9.0
    assert Ofdm().designed_for(Rayleigh("symbol", 1e-4)).design_doppler_hz == pytest.approx(384)
    assert Ofdm().designed_for(Awgn()).design_doppler_hz == 0 == Ofdm().designed_for(Rayleigh()).design_doppler_hz


def test_a_row_says_where_the_receiver_is_wrong():
    fast = Tdl("C", 100, 120)
    assert Ofdm().designed_for(fast).caveat(fast) == ""
    assert "designed for a Doppler shift of 100 Hz, the channel's is 389" in Ofdm(design_doppler_hz=100).caveat(fast)
    assert "delays up to 1 samples" in Ofdm(design_doppler_hz=400, design_delay=1.0).caveat(fast)
    assert Ofdm(estimator="genie", design_doppler_hz=1.0).caveat(fast) == ""
    for estimator, words in (("lmmse", "states no law of its gain"), ("ls", "states no law"), ("genie", "")):
        waveform = Ofdm(estimator=estimator).designed_for(Cdl("A", 100, 120))
        assert words in waveform.caveat(Cdl("A", 100, 120)) and bool(words) == bool(waveform.caveat(Cdl("A", 100, 120)))


@pytest.mark.parametrize("estimator", ["ls", "lmmse", "genie"])
@pytest.mark.parametrize("channel", [Tdl("A", 30, 300), Tdl("C", 100, 120), Tdl("E", 50, 250)], ids=repr)
@pytest.mark.parametrize("snr_db", [5.0, 25.0])
def test_noise_variance_is_right_at_any_speed(channel, estimator, snr_db):
    """Within 1 dB: noise, estimate, ageing between pilots, other subcarriers, echoes beyond the prefix."""
    squared, received = over(channel, Ofdm(estimator=estimator), snr_db)
    assert abs(10 * math.log10((squared / received.noise_var).double().mean())) < 1


@pytest.mark.source("li2001", "leakage between subcarriers")
@pytest.mark.parametrize("doppler", [0.0, 1e-4, 5e-4, 2e-3])
def test_leakage_is_the_power_that_leaves_the_mean(doppler):
    """Of simulated Clarke fading: what a window's mean gain lacks of its mean power."""
    rng = np.random.default_rng(4)
    gains = np.stack([clarke_gain(rng, 128, doppler) for _ in range(4000)]).astype(complex)
    left = np.mean(np.abs(gains) ** 2, axis=1) - np.abs(gains.mean(axis=1)) ** 2
    expected = GridModel(doppler, Delays(0.0)).leakage(128)
    assert abs(left.mean() - expected) < 5 * left.std() / math.sqrt(4000) + 1e-7
    assert expected == pytest.approx((2 * math.pi * doppler * 128) ** 2 / 24, rel=0.1, abs=1e-7)


def residuals(channel, waveform, snr_db, n, clips):
    """|y - h_hat x|^2 and what the receiver takes it for, means over each clip's data: (clip,) each."""
    seeds = Seeds(3, tuple(range(clips)))
    flow, waveform = data(n, seeds), waveform.designed_for(channel)
    heard = channel(waveform.modulate(flow).payload.iq, snr_db, seeds)
    received = waveform.demodulate(heard, snr_db)
    grid = to_grid(heard.iq, waveform.num_subcarriers, waveform.cyclic_prefix, waveform._advance)
    y = grid[:, ~waveform._layout.is_pilot(grid.shape[1])][:, :n]
    gain_power = (y / received.iq[:, :n]).abs() ** 2
    left = gain_power * (received.iq[:, :n] - flow.payload.iq).abs() ** 2
    return left.double().mean(1), (gain_power * received.noise_var[:, :n]).double().mean(1)


@pytest.mark.parametrize("estimator", ["ls", "lmmse"])
def test_what_is_stated_at_500_km_h_is_right_to_the_edges_of_a_burst(estimator):
    """Few fades fall into 3,000 symbols: 40 such bursts lie up to 1.4 dB off the truth, 400 are enough."""
    left, stated = residuals(Tdl("A", 30, 500), Ofdm(estimator=estimator), 25.0, 3000, 400)
    ratio = stated.mean() / left.mean()
    spread = (stated - ratio * left).std() / math.sqrt(400) / left.mean()  # of a ratio of means over clips
    assert abs(ratio - 1) < 4 * spread < 0.25


def test_lmmse_loses_little_against_true_gains_on_a_fast_channel():
    """TDL-A at 120 km/h and 20 dB: under 0.2 dB of SNR with what the channel states, over 5 dB if taken for 100 Hz."""
    mean = {
        name: residuals(Tdl("A", 30, 120), waveform, 20.0, 12_000, 20)[0].mean()
        for name, waveform in {
            "genie": Ofdm(estimator="genie"),
            "told": Ofdm(),
            "guessed": Ofdm(design_doppler_hz=100.0),
        }.items()
    }
    assert 0 < 10 * math.log10(mean["told"] / mean["genie"]) < 0.2
    assert 10 * math.log10(mean["guessed"] / mean["genie"]) > 5
