"""AWGN and the plain waveform: the noise is what the SNR says."""

from __future__ import annotations

import math

import pytest
import torch

from semlink.flow import Flow
from semlink.payload import ChannelOutput, Symbols
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds
from semlink.units import to_db

N = 200_000


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 30.0])
def test_noise_power_is_that_of_the_snr(snr_db):
    heard = Awgn()(torch.ones(1, N, dtype=torch.complex64), snr_db, Seeds(3))
    noise = heard.iq - 1
    for part in (noise.real, noise.imag):
        # var of a sample variance: 2/N relative
        assert abs(part.double().var().item() * 2 * 10 ** (snr_db / 10) - 1) < 5 * math.sqrt(2 / N)
    assert to_db(1 / heard.noise_var) == pytest.approx(snr_db)


def test_noise_ignores_the_signal_and_its_power():
    seeds = Seeds(1, (0, 1))
    quiet = Awgn()(torch.zeros(2, 50, dtype=torch.complex64), 5.0, seeds).iq
    loud = Awgn()(torch.full((2, 50), 7j, dtype=torch.complex64), 5.0, seeds).iq - 7j
    torch.testing.assert_close(quiet, loud, atol=2e-6, rtol=0)


def test_batch_of_many_equals_many_of_one_and_prefix_holds():
    seeds = Seeds(1, (4, 9))
    iq = torch.ones(2, 64, dtype=torch.complex64)
    both = Awgn()(iq, 0.0, seeds).iq
    assert torch.equal(both[1:], Awgn()(iq[1:], 0.0, seeds.alone(1)).iq)
    assert torch.equal(both[:, :20], Awgn()(iq[:, :20], 0.0, seeds).iq)


@pytest.mark.parametrize("snr_db", [math.nan, math.inf])
def test_snr_must_be_finite(snr_db):
    with pytest.raises(ValueError, match="snr_db"):
        Awgn()(torch.ones(1, 4, dtype=torch.complex64), snr_db, Seeds(1))


def test_clip_count_must_match():
    with pytest.raises(ValueError, match="2 clips"):
        Awgn()(torch.ones(1, 4, dtype=torch.complex64), 0.0, Seeds(1, (0, 1)))


def test_plain_charges_nothing_and_names_noise():
    flow = Flow(Symbols(torch.ones(1, 4, dtype=torch.complex64)))
    assert Plain().modulate(flow) is flow
    assert Plain().data_uses(17) == 17
    erased = torch.tensor([[False, True, False, False]])
    received = Plain().demodulate(ChannelOutput(flow.payload.iq, noise_var=0.5, erased=erased), 10.0)
    assert received.noise_var.tolist() == [[0.5, math.inf, 0.5, 0.5]]
    assert not received.genie
    told_by_snr = Plain().demodulate(ChannelOutput(flow.payload.iq), 10.0)
    torch.testing.assert_close(told_by_snr.noise_var, torch.full((1, 4), 0.1))
