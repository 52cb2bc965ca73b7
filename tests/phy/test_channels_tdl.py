"""3GPP multipath: profile, delay spread, Doppler, and a filter that does what it says."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from scipy import special, stats

from semlink.phy.channels.multipath_38901 import LAST_DELAY, Cdl, Tdl
from semlink.phy.channels.sionna_paths import draw_paths, path_seed, sionna_model
from semlink.phy.channels.tapped_delay_line import filter_with, taps_from_paths
from semlink.seeds import Seeds

CLIPS = 400
SEEDS = Seeds(9, tuple(range(CLIPS)))


def paths(channel, family="tdl", steps=1, rate_hz=1.0, clips=CLIPS):
    model = sionna_model(family, channel.profile, channel.delay_spread_ns * 1e-9, 3.5e9, channel.speed_kmh / 3.6)
    drawn = [draw_paths(model, path_seed(SEEDS, clip), steps, rate_hz) for clip in range(clips)]
    return torch.stack([gains for gains, _ in drawn]), drawn[0][1]


@pytest.mark.source("3gpp38901", "tables 7.7.2-1 to 7.7.2-5")
@pytest.mark.parametrize("profile", "ABCDE")
def test_power_is_one_and_delay_spread_as_asked(profile):
    gains, delays = paths(Tdl(profile, delay_spread_ns=100))
    power = gains[..., 0].abs().square()
    total = power.sum(1)
    assert abs(total.mean() - 1) < 5 * total.std() / math.sqrt(CLIPS)
    share = power.mean(0) / power.mean(0).sum()
    mean = (share * delays).sum()
    spread = ((share * delays**2).sum() - mean**2).sqrt().item()
    assert spread == pytest.approx(100e-9, rel=0.12)  # 400 draws of the profile; exact below
    assert delays.max().item() == pytest.approx(LAST_DELAY[profile] * 100e-9, rel=1e-6)
    exact = sionna_model("tdl", profile, 100e-9, 3.5e9, 0.0).mean_powers
    mean = (exact * delays).sum()
    assert ((exact * delays**2).sum() - mean**2).sqrt().item() == pytest.approx(100e-9, rel=0.01)


@pytest.mark.parametrize("profile", "ABCDE")
def test_clustered_profiles_have_unit_power_and_the_same_last_path(profile):
    gains, delays = paths(Cdl(profile), "cdl", clips=150)
    total = gains[..., 0].abs().square().sum(1)
    assert abs(total.mean() - 1) < 5 * total.std() / math.sqrt(150)
    assert delays.max().item() <= LAST_DELAY[profile] * 100e-9 * (1 + 1e-6)


def test_power_delay_profile_on_the_antenna():
    """An impulse in, the taps out: each has the power of the paths under its sinc."""
    channel = Tdl("C", delay_spread_ns=300)
    iq = torch.zeros(CLIPS, 60, dtype=torch.complex64)
    iq[:, 20] = 1
    power = channel(iq, 200.0, SEEDS).iq.abs().square().double()
    model = sionna_model("tdl", "C", 300e-9, 3.5e9, 3 / 3.6)
    lags = np.arange(-6, 17)
    delays = (model.delays.double().numpy() * channel.bandwidth_hz)[None]
    shares = np.sinc(lags[:, None] - delays) ** 2
    expected = (shares / shares.sum(0) * model.mean_powers.double().numpy()).sum(1)
    got, spread = power[:, 20 + lags], power[:, 20 + lags].std(0) / math.sqrt(CLIPS)
    assert (np.abs(got.mean(0).numpy() - expected) < 5 * spread.numpy() + 1e-6).all()
    assert (power[:, :14] < 1e-15).all()


@pytest.mark.source("3gpp38901", "tables 7.7.2-1 to 7.7.2-5: powers add up to 1")
@pytest.mark.parametrize("profile", "ABCDE")
@pytest.mark.parametrize("bandwidth_mhz", [1.92, 3.84, 7.68, 15.36, 30.72, 5.3, 100.0])
def test_mean_power_is_one_at_every_bandwidth(profile, bandwidth_mhz):
    """The mean power of all taps, from the table's powers and delays: within 0.01 dB."""
    for spread_ns in (0.0, 10.0, 30.0, 100.0, 363.0):
        model = sionna_model("tdl", profile, spread_ns * 1e-9, 3.5e9, 0.0)
        powers, delays = model.mean_powers.double(), model.delays.double() * bandwidth_mhz * 1e6
        taps = taps_from_paths(torch.eye(len(powers), dtype=torch.float64), delays, delays.max().item())
        assert abs(10 * math.log10(float((taps.square() @ powers).sum()))) < 0.01


def test_the_antenna_hears_power_one():
    """Profile A at 7.68 MHz, where paths fall between samples: 0.07 dB were lost."""
    channel = Tdl("A", 100, 300, bandwidth_mhz=7.68)
    sent = torch.polar(torch.ones(1), 2 * torch.pi * torch.rand(200, 3000, generator=torch.Generator().manual_seed(1)))
    heard = channel(sent, 200.0, Seeds(4, tuple(range(200)))).iq[:, 30:].abs().square().double().mean(1)
    assert abs(heard.mean() - 1) < 4 * heard.std() / math.sqrt(200)


