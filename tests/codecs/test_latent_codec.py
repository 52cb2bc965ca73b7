"""Codes of a generator as a message: exact streams, budgets met, damage survived, and the whole link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from generator_toys import small_weights
from hypothesis import given, settings, strategies as st

from semlink.codecs.latent_codec import LatentCodec, from_stream, to_stream
from semlink.codecs.packetization import framed_size
from semlink.errors import Infeasible, InterfaceError, ScenarioError, SemlinkError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.nn.generative.latent_rank import onto_rank
from semlink.payload import FrameShape, Packet

SHAPE = FrameShape(5, 64, 64)


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> LatentCodec:
    return LatentCodec(str(small_weights(tmp_path_factory.mktemp("weights"))), rank=2, epochs=20)


def drift(t: int = 12, k: int = 9, rank: int = 3, seed: int = 0) -> torch.Tensor:
    """Codes of length about 1 that move smoothly."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.linspace(0, 2, t)[:, None]
    path = torch.cat([torch.cos((n + 1) * time + n) / (n + 1) for n in range(rank)], dim=1)
    return path @ torch.randn(rank, k, generator=rng) / k**0.5


def clip(t: int = 5) -> np.ndarray:
    """A soft blob that moves."""
    y, x = np.mgrid[:64, :64]
    places = np.linspace(20, 40, t)
    return np.stack([np.exp(-((y - p) ** 2 + (x - 32) ** 2) / 150) for p in places]).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 3])
def test_finer_steps_come_nearer_to_codes_of_the_rank(rank):
    """Rounding C and the scaled rows of B with step D leaves errors of D / sqrt(12) each: at most so much in all."""
    codes = onto_rank(drift(), rank)
    t, k = codes.shape
    for knob in (8, 16, 24, 32):
        found = from_stream(to_stream(codes, rank, knob), t, k)
        step = 2.0 ** (-knob / 4)
        assert torch.linalg.matrix_rank(found, rtol=1e-5) <= rank
        assert (found - codes).square().sum() < 2 * rank * (t + k) * step**2 / 12


def test_slow_drift_costs_fewer_bytes_than_chance():
    smooth = drift(t=40, rank=2)
    shuffled = smooth[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    assert len(to_stream(smooth, 2, 24)) < 0.8 * len(to_stream(shuffled, 2, 24))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_decode_to_codes_or_to_none(data):
    codes = from_stream(data, 4, 6)
    assert codes is None or (codes.shape == (4, 6) and codes.isfinite().all())


def test_damaged_and_missing_packets_still_show_frames(codec):
    (packet,) = codec.encode_at(clip(), 2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        data = bytearray(packet.data)
        for place in rng.integers(0, len(data), 3):
            data[place] ^= 1 << rng.integers(8)
        frames = codec.decode([Packet(0, bytes(data))], SHAPE)
        assert frames.shape == (5, 64, 64) and frames.min() >= 0 and frames.max() <= 1
    assert codec.decode([], SHAPE).shape == (5, 64, 64)
    assert np.array_equal(codec.decode([Packet(0, b"")], SHAPE), codec.decode([], SHAPE))


def test_budgets_are_met_and_more_comes_nearer_to_the_fit(codec):
    """What bytes buy is exactness of the fitted codes; how near these come to the clip is the generator's affair."""
    codes = codec._codes(clip(), (2,))[2]
    errors = []
    for budget in (26, 40, 80):
        (packet,) = codec.encode(clip(), max_bytes=budget)
        assert framed_size([packet]) <= budget
        errors.append(float((from_stream(packet.data, *codes.shape) - codes).square().sum()))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    with pytest.raises(Infeasible, match="gmlr at rank 2: even with a step of 1"):
        codec.encode(clip(), max_bytes=5)


def test_without_a_rank_the_best_of_several_is_sent(codec):
    free = LatentCodec(codec.weights, epochs=20)
    for budget in (18, 60):
        error = float(np.square(free.decode(free.encode(clip(), max_bytes=budget), SHAPE) - clip()).mean())
        for rank in (1, 2, 4):
            fixed = LatentCodec(codec.weights, rank=rank, epochs=20)
            try:
                packets = fixed.encode(clip(), max_bytes=budget)
            except Infeasible:
                continue
            assert error <= float(np.square(fixed.decode(packets, SHAPE) - clip()).mean()) * 1.02


@pytest.mark.parametrize(
    ("act", "fault", "says"),
    [
        (lambda c: c.encode_at(clip(), 2.5), ScenarioError, "got 2.5 for codec gmlr; allowed: ranks"),
        (lambda c: c.encode_at(clip(3), 4), InterfaceError, "rank 4 for 3 frames"),
        (lambda c: c.encode(clip()[:, :32], max_bytes=99), InterfaceError, "codec gmlr: frames of 32 x 64"),
        (lambda c: LatentCodec(c.weights, rank=0), ScenarioError, "rank is 0"),
        (lambda c: LatentCodec(c.weights, step=2), ScenarioError, "step is 2; allowed"),
        (lambda c: LatentCodec(c.weights, planes=3), InterfaceError, "a generator of 1 planes; the scenario has 3"),
    ],
)
def test_bad_input_says_what_is_allowed(codec, act, fault, says):
    with pytest.raises(fault, match=says):
        act(codec)


def test_over_the_link_with_ldpc_and_at_capacity(tmp_path: Path, codec):
    content = {
        "name": "s",
        "source": {"kind": "digits", "clips": 1, "frames": 5},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [4, 12], "budget": 0.02},
        "trials": {"min": 1, "max": 1},
    }
    ldpc = {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"}
    mine = {"kind": "digital", "codec": {"kind": "gmlr", "weights": codec.weights, "epochs": 15}}
    content["schemes"] = [
        {"name": "ldpc", **mine, "coding": ldpc},
        {"name": "capacity", **mine, "coding": {"kind": "capacity"}},
        {"name": "rank", **mine, "coding": ldpc, "rates": [1, 3]},
    ]
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(content))
    rows = run(Job(load_scenario(path), tmp_path / "out", tmp_path)).rows
    assert len(rows) == 8 and all(row.psnr_db > 3 for row in rows)
    for row in rows:
        assert row.channel_uses == pytest.approx(row.payload + row.parity + row.crc + row.header + row.pilot)
        if row.budget is not None:
            assert row.channel_uses_per_pixel <= 0.02
    quiet = {(row.scheme, row.rate): row for row in rows if row.snr_db == 12}
    assert quiet["ldpc", None].bler == 0 and quiet["rank", 3].channel_uses > quiet["rank", 1].channel_uses
    content["schemes"] = [{"name": "x", **mine, "coding": ldpc, "rates": [9]}]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SemlinkError, match="rank 9 for 5 frames"):
        run(Job(load_scenario(path), tmp_path / "other", tmp_path))
