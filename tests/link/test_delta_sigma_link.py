"""The delta-sigma codec over the air: coded, direct, as a bound; what it costs and what noise does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from delta_sigma_toys import SMALL, scene, write_delta
from elsewhere import received_elsewhere
from pydantic import TypeAdapter

from semlink.errors import Infeasible, ScenarioError
from semlink.link.chain.transmit import run_clip
from semlink.link.results.rows import read_csv
from semlink.link.scenario.build import build_link
from semlink.link.scenario.loader import load_scenario
from semlink.link.schemes.delta_sigma_direct.scheme import ROOT, ChannelCounts, DeltaSigmaDirect
from semlink.link.schemes.interleaver import interleaver
from semlink.link.schemes.registry import AnyScheme
from semlink.link.sweep.grid import grid
from semlink.payload import Agreement, Frames, FrameShape, Point, Received, Terms
from semlink.phy.specs.channels import AwgnSpec
from semlink.seeds import Seeds

SHAPE = FrameShape(16, 48, 64)
BITS = 8 * 2 * 6 * 8  # of one channel of a clip
CLIP = Frames(torch.from_numpy(scene())[None])


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_delta(tmp_path_factory.mktemp("delta"), stirred=0.0)


def psnr_db(outcome) -> float:
    error = outcome.frames.pixels[0].numpy() - scene()
    return float(-10 * np.log10(np.square(error).mean()))


def spec_of(weights: str, **options):
    entry = {"name": "x", "kind": "delta-sigma-direct", "weights": weights} | options
    return TypeAdapter(AnyScheme).validate_python(entry)


def link_of(weights: str, **options):
    return build_link(spec_of(weights, **options), AwgnSpec(kind="awgn"), None, streams=None, folder=None)


def sent(link, snr_db: float, *, budget: int | None = None, rate: float | None = None, trial: int = 0):
    agreed = link.transmitter.agree(SHAPE, link.point(snr_db, budget, rate), None)
    return agreed, run_clip(link, CLIP, agreed, Seeds(1, (0,), trial), budget=budget, audit=trial == 0)


@pytest.mark.parametrize("modulation, order", [("bpsk", 1), ("qpsk", 2)])
def test_every_symbol_is_payload_and_nothing_else_is_sent(weights, modulation, order):
    for k in (2, 7):
        _, outcome = sent(link_of(weights, modulation=modulation), 10.0, rate=k)
        spent = outcome.ledger.by_purpose()
        assert spent["payload"] == outcome.ledger.symbols == k * BITS / order


def test_a_budget_is_filled_block_by_block(weights):
    """One more channel for as many parts as fit; a part is 1/64 of a group."""
    link = link_of(weights)
    for budget in (BITS, BITS + 30, 3 * BITS - 1, 5 * BITS, 40 * BITS):
        agreed, outcome = sent(link, 10.0, budget=budget)
        most = min(budget, 12 * BITS // 2)
        assert most - 8 <= outcome.ledger.symbols <= most
        assert agreed.terms.channels == min(2 * budget // BITS, 12)


def test_odd_bits_of_qpsk_are_padded_and_charged(tmp_path):
    model = SMALL | {"group": 3, "width": 18, "channels": 3}
    name = write_delta(tmp_path, model=model, options={"kept": [1, 3]}, name="three")
    scheme = DeltaSigmaDirect(name)
    frames = Frames(torch.from_numpy(scene()[:3, :8, :24])[None])
    agreed = scheme.agree(frames.shape, Point(10.0, rate=3), None)
    flow = scheme.transmit(frames, agreed, Seeds(0))
    assert flow.payload.iq.shape == (1, 14) and float(flow.ledger.spent_on("header")) == 0.5
    heard = Received(flow.payload.iq, torch.full((1, 14), 1e-4))
    direct = scheme.receive(heard, agreed).frames.pixels
    soft = replace(scheme, soft=False).receive(heard, agreed).frames.pixels
    torch.testing.assert_close(direct, soft)


def test_without_noise_it_is_the_coded_path(weights):
    from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec

    codec = DeltaSigmaCodec(weights)
    coded = codec.decode(codec.encode_at(scene(), 8), SHAPE)
    for soft in (True, False):
        _, outcome = sent(link_of(weights, soft=soft), 60.0, rate=8)
        np.testing.assert_allclose(outcome.frames.pixels[0].numpy(), coded, atol=1e-5)


def test_quality_follows_the_channel_without_a_cliff(weights):
    """Below 0 dB there is still no error, each 2 dB cost a little, and soft bits beat decided ones."""
    soft, hard = link_of(weights), link_of(weights, soft=False)
    curves = [[psnr_db(sent(link, snr_db, rate=8)[1]) for snr_db in range(-6, 15, 2)] for link in (soft, hard)]
    for curve in curves:
        assert all(a < b + 0.6 for a, b in zip(curve, curve[1:])) and curve[-1] - curve[0] > 3
        assert max(b - a for a, b in zip(curve, curve[1:])) < 4  # a cliff loses everything within one step
    assert all(a > b for a, b in zip(curves[0][:4], curves[1][:4]))
    assert curves[0][-1] == pytest.approx(curves[1][-1], abs=0.05)


def test_bits_that_never_arrived_are_unknown_not_wrong(weights):
    link = link_of(weights)
    agreed, _ = sent(link, 10.0, rate=8)
    flow = link.transmitter.transmit(CLIP, agreed, Seeds(0))
    noise = torch.full(flow.payload.iq.shape, 1e-3)
    whole = link.receiver.receive(Received(flow.payload.iq, noise), agreed).frames.pixels
    lost = torch.rand(noise.shape, generator=torch.Generator().manual_seed(0)) < 0.2
    garbage = torch.where(lost, -flow.payload.iq, flow.payload.iq)
    marked = link.receiver.receive(Received(garbage, noise.masked_fill(lost, torch.inf)), agreed).frames.pixels
    unmarked = link.receiver.receive(Received(garbage, noise), agreed).frames.pixels
    error = [float((pixels - CLIP.pixels).square().mean()) for pixels in (whole, marked, unmarked)]
    assert error[0] < error[1] < error[2]


def test_the_interleaver_is_a_permutation_that_length_gives():
    for length in (1, 7, 1000):
        order = interleaver(ROOT, length)
        assert sorted(order) == list(range(length)) and np.array_equal(order, interleaver(ROOT, length))
    assert np.abs(np.diff(interleaver(ROOT, 1000))).mean() > 100


@pytest.mark.slow  # every run holds a receiver of its own process against this one; see test_boundary_ends.py
def test_the_receiver_needs_nothing_of_the_transmitter(weights, tmp_path):
    entry = {"name": "x", "kind": "delta-sigma-direct", "weights": weights}
    link = link_of(weights)
    agreed, _ = sent(link, 4.0, budget=2 * BITS)
    flow = link.transmitter.transmit(CLIP, agreed, Seeds(0))
    heard = Received(flow.payload.iq, torch.full(flow.payload.iq.shape, 0.3))
    there = received_elsewhere(tmp_path, entry, heard, agreed)
    np.testing.assert_allclose(there["pixels"], link.receiver.receive(heard, agreed).frames.pixels.numpy(), atol=1e-6)


def test_refusals(weights):
    scheme = spec_of(weights).build()
    with pytest.raises(Infeasible, match=f"2 channels take {BITS} channel uses, the budget is {BITS - 1}"):
        scheme.agree(SHAPE, Point(10.0, budget_uses=BITS - 1), None)
    with pytest.raises(ScenarioError, match="rates: got 13 channels; allowed: whole numbers from 2 to 12"):
        scheme.agree(SHAPE, Point(10.0, rate=13), None)
    with pytest.raises(ScenarioError, match="channels: got 20 channels"):
        spec_of(weights, channels=20).build()
    fixed = spec_of(weights, channels=6).build()
    assert fixed.agree(SHAPE, Point(10.0, budget_uses=9 * BITS), None).terms == ChannelCounts(6, 0)
    with pytest.raises(Infeasible, match="6 channels take"):
        fixed.agree(SHAPE, Point(10.0, budget_uses=2 * BITS), None)


SCENARIO = """
name: tiny
source: {kind: scenes, clips: 1, frames: 8, size: [64, 64]}
channel: {kind: awgn}
sweep: {snr_db: [0, 12], budget: 0.2}
schemes:
  - name: coded
    kind: digital
    codec: {kind: delta-sigma, weights: WEIGHTS}
    coding: {kind: ldpc, modulation: qpsk, rate: 1/2}
  - {name: packed, kind: digital, codec: {kind: delta-sigma, weights: WEIGHTS, entropy: true}, coding: {kind: uncoded}}
  - {name: viterbi, kind: digital, codec: {kind: delta-sigma, weights: WEIGHTS}, coding: {kind: convolutional}}
  - {name: bound, kind: digital, codec: {kind: delta-sigma, weights: WEIGHTS}, coding: {kind: capacity}}
  - name: bits
    kind: digital
    codec: {kind: delta-sigma, weights: WEIGHTS, channels: 3}
    coding: {kind: error-free}
    rates: [3]
  - {name: direct, kind: delta-sigma-direct, weights: WEIGHTS}