def test_the_gain_of_a_carrier_is_rayleigh_or_rician():
    ones = torch.ones(CLIPS, 40, dtype=torch.complex64)
    for channel in (Tdl("A"), Tdl("D", delay_spread_ns=30)):
        gain = channel(ones, 200.0, SEEDS).iq[:, 30].abs().square()
        k = channel.k_factor
        law = stats.ncx2(2, 2 * k, scale=1 / (2 * k + 2)).cdf if k else "expon"
        assert stats.kstest(gain.numpy(), law).pvalue > 1e-4
    assert Tdl("A").law == "rayleigh" and Tdl("D").law == ("rician", Tdl("D").k_factor)


@pytest.mark.source("clarke1968", "autocorrelation of isotropic scattering, J0(2 pi fd tau)")
def test_doppler_autocorrelation_is_bessel():
    channel = Tdl("A", delay_spread_ns=0, speed_kmh=120)
    ones = torch.ones(200, 6000, dtype=torch.complex64)
    gain = channel(ones, 200.0, Seeds(2, tuple(range(200)))).iq[:, 10:]
    for lag in (1000, 3000, 5000):
        products = (gain[:, lag:] * gain[:, :-lag].conj()).real.double().mean(1)
        expected = special.j0(2 * math.pi * channel.doppler_hz * lag / channel.bandwidth_hz)
        assert abs(products.mean() - expected) < 5 * products.std() / math.sqrt(200) + 1e-3


def test_filter_agrees_with_sionnas_time_channel():
    from sionna.phy.channel import ApplyTimeChannel, cir_to_time_channel

    gains, delays = paths(Tdl("C", delay_spread_ns=300), steps=80, rate_hz=3.84e6, clips=2)
    lags = torch.arange(-6, 17, dtype=torch.float64)
    cut = torch.sinc(lags[:, None] - delays * 3.84e6).square().sum(0).sqrt()  # of a path, by its power
    a, tau = (gains / cut[:, None])[:, None, None, None, None], delays.expand(2, 1, 1, -1)
    theirs = cir_to_time_channel(3.84e6, a, tau, -6, 16)  # (2, 1, 1, 1, 1, 80, 23)
    x = Seeds(1, (0, 1)).complex_normal("x", 58).to(torch.complex128)
    apply = ApplyTimeChannel(58, 23, precision="double", device="cpu")
    expected = apply(x[:, None, None], theirs)[:, 0, 0]  # their first output stands at lag -6
    ours = torch.stack([taps_from_paths(g, delays * 3.84e6, 9.97) for g in gains])
    taps = torch.nn.functional.pad(ours[..., 6:], (0, 6))  # their tap times count from the first output
    assert ours.shape[1] == 23
    torch.testing.assert_close(filter_with(x, taps, -6, 1)[:, :50], expected[:, 6:56], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channel", [Tdl("C", 300, 30), Cdl("D", 100, 30), Tdl("E", speed_kmh=0)])
def test_prefix_batch_gradient_and_untouched_generators(channel):
    from sionna.phy import config

    seeds = Seeds(2, (3, 8))
    iq = seeds.complex_normal("x", 3000).requires_grad_()
    before = torch.get_rng_state(), config.torch_rng("cpu").get_state(), random.getstate()
    heard = channel(iq, 5.0, seeds)
    after = torch.get_rng_state(), config.torch_rng("cpu").get_state(), random.getstate()
    assert torch.equal(before[0], after[0]) and torch.equal(before[1], after[1]) and before[2] == after[2]
    config.torch_rng("cpu").manual_seed(77)
    assert torch.equal(channel(iq, 5.0, seeds).iq, heard.iq)
    assert torch.equal(channel(iq[1:], 5.0, seeds.alone(1)).iq, heard.iq[1:])
    torch.testing.assert_close(channel(iq[:, :1500], 5.0, seeds).iq[:, :1490], heard.iq[:, :1490], rtol=0, atol=1e-5)
    (heard.iq[0, 40].real + heard.iq[0, 40].imag).backward()
    taps = heard.taps[0, :, 0]
    torch.testing.assert_close(iq.grad[0, 40], taps[6].conj() * (1 + 1j), rtol=1e-2, atol=1e-2)
    assert iq.grad[1].abs().max() == 0


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Tdl("F"), "Tdl.profile: got 'F'; need one of A, B, C, D, E"),
        (lambda: Tdl(delay_spread_ns=-1), "delay_spread_ns: got -1"),
        (lambda: Cdl(speed_kmh=-3), "Cdl.speed_kmh"),
        (lambda: Tdl(carrier_ghz=0.1), "carrier_ghz"),
        (lambda: Tdl(bandwidth_mhz=math.inf), "bandwidth_mhz"),
        (lambda: Tdl()(torch.ones(1, 3, dtype=torch.complex64), math.nan, Seeds(1)), "snr_db"),
    ],
)
def test_nonsense_is_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()
