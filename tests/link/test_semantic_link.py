"""The semantic scheme in the link: costs, losses, sizes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from elsewhere import received_elsewhere
from semantic_toys import SENSOR, untrained

from semlink.errors import Infeasible, ScenarioError, SemlinkError
from semlink.link.chain.calibration import LinkCalibration
from semlink.link.chain.transmit import run_clip
from semlink.link.scenario.build import build_link
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import Frames, Point, Received
from semlink.seeds import Seeds

INITIAL = {"kind": "initial"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


def moving(h: int = 64, w: int = 64) -> Frames:
    t, y, x = torch.meshgrid(torch.arange(16.0), torch.arange(float(h)), torch.arange(float(w)), indexing="ij")
    scene = 0.5 + 0.2 * torch.sin((x + t) / 7) * torch.cos(y / 9) + 0.2 * ((x - 30).square() + (y - 30).square() < 90)
    return Frames(scene[None].float())


class NoRehearsal:
    def delivery(self, coding, uses, transmissions):
        return 1.0


def scheme(weights: Path, **options):
    return {
        "name": "semantic",
        "kind": "semantic",
        "weights": str(weights),
        "sensor": SENSOR,
        "reconstruction": INITIAL,
    } | options


def link_of(folder: Path, entry: dict, channel: dict | None = None):
    path = folder / "s.yaml"
    content = {"name": "s", "source": {"kind": "scenes", "clips": 1}, "schemes": [entry]}
    content |= {"channel": channel or {"kind": "awgn"}, "sweep": {"snr_db": 10, "budget": 0.02}}
    path.write_text(yaml.safe_dump(content))
    scenario = load_scenario(path)
    return build_link(scenario.schemes[0], scenario.channel[0], scenario.waveform, streams=None, folder=folder)


def send(
    link, clip: Frames, snr_db: float = 10.0, budget: int | None = None, rate: float | None = None, trial: int = 0
):
    agreed = link.transmitter.agree(clip.shape, Point(snr_db, budget, rate), NoRehearsal())
    return run_clip(link, clip, agreed, Seeds(1, (0,), trial), budget=budget, audit=True), agreed


def quality(outcome, clip: Frames) -> float:
    return float(-10 * (outcome.frames.pixels - clip.pixels).square().mean().log10())


@pytest.mark.parametrize(
    "options",
    [{}, {"allocation": "searched"}, {"allocation": "uniform"}, {"per_level": 12}, {"side_info": "16qam-2/3"}],
)
def test_budgets_are_kept_and_every_symbol_is_charged(tmp_path, weights, options):
    """The chain compares antenna and ledger, power, and a second reception; here the sums."""
    link, clip = link_of(tmp_path, scheme(weights, **options)), moving()
    for budget in (800, 1500):
        outcome, _ = send(link, clip, budget=budget)
        assert 0.97 * budget < outcome.ledger.symbols <= budget
        assert outcome.ledger.spent_on("side_info") > 0 and outcome.ledger.spent_on("crc") > 0
        assert outcome.lost == 0


def test_quality_rises_with_snr_and_with_budget(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, allocation="uniform")), moving()
    by_snr = [quality(send(link, clip, snr_db=snr, budget=900)[0], clip) for snr in (0, 5, 10, 15, 20)]
    assert all(b > a for a, b in zip(by_snr, by_snr[1:])) and max(b - a for a, b in zip(by_snr, by_snr[1:])) < 6
    by_budget = [quality(send(link, clip, budget=budget)[0], clip) for budget in (300, 600, 1200)]
    assert by_budget[0] < by_budget[1] < by_budget[2]


def test_searched_rates_beat_even_ones_where_the_scene_is_uneven(tmp_path, weights):
    """At the same total cost, map included; half of the scene is flat."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(64.0), indexing="ij")
    clip = moving(128, 128)
    clip.pixels[..., :64] = 0.5 + 0.2 * torch.sin(x * 1.3) * torch.cos(y * 1.1) + 0.2 * torch.sin(0.9 * (x + y))
    clip.pixels[..., 64:] = 0.5
    uneven, even = (
        link_of(tmp_path, scheme(weights, allocation=kind, per_level=12)) for kind in ("searched", "uniform")
    )
    gain = [quality(send(link, clip, snr_db=15, budget=3200)[0], clip) for link in (uneven, even)]
    assert gain[0] > gain[1] + 0.3


