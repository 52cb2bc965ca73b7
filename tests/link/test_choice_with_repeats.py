"""`mcs: best` with HARQ: the model of repeats against closed forms and the real chain, and the choice made by it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import toys

import semlink
from semlink.blocks import ChannelBase
from semlink.feedback import BurstContext, Repeats
from semlink.link.chain import calibration
from semlink.link.chain.choice.contenders import Contender, contenders
from semlink.link.chain.choice.repeated import repeated
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.schemes.digital.burst_schedule import Rules
from semlink.link.schemes.digital.interactive import InteractiveScheme
from semlink.link.sweep.clips import load_clips
from semlink.link.sweep.grid import grid
from semlink.link.sweep.point_runner import PointRunner
from semlink.payload import ChannelOutput, Frames, FrameShape, Point
from semlink.phy.coding.ldpc_coding import LdpcCoding
from semlink.phy.coding.link_adaptation import Adaptive, Harq
from semlink.phy.error_curves.fades import Fades
from semlink.phy.error_curves.information import information
from semlink.phy.error_curves.waterfall import Waterfall
from semlink.phy.waveforms.plain import Plain
from semlink.seeds import Seeds

SNR_DB, MIDDLE_DB, QPSK = 5.0, 4.0, 2


def steep(blocks: int) -> Contender:
    """Blocks of 100 symbols, lost below 4 dB and never above."""
    edges = 100.0 * np.arange(blocks + 1)
    return Contender("steep", LdpcCoding(QPSK, 0.5), 100 * blocks, 50 * blocks, edges, Waterfall(MIDDLE_DB, 1e-3), True)


def drawn(gains: np.ndarray, uses: int) -> Fades:
    """Draws whose symbols meet these power gains in stretches of equal length: (draw, stretch)."""
    fades = Fades(uses, (QPSK,))
    fades.add(np.repeat(10 ** (-SNR_DB / 10) / gains, uses // gains.shape[1], axis=1))
    return fades


def test_repeats_of_the_same_bits_add_up_the_gains_that_they_meet():
    """Two independent Rayleigh gains: P(g1 + g2 < t) = 1 - (1 + t) exp(-t)."""
    gains = np.random.default_rng(3).exponential(size=(1000, 2))
    chase = repeated(steep(1), Repeats(2, 200, adds_bits=False))
    least = 10 ** ((MIDDLE_DB - SNR_DB) / 10)
    expected = 1 - (1 + least) * math.exp(-least)
    assert chase.losses(drawn(gains, 200)).mean() == pytest.approx(expected, abs=0.03)
    once = repeated(steep(1), Repeats(1, 200))
    assert once.losses(drawn(gains, 200)).mean() == pytest.approx(1 - math.exp(-least), abs=0.03)


def test_repeats_of_new_bits_add_up_what_they_tell():
    gains = np.random.default_rng(4).exponential(size=(1000, 2))
    fresh = repeated(steep(1), Repeats(2, 200))
    need = float(information(np.array(MIDDLE_DB), QPSK))

    first = 10 ** ((MIDDLE_DB - SNR_DB) / 10) * (np.arange(4000) + 0.5) / 4000
    left = need - information(SNR_DB + 10 * np.log10(first), QPSK)
    grid_db = np.arange(-30, 30, 0.01)
    enough_db = grid_db[np.searchsorted(information(grid_db, QPSK), left)]
    too_little = 1 - np.exp(-(10 ** ((enough_db - SNR_DB) / 10)))
    expected = float((too_little * np.exp(-first)).mean() * 10 ** ((MIDDLE_DB - SNR_DB) / 10))
    assert fresh.losses(drawn(gains, 200)).mean() == pytest.approx(expected, abs=0.03)
    chase = repeated(steep(1), Repeats(2, 200, adds_bits=False))
    assert fresh.losses(drawn(gains, 200)).mean() < chase.losses(drawn(gains, 200)).mean()


def test_what_finds_no_room_is_given_up_from_the_end():
    """Four blocks, the first three in a fade that ends with the burst; room for two repeats of a block."""
    gains = np.array([[1e-3, 1e-3, 1e-3, 10.0, 10.0, 10.0], [1e-3, 1e-3, 1e-3, 10.0, 1e-3, 10.0]])
    lost = repeated(steep(4), Repeats(3, 600)).losses(drawn(gains, 600)).reshape(2, -1, 4).mean(axis=1)
    assert lost.round().tolist() == [[0, 0, 1, 0], [1, 0, 1, 0]]


class Gusts(ChannelBase):
    """Noise whose power, which the receiver is told, holds for 150 symbols: as after an equalised Rayleigh gain."""

    name = "gusts"

    def __call__(self, iq, snr_db, seeds):
        noise_var = torch.from_numpy(gusts(seeds, iq.shape[1], snr_db))[None]
        noise = torch.from_numpy(seeds.numpy("noise").normal(size=(iq.shape[1], 2)).astype(np.float32))
        w = torch.view_as_complex(noise) * (noise_var / 2).sqrt()
        return ChannelOutput(iq + w, noise_var=noise_var)


def gusts(seeds: Seeds, uses: int, snr_db: float) -> np.ndarray:
    gains = seeds.numpy("gusts").exponential(size=20)
    return np.repeat(10 ** (-snr_db / 10) / gains, 150)[:uses].astype(np.float32)


@pytest.mark.parametrize("kind", ["ir", "chase"])
def test_blocks_are_lost_as_often_as_over_the_real_chain(kind):
    coding, snr_db, budget, trials = LdpcCoding(4, 0.5, block_bits=512), 4.0, 1500, 120
    harq, clip = Harq(kind, reserve=0.4, transmissions=3), Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))
    ends = [InteractiveScheme(toys.Thumbnails(), {"only": coding}, Rules(harq)) for _ in range(2)]
    link = Link(*ends, Plain(), Gusts())
    point = link.point(snr_db, budget, None)
    agreed = ends[0].agree(clip.shape, point, None)
    uses = ends[0].next_burst(clip, agreed, Seeds(9), (), BurstContext(budget)).payload.iq.shape[1]
    first = contenders(ends[0].rules.fitted({"only": coding}, clip.shape, point), uses)[0].measured()
    fades = Fades(budget, (4,))
    for draw in range(300):
        fades.add(gusts(Seeds(8, (0,), draw), budget, snr_db)[None])
    sent = [run_clip(link, clip, agreed, Seeds(9, (0,), trial), budget=budget) for trial in range(trials)]
    lost = np.array([outcome.lost / outcome.blocks for outcome in sent])
    modelled = repeated(first, ends[0].repeats(point)).losses(fades).mean()
    assert 0.03 < lost.mean() < 0.4
    assert modelled == pytest.approx(lost.mean(), abs=4 * lost.std() / math.sqrt(trials) + 0.015)


def choice_in(folder, monkeypatch, channel: dict, waveform: dict) -> tuple[str, int]:
    """The coding that a run would settle on, and how often codings were tried over the real chain for it."""
    tries: list[str] = []
    by_trials = calibration.best_by_trials
    monkeypatch.setattr(calibration, "best_by_trials", lambda *given: tries.append("tried") or by_trials(*given))
    scenario = semlink.load(
        {
            "name": "repeats",
            "source": {"kind": "scenes", "clips": 1, "frames": 4, "size": [64, 64]},
            "channel": channel,
            "waveform": waveform,
            "sweep": {"snr_db": [10], "budget": [0.2]},
            "schemes": [
                {"name": "a", "kind": "digital", "codec": {"kind": "h264"}, "coding": {"kind": "ldpc", "mcs": "best"}}
            ],
            "metrics": ["psnr"],
            "trials": {"min": 1, "max": 1},
        },
        ["schemes.0.coding.harq={kind: ir}"],
    )
    runner = PointRunner.of(scenario, load_clips(scenario, None), folder, None)
    point = grid(scenario)[0]
    return runner.deals(runner.link(point), point)[0].agreement.terms.coding, len(tries)


def test_the_model_chooses_where_the_receiver_can_be_believed(tmp_path, monkeypatch):
    coding, tries = choice_in(tmp_path, monkeypatch, {"kind": "awgn"}, {"kind": "plain"})
    assert tries == 0
    bits, rate = {"qpsk": 2, "16qam": 4, "64qam": 6}[coding.split()[0]], float(coding.split()[1].split("/")[0]) / 1024
    assert 2.2 < bits * rate < 3.2, "Shannon's limit at 10 dB is 3.5 bits a symbol"


def test_codings_are_tried_where_it_cannot(tmp_path, monkeypatch):
    """A phase that wanders without a word to the receiver."""
    channel = {"kind": "phase-noise", "linewidth": 1e-2}
    coding, tries = choice_in(tmp_path, monkeypatch, channel, {"kind": "plain"})
    assert tries == 1 and coding


def test_what_adapts_is_no_matter_of_the_model():
    point = Point(10.0, 1500, None)
    scheme = InteractiveScheme(toys.Thumbnails(), {"only": LdpcCoding(4, 0.5)}, Rules(Harq(), Adaptive()))
    assert scheme.repeats(point) is None and scheme.first_alone(FrameShape(4, 32, 32), point) is None
