"""Bursts, interference, phase noise and power: against their own statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from semlink.phy.channels.erasures import Erasure, GilbertElliott
from semlink.phy.channels.interference import Interference
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.power import mean_power, papr_db, unit_power
from semlink.seeds import Seeds
from semlink.units import from_db


def ones(n, clips=1):
    return torch.ones(clips, n, dtype=torch.complex64)


def runs(lost):
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_erasures_come_at_their_rate_in_whole_blocks():
    heard = Erasure(0.2, block=10)(ones(200_000), 10.0, Seeds(1))
    blocks = heard.erased.reshape(-1, 10)
    assert (blocks.all(1) == blocks.any(1)).all()
    assert abs(blocks[:, 0].double().mean().item() - 0.2) < 5 * math.sqrt(0.16 / 20_000)
    assert (heard.iq[heard.erased] == 0).all() and (heard.iq[~heard.erased] != 0).all()


@pytest.mark.source("gilbert1960", "sec. II: sojourn times are geometric")
def test_gilbert_elliott_loss_and_burst_length():
    channel = GilbertElliott(p_gb=0.05, p_bg=0.25, block=1)
    lost = channel(ones(300_000), 10.0, Seeds(4)).erased[0].numpy()
    bursts = runs(lost)[1:-1]
    assert channel.mean_loss == pytest.approx(1 / 6)
    # neighbours correlate by 0.7: the mean's variance is (1 + 0.7) / (1 - 0.7) times that of independent draws
    assert abs(lost.mean() - 1 / 6) < 5 * math.sqrt(5 / 36 * 1.7 / 0.3 / lost.size)
    assert abs(bursts.mean() - 4) < 5 * math.sqrt(0.75) / 0.25 / math.sqrt(len(bursts))
    assert np.mean(bursts == 1) == pytest.approx(0.25, abs=5 * math.sqrt(0.19 / len(bursts)))


def test_gilbert_elliott_starts_in_its_stationary_law_and_mixes_losses():
    channel = GilbertElliott(0.1, 0.3, 1, loss_good=0.1, loss_bad=0.8)
    first = channel(ones(1, 4000), 10.0, Seeds(7, tuple(range(4000)))).erased
    assert channel.mean_loss == pytest.approx(0.25 * 0.8 + 0.75 * 0.1)
    assert abs(first.double().mean().item() - channel.mean_loss) < 5 * math.sqrt(0.2 / 4000)
    assert GilbertElliott(0.0, 1.0)(ones(50), 0.0, Seeds(1)).erased.sum() == 0
    assert GilbertElliott(1.0, 0.0)(ones(50), 0.0, Seeds(1)).erased.all()


@pytest.mark.parametrize("interferer", ["tone", "burst", "qam"])
def test_interference_has_the_stated_power(interferer):
    channel = Interference(3.0, interferer, duty=0.25, burst=16)
    heard = channel(torch.zeros(40, 5000, dtype=torch.complex64), 100.0, Seeds(5, tuple(range(40))))
    power = mean_power(heard.iq)
    assert abs(power.mean() - from_db(-3)) < 5 * power.std() / math.sqrt(40) + 1e-4
    assert heard.noise_var == pytest.approx(from_db(-3) + 1e-10)


def test_tone_is_a_tone_and_bursts_are_bursts():
    seeds = Seeds(5)
    tone = Interference(0.0, frequency=0.125)(torch.zeros(1, 64, dtype=torch.complex64), 120.0, seeds).iq
    spectrum = torch.fft.fft(tone)[0].abs()
    assert spectrum.argmax() == 8 and spectrum[8] == pytest.approx(64, rel=1e-4)
    burst = Interference(0.0, "burst", duty=0.1, burst=50)(torch.zeros(1, 50_000, dtype=torch.complex64), 120.0, seeds)
    loud = burst.iq.abs().reshape(-1, 50) > 1e-4
    share = loud.double().mean(1)
    assert set((share > 0.5).tolist()) == {True, False} and ((share > 0.9) | (share < 0.1)).all()
    assert abs((share > 0.5).double().mean().item() - 0.1) < 5 * math.sqrt(0.09 / 1000)


@pytest.mark.source("foschini1988", "introduction: Var(phi(t)) = 2 pi linewidth t")
def test_phase_noise_variance_grows_as_a_wiener_process():
    linewidth, clips = 1e-3, 4000
    channel = PhaseNoise(linewidth)
    gain = channel(ones(101, clips), 20.0, Seeds(6, tuple(range(clips)))).gain
    assert (gain[:, 0] == 1).all()
    torch.testing.assert_close(gain.abs(), torch.ones(clips, 101))
    for steps in (10, 100):
        variance = (gain[:, steps].angle() - gain[:, 0].angle()).double().var().item()
        expected = 2 * math.pi * linewidth * steps
        assert abs(variance / expected - 1) < 5 * math.sqrt(2 / clips)


def test_power_helpers():
    x = torch.tensor([[3 + 4j, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.complex64)
    assert mean_power(unit_power(x)).tolist() == pytest.approx([1, 1])
    assert papr_db(x).tolist() == pytest.approx([10 * math.log10(4), 0], abs=1e-5)
    with pytest.raises(ValueError, match="every clip > 0"):
        unit_power(torch.zeros(1, 3, dtype=torch.complex64))


@pytest.mark.parametrize(
    "channel",
    [Erasure(0.3, 4), GilbertElliott(0.1, 0.4, 3), PhaseNoise(1e-2)]
    + [Interference(5.0, kind) for kind in ("tone", "burst", "qam")],
)
def test_prefix_and_single_clip(channel):
    seeds = Seeds(2, (3, 8))
    x = torch.view_as_complex(seeds.normal("x", 600, 2))
    heard = channel(x, 5.0, seeds)
    torch.testing.assert_close(channel(x[:, :250], 5.0, seeds).iq, heard.iq[:, :250], rtol=0, atol=1e-6)
    assert torch.equal(channel(x[1:], 5.0, seeds.alone(1)).iq, heard.iq[1:])


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Erasure(1.2), r"Erasure.probability: got 1.2; need a finite number in \[0, 1\]"),
        (lambda: Erasure(0.1, 0), "Erasure.block: got 0"),
        (lambda: GilbertElliott(-0.1, 0.5), "p_gb"),
        (lambda: GilbertElliott(0, 0), "at least one"),
        (lambda: Interference(math.nan), "sir_db"),
        (lambda: Interference(3, "noise"), "one of tone, burst, qam"),
        (lambda: Interference(3, frequency=0.7), "frequency"),
        (lambda: Interference(3, "burst", duty=0), "duty"),
        (lambda: PhaseNoise(-1e-3), "linewidth"),
    ],
)
def test_nonsense_is_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()