def test_rates_are_prices_or_symbols_a_block(tmp_path, weights):
    clip = moving()
    uniform = link_of(tmp_path, scheme(weights, allocation="uniform", rates=[12, 24]))
    payload = [send(uniform, clip, rate=kept)[0].ledger.spent_on("payload") for kept in (12, 24)]
    assert payload == [64 * 6, 64 * 12]
    learned = link_of(tmp_path, scheme(weights, rates=[0.1]))
    spent = send(learned, clip, rate=0.1)[0].ledger.spent_on("payload")
    assert 64 * 6 <= spent <= 64 * 24


@pytest.mark.source("zhang2024crl", "Sec. III-B.3")
def test_an_ideal_map_is_charged_768_uses_at_256_pixels_square(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights, side_info="ideal", rates=[0.1])), moving(256, 256)
    assert link.is_bound
    agreed = link.transmitter.agree(clip.shape, Point(10.0, None, 0.1), NoRehearsal())
    outcome = run_clip(link, clip, agreed, Seeds(1))
    assert outcome.ledger.spent_on("side_info") == 768


def broken(received: Received, start: int, stop: int) -> Received:
    noise = received.noise_var.clone()
    noise[:, start:stop] = torch.inf
    return replace(received, noise_var=noise)


def test_a_lost_map_leaves_the_lowest_level_and_a_lost_header_nothing(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    agreed = link.transmitter.agree(clip.shape, Point(15.0, 1500), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    received = Received(flow.payload.iq, torch.full(flow.payload.iq.shape, 1e-3))
    whole = link.receiver.receive(received, agreed)
    header = link.receiver._side(agreed).uses(4, 15.0)
    no_map = link.receiver.receive(broken(received, header, header + 20), agreed)
    no_header = link.receiver.receive(broken(received, 0, header), agreed)
    assert whole.lost == 0 and no_map.lost > 0 and no_header.lost == no_header.blocks
    good, poor, gray = (quality(found, clip) for found in (whole, no_map, no_header))
    assert good > poor + 0.3 and poor > gray + 3
    assert bool(no_header.frames.pixels.isfinite().all())


@pytest.mark.parametrize("size", [(60, 52), (33, 41)])
def test_frames_of_any_size_are_padded_and_the_padding_is_paid_for(tmp_path, weights, size):
    link, clip = link_of(tmp_path, scheme(weights, allocation="uniform", rates=[24])), moving(*size)
    outcome, agreed = send(link, clip, rate=24)
    blocks = -(-size[0] // 8) * -(-size[1] // 8)
    assert outcome.frames.pixels.shape == clip.pixels.shape
    assert outcome.ledger.spent_on("payload") == 12 * blocks
    assert agreed.terms.note == f"padded to {-(-size[1] // 8) * 8} x {-(-size[0] // 8) * 8} pixels"


def test_a_budget_below_the_lowest_rate_is_infeasible_and_says_why(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    with pytest.raises(Infeasible, match="8 x 8 blocks need at least 3 each"):
        send(link, clip, budget=150)


@pytest.mark.slow
def test_another_process_receives_the_same_frames_from_what_arrived(tmp_path, weights):
    entry = scheme(weights)
    link, clip = link_of(tmp_path, entry), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 1500), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    received = link.waveform.demodulate(link.channel(flow.payload.iq, 10.0, Seeds(1)), 10.0)
    here = link.receiver.receive(received, agreed)
    there = received_elsewhere(tmp_path, entry, received, agreed)
    assert np.array_equal(there["pixels"], here.frames.pixels.numpy()) and int(there["lost"]) == here.lost == 0


def test_an_snr_outside_the_trained_range_runs_and_is_marked(tmp_path, weights):
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    outcome, agreed = send(link, clip, snr_db=-2.0, budget=900)
    assert agreed.terms.note == "extrapolation: trained at 0 .. 20 dB"
    assert bool(outcome.frames.pixels.isfinite().all())
    assert send(link, clip, snr_db=20.0, budget=900)[1].terms.note == ""


def test_a_map_that_would_not_pay_is_not_sent(tmp_path, weights):
    """At -1 dB two bits a block would cost more than a sixth of the budget."""
    link, clip = link_of(tmp_path, scheme(weights)), moving()
    outcome, _ = send(link, clip, snr_db=-1.0, budget=500)
    assert outcome.ledger.spent_on("side_info") <= 32 and outcome.lost == 0


@pytest.mark.parametrize("channel", [{"kind": "rayleigh", "coherence": 64}, {"kind": "erasure", "probability": 0.1}])
def test_fading_and_erasures_pass(tmp_path, weights, channel):
    link, clip = link_of(tmp_path, scheme(weights), channel), moving()
    agreed = link.transmitter.agree(
        clip.shape, link.point(12.0, 1500, None), LinkCalibration(link, (clip,), 1, 12.0, known_memo(), (0,))
    )
    outcome = run_clip(link, clip, agreed, Seeds(1), budget=1500, audit=True)
    assert quality(outcome, clip) > 12


def known_memo():
    from semlink.caching import Memo

    return Memo(64)


def test_weights_for_another_map_or_architecture_are_refused(tmp_path, weights):
    other = link_of(tmp_path, scheme(weights, sensor=SENSOR | {"mean_count": 1.125}))
    with pytest.raises(SemlinkError, match="made for the learned map of 'sensor' at 2.5 measurements"):
        send(other, moving(), budget=900)
    with pytest.raises(SemlinkError, match="weights for 'ratio_policy'; allowed: those of 'semantic'"):
        link_of(tmp_path, scheme("sensor"))
    with pytest.raises(ScenarioError, match="allocation uniform sends none"):
        link_of(tmp_path, scheme(weights, side_info="ideal", allocation="uniform"))


@pytest.mark.parametrize(
    "options, says",
    [
        ({"rates": [0.0]}, "got a price of 0; allowed: above 0"),
        ({"rates": [60], "allocation": "uniform"}, "got 60 symbols a block; allowed: 6 to 48"),
    ],
)
def test_rates_that_mean_nothing_are_refused(tmp_path, weights, options, says):
    with pytest.raises(ScenarioError, match=says):
        link_of(tmp_path, scheme(weights, **options))


def test_a_scenario_runs_and_says_what_it_measured(tmp_path, weights):
    path = tmp_path / "s.yaml"
    content = {
        "name": "s",
        "source": {"kind": "scenes", "clips": 1, "size": [64, 64]},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [-3, 10], "budget": 0.02},
        "schemes": [scheme(weights)],
        "trials": {"min": 2, "max": 2},
    }
    path.write_text(yaml.safe_dump(content))
    rows = run(Job(load_scenario(path), tmp_path / "out", tmp_path)).rows
    assert ["extrapolation" in row.note for row in rows] == [True, False]
    assert all(row.measurements_per_pixel == 2.5 and row.side_info > 0 for row in rows)


def test_rate_maps_are_drawn_with_their_correlations(tmp_path, weights):
    from semlink.link.plots.pictures.rate_maps import rate_map_figure, write_correlations
    from semlink.link.results.pictures import shown_points

    path = tmp_path / "s.yaml"
    content = {
        "name": "s",
        "source": {"kind": "scenes", "clips": 2, "size": [64, 64]},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [10], "budget": 0.02},
        "schemes": [scheme(weights), scheme(weights, name="even", allocation="uniform")],
        "trials": {"min": 2, "max": 2},
    }
    path.write_text(yaml.safe_dump(content))
    run(Job(load_scenario(path), tmp_path / "out", tmp_path))
    shown = shown_points(tmp_path / "out", "middle")
    assert len(rate_map_figure(shown).axes) == 2 * 3 + 1  # a row for each clip, and the bar
    write_correlations(shown, tmp_path / "out" / "rate_maps.csv")
    rows = (tmp_path / "out" / "rate_maps.csv").read_text().splitlines()
    assert rows[0] == "scheme,clip,uses_a_block,spearman_texture,spearman_error" and len(rows) == 3
    assert all(row.startswith("semantic,") for row in rows[1:])


def test_a_batch_of_clips_is_coded_like_each_alone(weights):
    from semlink.codecs.semantic.codec import SemanticCodec
    from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap

    codec, sensor = SemanticCodec(str(weights)), ProgrammableSensor(RatioMap(learned="sensor", mean_count=2.5))
    clips = Frames(torch.cat([moving().pixels, moving().pixels.flip(-1)]))
    found = sensor.measure(clips, Seeds(1, (0, 1)))
    both = codec.encode(found.slots, found.counts, 10.0)
    alone = torch.cat([codec.encode(slots, found.counts, 10.0) for slots in found.slots.split(1)])
    assert both.shape == (2, 48, 8, 8) and torch.allclose(both, alone, atol=0.02)
    sent, noise = torch.ones_like(both), torch.full_like(both, 0.1)
    back = codec.decode(both, sent, noise, 10.0, found.counts)
    assert back.shape == found.slots.shape
