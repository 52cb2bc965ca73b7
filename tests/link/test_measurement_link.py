"""Measurements over the link: what they cost, what losses do, and that only what arrived is used."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from elsewhere import received_elsewhere

from semlink.codecs.packetization import framed_size
from semlink.codecs.projections.codec import (
    ProjectionCodec,
    laplace_scale,
    laplace_tables,
    quantised,
    restored,
    step_of,
)
from semlink.codecs.projections.fields import Field, bands_of, coefficients_of, num_values, readings_of
from semlink.codecs.projections.softcast import ProjectionSoftCast
from semlink.errors import Infeasible, InterfaceError, ScenarioError
from semlink.link.chain.transmit import run_clip
from semlink.link.scenario.build import build_link
from semlink.link.scenario.loader import load_scenario
from semlink.link.schemes.measurements.scheme import arranged
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import Frames, FrameShape, Packet, Point, Received
from semlink.seeds import Seeds
from semlink.sensing.block_cs.sampler import BlockSampler
from semlink.sensing.random_projections.sensor import RandomSensor

LAYOUT = (Field(12, 9, 3, 2), Field(30, 2, 3, 2))
SHAPE = FrameShape(9, 96, 64)
SENSOR = {"kind": "block", "ratio": 0.05, "key_ratio": 0.3}
LDPC = {"kind": "digital", "coding": {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"}}
ANALOGUE = {"kind": "analogue"}


def moving(frames: int = 9, h: int = 64, w: int = 64) -> Frames:
    t, y, x = torch.meshgrid(torch.arange(float(frames)), torch.arange(float(h)), torch.arange(float(w)), indexing="ij")
    disc = ((x - 30 - t).square() + (y - 30).square() < 90).float()
    return Frames((0.5 + 0.2 * torch.sin((x + t) / 7) * torch.cos(y / 9) + 0.2 * disc)[None])


def decaying(layout=LAYOUT, seed: int = 1) -> np.ndarray:
    """Flat readings whose rows get weaker, as those of principal components do."""
    rng = Seeds(seed).numpy("readings")
    parts = [rng.normal(size=field.shape) * np.exp(-np.arange(field.rows) / 6)[:, None, None, None] for field in layout]
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)[None, None]


class NoRehearsal:
    def delivery(self, coding, uses, transmissions):
        return 1.0


def entry(transmission, **options):
    fixed = {"name": "m", "kind": "measurements", "sensor": SENSOR, "reconstruction": {"kind": "linear"}}
    return fixed | {"transmission": transmission} | options


def link_of(folder: Path, scheme: dict, channel: dict | None = None):
    path = folder / "s.yaml"
    content = {"name": "s", "source": {"kind": "scenes", "clips": 1}, "schemes": [scheme]}
    content |= {"channel": channel or {"kind": "awgn"}, "sweep": {"snr_db": 10, "budget": 0.02}}
    path.write_text(yaml.safe_dump(content))
    scenario = load_scenario(path)
    return build_link(scenario.schemes[0], scenario.channel[0], scenario.waveform, streams=None, folder=folder)


def send(link, clip, snr_db=10.0, budget=None, rate=None):
    agreed = link.transmitter.agree(clip.shape, Point(snr_db, budget, rate), NoRehearsal())
    return run_clip(link, clip, agreed, Seeds(1), budget=budget, audit=True), agreed


def psnr(found, clip) -> float:
    return float(-10 * (found.frames.pixels - clip.pixels).square().mean().log10())


# --- fields, quantiser, entropy model


def test_the_transform_is_orthonormal_and_comes_back():
    flat = decaying()
    coefficients = coefficients_of(flat, LAYOUT)
    assert sum(float((rows**2).sum()) for rows in coefficients) == pytest.approx(float((flat**2).sum()), rel=1e-6)
    np.testing.assert_allclose(readings_of(coefficients, LAYOUT), flat, atol=1e-6)


def test_unrelated_readings_are_left_as_they_are():
    layout = (Field(4, 2, 1, 8, related=False),)
    flat = decaying(layout)
    np.testing.assert_array_equal(coefficients_of(flat, layout)[0].ravel(), flat.ravel())
    assert set(bands_of(layout[0])) == {0}


def test_bands_part_octaves_of_time_from_zones_of_the_grid():
    field = Field(1, 9, 6, 6)
    bands = bands_of(field).reshape(9, 6, 6)
    assert len(np.unique(bands)) == 5 * 3
    assert bands[0, 0, 0] == bands[0, 1, 1] != bands[0, 0, 2] == bands[0, 3, 3] != bands[0, 5, 0]
    assert bands[1, 0, 0] != bands[2, 0, 0] == bands[3, 0, 0] != bands[4, 0, 0] == bands[7, 0, 0] != bands[8, 0, 0]


@pytest.mark.source("sullivan1996", "Sec. III")
@pytest.mark.parametrize("number", [4, 9, 15])
def test_levels_are_put_where_a_laplacian_has_its_mean(number):
    """Against the integral of the density, interval by interval; the table against its mass."""
    scale = laplace_scale(number)
    x = np.linspace(0, 60 * scale, 2_000_001)
    density = np.exp(-x / scale) / (2 * scale)
    levels = quantised(x, 1.0)
    table = laplace_tables()[number - 1]
    for level in (1, 2, 3):
        inside = levels == level
        mean = float((x * density)[inside].sum() / density[inside].sum())
        assert restored(np.array([level]), np.array([scale]), 1.0)[0] == pytest.approx(mean, abs=2e-3)
        mass = float(density[inside].sum() * (x[1] - x[0]))
        assert table.probabilities[level - table.low] == pytest.approx(mass, rel=2e-2, abs=1e-6)
    assert table.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_quantiser_widens_zero_and_keeps_signs():
    values = np.array([0.0, 0.66, 0.67, -0.67, 1.66, 1.67, -5.7])
    assert quantised(values, 1.0).tolist() == [0, 0, 1, -1, 1, 2, -6]


# --- the digital codec


def test_finer_steps_take_more_bytes_and_leave_less_error():
    codec, flat = ProjectionCodec(LAYOUT), decaying()
    sizes, errors = [], []
    for rate in (8, 32, 128):
        packets = codec.encode_at(flat, rate)
        sizes.append(framed_size(packets))
        errors.append(float(np.sqrt(np.mean((codec.decode(packets, SHAPE) - flat) ** 2))))
    assert sizes[0] > sizes[1] > sizes[2] and errors[0] < errors[1] < errors[2]
    assert errors[0] < step_of(16) / 12**0.5 * 1.3  # uniform noise of a step of 8/255, or less


def test_a_budget_is_filled_and_never_broken():
    codec, flat = ProjectionCodec(LAYOUT), decaying()
    for max_bytes in (150, 400, 900):
        assert 0.9 * max_bytes < framed_size(codec.encode(flat, max_bytes=max_bytes)) <= max_bytes


def test_bytes_are_close_to_the_entropy_of_what_is_sent():
    """Laplacian values of one scale: within 4 % of the ideal code length, headers and maps on top."""
    layout = (Field(40, 1, 20, 20, related=False),)
    scale = 2.0
    flat = Seeds(1).numpy("laplace").laplace(scale=scale * step_of(32), size=(1, 1, num_values(layout)))
    packets = ProjectionCodec(layout).encode_at(flat.astype(np.float32), 4 * 2 ** (32 / 16))
    levels = quantised(flat, step_of(32))
    chance = np.unique(levels, return_counts=True)[1] / levels.size
    ideal = -levels.size * float((chance * np.log2(chance)).sum()) / 8
    assert ideal * 0.99 < sum(len(packet.data) for packet in packets) < ideal * 1.04


def test_a_lost_packet_costs_its_rows_and_no_others():
    codec, flat = ProjectionCodec(LAYOUT), 20 * decaying()
    packets = codec.encode_at(flat, 4)
    assert len(packets) >= 3
    whole = coefficients_of(codec.decode(packets, SHAPE), LAYOUT)
    for number, packet in enumerate(packets):
        left = coefficients_of(codec.decode(packets[:number] + packets[number + 1 :], SHAPE), LAYOUT)
        for place, (rows, kept) in enumerate(zip(whole, left)):
            changed = np.flatnonzero(np.abs(rows - kept).max(1) > 1e-6)
            if place != packet.data[0]:
                assert not changed.size
            else:
                assert changed.size and np.abs(kept[changed]).max() < 1e-6


def test_nothing_that_arrives_can_make_the_decoder_fail():
    codec, rng = ProjectionCodec(LAYOUT), random.Random(1)
    packets = codec.encode_at(decaying(), 8)
    for _ in range(60):
        damaged = []
        for packet in packets:
            data = bytearray(packet.data)
            for _ in range(rng.randrange(5)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            damaged.append(
                Packet(0, bytes(data[: rng.randrange(len(data) + 1)]) if rng.random() < 0.3 else bytes(data))
            )
        damaged.append(Packet(0, rng.randbytes(rng.randrange(60))))
        found = codec.decode(damaged, SHAPE)
        assert found.shape == (1, 1, num_values(LAYOUT)) and np.isfinite(found).all()
        np.testing.assert_array_equal(codec.decode(damaged, SHAPE), found)
    assert not codec.decode((), SHAPE).any()


def test_readings_that_do_not_fit_the_layout_or_the_budget_are_refused():
    codec = ProjectionCodec(LAYOUT)
    with pytest.raises(InterfaceError, match=f"got 7 of them; laid out for {num_values(LAYOUT)}"):
        codec.encode_at(np.zeros((1, 1, 7), np.float32), 16)
    with pytest.raises(Infeasible, match="takes .* bytes with packet headers, the budget is 8"):
        codec.encode(100 * decaying(), max_bytes=8)
    with pytest.raises(ScenarioError, match="got a quantiser step of 2, .* allowed: 4 to 1024"):
        codec.encode_at(decaying(), 2)


# --- the analogue codec


def through_noise(codec, flat, num_reals, noise_var, side_bytes=200):
    side, numbers = codec.encode(flat, num_reals=num_reals, side_bytes=side_bytes, noise_var=noise_var)
    noise = Seeds(5).numpy("noise").normal(size=len(numbers)) * noise_var**0.5
    found = codec.decode(side, numbers + noise, np.full(len(numbers), noise_var), (), noise_var=noise_var)
    return float(np.mean((found - flat) ** 2)), numbers, side


@pytest.mark.parametrize("power", ["optimal", "fourth-root"])
def test_numbers_have_unit_power_and_follow_the_noise(power):
    codec, flat = ProjectionSoftCast(LAYOUT, power), decaying()
    errors = []
    for noise_var in (1e-6, 1e-2, 1e-1, 1.0):
        error, numbers, side = through_noise(codec, flat, 4000, noise_var)
        errors.append(error)
        assert np.mean(numbers**2) <= 1.001 and len(numbers) <= 4000 and len(side) <= 200
    assert errors[0] < 1e-5 * float(np.mean(flat**2)) and all(a < b for a, b in pairwise(errors))
    assert errors[-1] < float(np.mean(flat**2)), "the linear estimate is never worse than silence"


def test_the_weakest_rows_are_left_out_first():
    codec, flat = ProjectionSoftCast(LAYOUT), decaying()
    side, numbers = codec.encode(flat, num_reals=400, side_bytes=200, noise_var=1e-6)
    found = coefficients_of(codec.decode(side, numbers, np.full(len(numbers), 1e-6), (), noise_var=1e-6), LAYOUT)
    sent = [np.flatnonzero(np.abs(rows).max(1) > 1e-9) for rows in found]
    assert 0 in sent[0] and 0 in sent[1] and max(sent[1]) < 25 and len(numbers) <= 400


def test_fields_of_different_width_come_back_too():
    layout = (Field(5, 3, 1, 7, related=False), Field(3, 2, 2, 5))
    error, _, _ = through_noise(ProjectionSoftCast(layout), decaying(layout), 5000, 1e-8)
    assert error < 1e-7


def test_strange_side_information_gives_readings_or_nothing():
    codec, rng = ProjectionSoftCast(LAYOUT), random.Random(2)
    side, numbers = codec.encode(decaying(), num_reals=500, side_bytes=100, noise_var=0.1)
    for _ in range(40):
        data = bytearray(side)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        found = codec.decode(bytes(data), numbers, np.full(len(numbers), 0.1), (), noise_var=0.1)
        assert found is None or (found.shape == (1, 1, num_values(LAYOUT)) and np.isfinite(found).all())


# --- arrangements


@pytest.mark.parametrize(
    "sensor",
    [
        BlockSampler(0.02, 0.1),
        BlockSampler(0.02, 0.1, weights=None),
        BlockSampler(0.1, 0.02),
        BlockSampler(0.02, 0.02, gop=4),
        RandomSensor("gaussian", measurements=130),
        RandomSensor("missing", missing=0.9),
    ],
    ids=["nested", "gaussian", "coarse keys", "alike", "random", "missing"],
)
def test_readings_come_back_in_their_own_order(sensor):
    clip = moving(10, 40, 64)
    found = arranged(sensor, clip.shape)
    readings = sensor.measure(clip, Seeds(1))
    packed = found.packed(readings)
    assert packed.pixels.shape == (1, 1, 1, num_values(found.layout))
    for part, back in zip(readings.parts, found.unpacked(packed, clip.shape).parts, strict=True):
        torch.testing.assert_close(back, part, atol=1e-5, rtol=1e-5)


def test_what_nested_patterns_read_is_one_sequence_over_all_frames():
    """Of a still scene every frame reads the same, so all but the mean over time is zero."""
    still = Frames(moving(1).pixels.expand(1, 9, 64, 64).contiguous())
    found = arranged(BlockSampler(0.02, 0.1), still.shape)
    assert found.layout == (Field(20, 9, 2, 2), Field(82, 2, 2, 2))
    readings = BlockSampler(0.02, 0.1).measure(still, Seeds(1))
    rows = coefficients_of(found.packed(readings).pixels.numpy(), found.layout)
    assert np.abs(rows[0].reshape(20, 9, 4)[:, 1:]).max() < 1e-4 < np.abs(rows[0]).max()


def test_an_even_gray_scene_is_zero():
    gray = Frames(torch.full((1, 9, 64, 64), 0.45))
    sensor = BlockSampler(0.02, 0.1)
    assert float(arranged(sensor, gray.shape).packed(sensor.measure(gray, Seeds(1))).pixels.abs().max()) < 1e-6


# --- the scheme


@pytest.mark.parametrize(
    "transmission",
    [
        LDPC,
        ANALOGUE,
        ANALOGUE | {"power": "optimal", "margin_db": 3},
        {"kind": "digital", "coding": {"kind": "convolutional"}},
        {"kind": "digital", "coding": {"kind": "ldpc", "mcs": 12, "harq": {"transmissions": 2}}},
    ],
    ids=["ldpc", "analogue", "optimal", "convolutional", "harq"],
)
def test_budgets_are_kept_and_every_symbol_is_charged(tmp_path, transmission):
    """The chain compares antenna and ledger, power, and a second reception; here the sums."""
    link, clip = link_of(tmp_path, entry(transmission)), moving()
    found = [send(link, clip, budget=budget)[0] for budget in (800, 2400)]
    for outcome, budget in zip(found, (800, 2400)):
        assert 0.6 * budget < outcome.ledger.symbols <= budget and outcome.lost == 0
        assert outcome.ledger.spent_on("payload") > 0 and outcome.ledger.spent_on("crc") > 0
    assert psnr(found[1], clip) > psnr(found[0], clip) > 20


def test_a_bound_takes_the_same_readings(tmp_path):
    link, clip = link_of(tmp_path, entry({"kind": "digital", "coding": {"kind": "capacity"}})), moving()
    assert link.is_bound
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 800), NoRehearsal())
    outcome = run_clip(link, clip, agreed, Seeds(1))
    assert outcome.ledger.symbols <= 800 and psnr(outcome, clip) > 20


def test_variances_of_analogue_transmission_are_charged_as_side_information(tmp_path):
    link, clip = link_of(tmp_path, entry(ANALOGUE)), moving()
    outcome, agreed = send(link, clip, budget=2000)
    spent = outcome.ledger.spent_on("side_info")
    assert 0 < spent < 0.1 * 2000
    again, _ = send(link, clip, snr_db=20.0, budget=2000)
    assert psnr(again, clip) > psnr(outcome, clip) + 1


def test_rates_are_quantiser_steps_or_uses_a_pixel(tmp_path):
    clip = moving()
    digital, analogue = (link_of(tmp_path, entry(kind, rates=[16])) for kind in (LDPC, ANALOGUE))
    spent = [send(digital, clip, rate=rate)[0].ledger.symbols for rate in (16, 64)]
    assert spent[0] > 1.5 * spent[1]
    assert 0.95 * 0.03 * 9 * 64 * 64 < send(analogue, clip, rate=0.03)[0].ledger.symbols <= 0.03 * 9 * 64 * 64


def test_a_budget_below_the_smallest_stream_says_why(tmp_path):
    clip = moving()
    with pytest.raises(Infeasible, match="bytes with packet headers, the budget is"):
        send(link_of(tmp_path, entry(LDPC)), clip, budget=60)
    with pytest.raises(Infeasible, match="header"):
        send(link_of(tmp_path, entry(ANALOGUE)), clip, snr_db=-5.0, budget=60)


@pytest.mark.parametrize(
    "transmission",
    [pytest.param(LDPC, id="digital"), pytest.param(ANALOGUE, id="analogue", marks=pytest.mark.slow)],
)
def test_another_process_receives_the_same_frames_from_what_arrived(tmp_path, transmission):
    scheme = entry(transmission)
    link, clip = link_of(tmp_path, scheme), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 1500), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    received = link.waveform.demodulate(link.channel(flow.payload.iq, 10.0, Seeds(1)), 10.0)
    here = link.receiver.receive(received, agreed)
    there = received_elsewhere(tmp_path, scheme, received, agreed)
    assert np.array_equal(there["pixels"], here.frames.pixels.numpy()) and int(there["lost"]) == here.lost == 0


def test_lost_symbols_cost_a_part_and_all_lost_is_the_gray_scene(tmp_path):
    coding = LDPC["coding"] | {"block_bits": 1024}
    link, clip = link_of(tmp_path, entry({"kind": "digital", "coding": coding})), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 4000), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    clean = Received(flow.payload.iq, torch.full(flow.payload.iq.shape, 1e-3))

    def after(start: float, stop: float):
        noise, n = clean.noise_var.clone(), clean.noise_var.shape[1]
        noise[:, int(start * n) : int(stop * n)] = torch.inf
        return link.receiver.receive(replace(clean, noise_var=noise), agreed)

    whole, tail, nothing = after(0, 0), after(0.8, 1), after(0, 1)
    assert whole.lost == 0 < tail.lost < tail.blocks and nothing.lost == nothing.blocks
    assert psnr(whole, clip) > psnr(tail, clip) > psnr(nothing, clip)
    assert float((nothing.frames.pixels - 0.45).abs().max()) < 0.02


def test_a_lost_description_is_the_gray_scene(tmp_path):
    link, clip = link_of(tmp_path, entry(ANALOGUE)), moving()
    agreed = link.transmitter.agree(clip.shape, Point(10.0, 1500), NoRehearsal())
    flow = link.transmitter.transmit(clip, agreed, Seeds(1))
    noise = torch.full(flow.payload.iq.shape, 1e-3)
    noise[:, :60] = torch.inf
    delivered = link.receiver.receive(Received(flow.payload.iq, noise), agreed)
    assert delivered.lost == delivered.blocks == 1
    assert float((delivered.frames.pixels - 0.45).abs().max()) < 0.02


@pytest.mark.parametrize("channel", [{"kind": "rayleigh", "coherence": 64}, {"kind": "erasure", "probability": 0.1}])
@pytest.mark.parametrize("transmission", [LDPC, ANALOGUE], ids=["digital", "analogue"])
def test_fading_and_erasures_pass(tmp_path, channel, transmission):
    link, clip = link_of(tmp_path, entry(transmission), channel), moving()
    agreed = link.transmitter.agree(clip.shape, link.point(12.0, 1500, None), NoRehearsal())
    outcome = run_clip(link, clip, agreed, Seeds(1), budget=1500, audit=True)
    assert bool(outcome.frames.pixels.isfinite().all())


def test_the_same_values_are_reconstructed_once(tmp_path, monkeypatch):
    link, clip = link_of(tmp_path, entry(LDPC)), moving()
    kind = type(link.receiver.camera_at(None).reconstructor)
    made, reconstruct = [], kind.reconstruct
    monkeypatch.setattr(kind, "reconstruct", lambda *args: made.append(1) or reconstruct(*args))
    agreed = link.transmitter.agree(clip.shape, Point(15.0, 1500), NoRehearsal())
    first, second = (run_clip(link, clip, agreed, Seeds(1, (0,), trial)) for trial in (0, 1))
    assert torch.equal(first.frames.pixels, second.frames.pixels) and len(made) == 1


def test_random_projections_are_sent_too(tmp_path):
    scheme = entry(LDPC, sensor={"kind": "random", "operator": "gaussian", "measurements": 64})
    link, clip = link_of(tmp_path, scheme | {"reconstruction": {"kind": "gmlr", "weights": "random"}}), moving(3)
    view = link.transmitter.view
    flat = view.shown(clip, Seeds(1))
    assert view.arrangement(clip.shape).layout == (Field(3, 1, 1, 64, related=False),)
    codec = view.fitted(link.transmitter.inner, clip.shape).codec
    back = codec.decode(codec.encode_at(flat.pixels[0].numpy(), 4), clip.shape)
    assert float(np.abs(back - flat.pixels[0].numpy()).max()) < 2 * step_of(0)


def test_a_sensor_without_inner_products_is_named(tmp_path):
    scheme = entry(LDPC, sensor={"kind": "programmable", "mean_count": 1}, reconstruction={"kind": "initial"})
    with pytest.raises(
        InterfaceError, match="sensor programmable gives Measurement; allowed: sensors of inner products"
    ):
        send(link_of(tmp_path, scheme), moving(16), budget=800)


@pytest.mark.parametrize(
    "transmission, says",
    [
        (LDPC | {"powr": 1}, r"transmission\S* powr: unknown key|powr: unknown key"),
        ({"kind": "smoke"}, "smoke"),
        ({"kind": "digital"}, "coding"),
        (ANALOGUE | {"margin": 1}, "margin: unknown key; did you mean 'margin_db'"),
    ],
)
def test_a_transmission_that_is_none_is_named(tmp_path, transmission, says):
    with pytest.raises(ScenarioError, match=says):
        link_of(tmp_path, entry(transmission))


def test_a_scenario_with_the_best_coding_runs_and_costs_measurements(tmp_path):
    path = tmp_path / "s.yaml"
    best = {"kind": "digital", "coding": {"kind": "ldpc", "mcs": "best"}}
    content = {
        "name": "s",
        "source": {"kind": "scenes", "clips": 1, "frames": 9, "size": [64, 64]},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [10], "budget": [0.0005, 0.05]},
        "schemes": [entry(best)],
        "trials": {"min": 2, "max": 2},
    }
    path.write_text(yaml.safe_dump(content))
    below, enough = run(Job(load_scenario(path), tmp_path / "out", tmp_path)).rows
    assert below.note.startswith("infeasible") and below.psnr_db is None
    assert enough.note.startswith("mcs ") and enough.psnr_db > 20 and enough.channel_uses_per_pixel <= 0.05
    assert enough.measurements_per_pixel == pytest.approx((2 * 307 + 7 * 51) / 1024)
