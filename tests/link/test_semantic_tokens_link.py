"""Semantic tokens in the link: costs, losses, sizes, two ends that agree, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from elsewhere import received_elsewhere
from semantic_token_toys import make_semantic_net, write_semantic_tokens
from semantic_toys import SENSOR, untrained

from semlink.caching import Memo
from semlink.errors import Infeasible, ScenarioError, SemlinkError
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.transmit import run_clip
from semlink.link.scenario.build import build_link
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import Frames, Point, Received
from semlink.seeds import Seeds


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return Path(write_semantic_tokens(tmp_path_factory.mktemp("weights"), make_semantic_net()))


def moving(h: int = 64, w: int = 64) -> Frames:
    t, y, x = torch.meshgrid(torch.arange(16.0), torch.arange(float(h)), torch.arange(float(w)), indexing="ij")
    scene = 0.5 + 0.2 * torch.sin((x + t) / 7) * torch.cos(y / 9) + 0.2 * ((x - 30).square() + (y - 30).square() < 90)
    return Frames(scene[None].float())


class NoRehearsal:
    def delivery(self, coding, uses, transmissions):
        return 1.0


def scheme(weights: Path, **options):
    entry = {"name": "semantic", "kind": "semantic", "weights": str(weights), "sensor": SENSOR}
    entry |= {"allocation": "predicted"}
    return entry | {"reconstruction": {"kind": "initial"}} | options


def content(entry: dict, **changes) -> dict:
    found = {"name": "s", "source": {"kind": "scenes", "clips": 1, "size": [64, 64]}, "schemes": [entry]}
    return found | {"channel": {"kind": "awgn"}, "sweep": {"snr_db": 10, "budget": 0.02}} | changes


def link_of(folder: Path, entry: dict, channel: dict | None = None):
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(content(entry, channel=channel or {"kind": "awgn"})))
    scenario = load_scenario(path)
    return build_link(scenario.schemes[0], scenario.channel[0], scenario.waveform, streams=None, folder=folder)


def send(link, clip: Frames, snr_db: float = 10.0, budget: int | None = None, rate: float | None = None):
    agreed = link.transmitter.agree(clip.shape, Point(snr_db, budget, rate), NoRehearsal())
    return run_clip(link, clip, agreed, Seeds(1), budget=budget, audit=True), agreed


def quality(outcome, clip: Frames) -> float:
    return float(-10 * (outcome.frames.pixels - clip.pixels).square().mean().log10())


@pytest.mark.parametrize("allocation", ["predicted", "learned", "uniform"])
def test_budgets_are_kept_and_every_symbol_is_charged(tmp_path, weights, allocation):
    """The chain compares antenna and ledger, power, and a second reception; here the sums."""
    link, clip = link_of(tmp_path, scheme(weights, allocation=allocation)), moving()
    for budget in (250, 450):
        outcome, _ = send(link, clip, budget=budget)
        assert 0.9 * budget < outcome.ledger.symbols <= budget
        assert outcome.ledger.spent_on("side_info") > 0 and outcome.ledger.spent_on("crc") > 0
        assert outcome.lost == 0


def test_quality_rises_with_snr_and_with_budget(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, allocation="uniform")), moving()
    by_snr = [quality(send(link, clip, snr_db=snr, budget=300)[0], clip) for snr in (0, 5, 10, 15, 20)]
    assert all(b > a for a, b in zip(by_snr, by_snr[1:])) and max(b - a for a, b in zip(by_snr, by_snr[1:])) < 6
    by_budget = [quality(send(link, clip, budget=budget)[0], clip) for budget in (100, 200, 400)]
    assert by_budget[0] < by_budget[1] < by_budget[2]


def test_rates_are_prices_or_symbols_of_a_group(tmp_path, weights):
    clip = moving()
    uniform = link_of(tmp_path, scheme(weights, allocation="uniform", rates=[8, 24]))
    payload = [send(uniform, clip, rate=kept)[0].ledger.spent_on("payload") for kept in (8, 24)]
    assert payload == [16 * 4, 16 * 12]
    predicted = link_of(tmp_path, scheme(weights, rates=[0.1]))
    dear, cheap = (send(predicted, clip, rate=price)[0].ledger.spent_on("payload") for price in (1.0, 1e-4))
    assert 16 * 1 <= dear < cheap <= 16 * 32


def test_a_lost_map_leaves_the_lowest_level_and_a_lost_header_nothing(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    agreed = link.transmitter.agree(clip.shape, Point(15.0, 450), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    received = Received(flow.payload.iq, torch.full(flow.payload.iq.shape, 1e-3))
    header = link.receiver._side(agreed).uses(4, 15.0)

    def broken(start: int, stop: int) -> Received:
        noise = received.noise_var.clone()
        noise[:, start:stop] = torch.inf
        return Received(received.iq, noise)

    parts = (received, broken(header, header + 12), broken(0, header))
    whole, no_map, no_header = (link.receiver.receive(part, agreed) for part in parts)
    assert whole.lost == 0 and no_map.lost > 0 and no_header.lost == no_header.blocks
    good, poor, gray = (quality(found, clip) for found in (whole, no_map, no_header))
    assert good > poor + 0.3 and poor > gray
    assert bool(no_header.frames.pixels.isfinite().all())


@pytest.mark.parametrize("size", [(60, 52), (33, 41)])
def test_frames_of_any_size_are_padded_and_the_padding_is_paid_for(tmp_path, weights, size):
    link, clip = link_of(tmp_path, scheme(weights, allocation="uniform", rates=[24])), moving(*size)
    outcome, agreed = send(link, clip, rate=24)
    rows, columns = (-(-side // 16) for side in size)
    assert outcome.frames.pixels.shape == clip.pixels.shape
    assert outcome.ledger.spent_on("payload") == 12 * rows * columns
    assert agreed.terms.note == f"padded to {16 * columns} x {16 * rows} pixels"


def test_a_budget_below_the_lowest_rate_is_infeasible_and_says_why(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    with pytest.raises(Infeasible, match="4 x 4 blocks need at least 1 each"):
        send(link, clip, budget=20)


@pytest.mark.slow  # every run holds a receiver of its own process against this one; see test_boundary_ends.py
def test_another_process_receives_the_same_frames_from_what_arrived(tmp_path, weights):
    entry = scheme(weights)
    link, clip = link_of(tmp_path, entry), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 450), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    received = link.waveform.demodulate(link.channel(flow.payload.iq, 10.0, Seeds(1)), 10.0)
    here = link.receiver.receive(received, agreed)
    there = received_elsewhere(tmp_path, entry, received, agreed)
    assert np.array_equal(there["pixels"], here.frames.pixels.numpy()) and int(there["lost"]) == here.lost == 0


@pytest.mark.parametrize("channel", [{"kind": "rayleigh", "coherence": 64}, {"kind": "erasure", "probability": 0.1}])
def test_fading_and_erasures_pass(tmp_path, weights, channel):
    link, clip = link_of(tmp_path, scheme(weights), channel), moving()
    calibration = LinkCalibration(link, (clip,), 1, 12.0, Memo(64), (0,))
    agreed = link.transmitter.agree(clip.shape, link.point(12.0, 450, None), calibration)
    outcome = run_clip(link, clip, agreed, Seeds(1), budget=450, audit=True)
    assert quality(outcome, clip) > 10


def test_an_snr_outside_the_trained_range_runs_and_is_marked(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    outcome, agreed = send(link, clip, snr_db=-2.0, budget=300)
    assert agreed.terms.note == "extrapolation: trained at 0 .. 20 dB"
    assert bool(outcome.frames.pixels.isfinite().all())


def test_readings_are_written_for_another_network_to_restore(tmp_path):
    name = Path(write_semantic_tokens(tmp_path, make_semantic_net(writes="readings")))
    link, clip = link_of(tmp_path, scheme(name, allocation="uniform")), moving()
    outcome, _ = send(link, clip, snr_db=20.0, budget=500)
    assert quality(outcome, clip) > 14


@pytest.mark.parametrize(
    "options, says",
    [
        ({"allocation": "searched"}, "are tokens; allowed: predicted, learned, uniform"),
        ({"per_level": 6}, "have their own table of levels"),
        ({"rates": [1], "allocation": "uniform"}, "got 1 symbols a block; allowed: 2 to 64"),
        ({"rates": [70], "allocation": "uniform"}, "got 70 symbols a block; allowed: 2 to 64"),
        ({"architecture": "published"}, "of the architecture 'tokens', the scheme says 'published'"),
    ],
)
def test_options_of_the_other_architecture_are_refused(tmp_path, weights, options, says):
    with pytest.raises(SemlinkError, match=says):
        link_of(tmp_path, scheme(weights, **options))


def test_the_published_architecture_stays_and_has_its_own_options(tmp_path):
    name = untrained(tmp_path)
    link_of(tmp_path, scheme(name, architecture="published", allocation="searched"))
    with pytest.raises(ScenarioError, match="are published; allowed: learned, searched, uniform"):
        link_of(tmp_path, scheme(name, allocation="predicted"))


def test_weights_for_another_map_are_refused(tmp_path, weights):
    other = link_of(tmp_path, scheme(weights, sensor=SENSOR | {"mean_count": 1.125}))
    with pytest.raises(SemlinkError, match="made for the learned map of 'sensor' at 2.5 measurements"):
        send(other, moving(), budget=300)


def test_an_ideal_map_is_charged_by_the_bits_of_its_levels(tmp_path, weights):
    """Three bits name one of five levels; 16-QAM at rate 2/3 carries 8/3 of them."""
    link, clip = link_of(tmp_path, scheme(weights, side_info="ideal", rates=[0.1])), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, None, 0.1), NoRehearsal())
    assert run_clip(link, clip, agreed, Seeds(1)).ledger.spent_on("side_info") == 18


def test_a_scenario_runs_and_says_what_it_measured(tmp_path, weights):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(content(scheme(weights), trials={"min": 2, "max": 2})))
    rows = run(Job(load_scenario(path), tmp_path / "out", tmp_path)).rows
    assert all(row.measurements_per_pixel == 2.5 and row.side_info > 0 for row in rows)