metrics: [psnr, ms_ssim]
trials: {min: 2, max: 2}
"""


def test_it_works_with_every_coding(weights, tmp_path):
    from semlink.link.sweep.plan import Job
    from semlink.link.sweep.run import run

    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO.replace("WEIGHTS", weights))
    scenario = load_scenario(path)
    assert len(list(grid(scenario))) == 12
    rows = {(row.scheme, row.snr_db): row for row in run(Job(scenario, tmp_path / "out")).rows}
    pixels = 8 * 64 * 64
    for (name, _), row in rows.items():
        assert row.psnr_db is not None, (name, row.note)
        if name == "bits":
            payload = 8 * (3 * 64 + 3 + 3)  # three channels of 64 blocks, headers of the codec and of the packet
            assert row.bound and row.channel_uses == payload and row.channel_uses_per_pixel == payload / pixels
        else:
            assert row.channel_uses <= 0.2 * pixels
    assert rows["coded", 0].bler == 1 and rows["coded", 12].bler == 0 and rows["direct", 0].bler is None
    assert rows["direct", 12].psnr_db > rows["direct", 0].psnr_db + 1
    assert rows["packed", 12].psnr_db > 20 and rows["viterbi", 12].psnr_db > 20
    stored = {(row.scheme, row.snr_db): row for row in read_csv(tmp_path / "out/curves.csv")}
    assert 0 < stored["direct", 12].extra["ms_ssim"] <= 1 and "ms_ssim_ci95" in stored["direct", 12].extra


def test_a_scenario_refuses_what_cannot_be(tmp_path):
    path = tmp_path / "tiny.yaml"
    for wrong, said in (
        ("channels: 0", "1 or more"),
        ("chanels: 3", "did you mean 'channels'"),
        ("entropy: maybe", "true or false"),
    ):
        tree = yaml.safe_load(SCENARIO)
        tree["schemes"] = [tree["schemes"][0] | {"codec": {"kind": "delta-sigma"} | yaml.safe_load(f"{{{wrong}}}")}]
        path.write_text(yaml.safe_dump(tree))
        with pytest.raises(ScenarioError, match=said):
            load_scenario(path)
    assert Agreement(SHAPE, Point(1.0, rate=2)).terms == Terms()
