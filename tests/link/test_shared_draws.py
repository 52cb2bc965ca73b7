"""Draws before the run are made once for a channel and looked at from every SNR."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from semlink.blocks import ChannelBase
from semlink.link.chain import draws
from semlink.link.chain.air import over_the_air
from semlink.link.chain.draws import SharedDraws
from semlink.payload import ChannelOutput
from semlink.phy.channels.awgn import Awgn, NoisyChannel
from semlink.phy.channels.erasures import Erasure
from semlink.phy.channels.fading import Rayleigh, Rician
from semlink.phy.channels.multipath_38901 import Cdl, Tdl
from semlink.phy.channels.phase_noise import PhaseNoise
from semlink.phy.waveforms.ofdm import Ofdm
from semlink.phy.waveforms.pilots import probe
from semlink.phy.waveforms.single_carrier import SingleCarrier
from semlink.seeds import Seeds

SEEDS = Seeds(3, (4, 5), 6)
USES = 700
PILOTS = SingleCarrier(coherence=256, pilot_spacing=60)


@dataclass(frozen=True)
class Air:
    """As much of a link as symbols on the air need."""

    channel: ChannelBase
    waveform: Ofdm | SingleCarrier


@pytest.mark.parametrize(
    "air",
    [
        Air(Awgn(), PILOTS),
        Air(Rayleigh(coherence=256), PILOTS),
        Air(Rician(k_db=6.0, coherence=256), PILOTS),
        Air(PhaseNoise(1e-5), SingleCarrier(linewidth=1e-5)),
        Air(Erasure(0.1), PILOTS),
        Air(Tdl(), Ofdm(design_doppler_hz=20)),
        Air(Tdl("D", speed_kmh=60.0), Ofdm(design_doppler_hz=200)),
        Air(Cdl(), Ofdm(design_doppler_hz=20)),
    ],
    ids=lambda air: air.channel.name,
)
def test_a_shared_draw_is_what_the_channel_itself_gives(air):
    """At each SNR, whichever SNR it was first asked for."""
    shared = SharedDraws()
    for snr_db in (20.0, 5.0, 20.0, -3.0):
        expected = over_the_air(air, probe(USES, 2), snr_db, SEEDS).received
        received = shared.received(air, USES, snr_db, SEEDS)
        torch.testing.assert_close(received.noise_var, expected.noise_var, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(received.iq, expected.iq, rtol=1e-3, atol=1e-4)


@dataclass(frozen=True)
class Counted(NoisyChannel):
    """White noise that counts how often it is drawn."""

    draws: list[Seeds] = field(default_factory=list, compare=False)

    def without_noise(self, iq: torch.Tensor, seeds: Seeds) -> ChannelOutput:
        self.draws.append(seeds)
        return ChannelOutput(iq)


def test_other_snrs_draw_nothing_anew():
    channel, shared = Counted(), SharedDraws()
    for snr_db in range(6):
        shared.received(Air(channel, PILOTS), USES, snr_db, SEEDS)
    assert channel.draws == [SEEDS]
    shared.received(Air(channel, PILOTS), USES + 1, 0.0, SEEDS)
    assert len(channel.draws) == 2


def test_no_more_is_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(draws, "MOST_SYMBOLS", 5000)
    channel, shared = Counted(), SharedDraws()
    for trial in range(8):
        shared.received(Air(channel, PILOTS), USES, 0.0, Seeds(3, (4,), trial))
    assert shared.symbols <= 5000
    assert sum(noise.numel() for _, noise in shared.kept.values()) == shared.symbols > 0
