"""Task-aware compression: starts as transform coding, keeps budgets, survives damage, refuses what does not fit."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from codec_toys import make_net, make_readings, write_codec

from semlink.codecs.packetization import framed_size
from semlink.codecs.readings_domain import normalise_readings
from semlink.codecs.readings_klt import reading_basis
from semlink.codecs.task_aware.codec import TaskAwareCodec, choose_levels, conceal, load_codec
from semlink.codecs.task_aware.networks import CodecSizes, TaskAwareNet
from semlink.errors import Infeasible, InterfaceError, ModelError, ScenarioError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job
from semlink.link.sweep.run import run
from semlink.payload import FrameShape, Packet

SHAPE = FrameShape(16, 64, 64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_codec(tmp_path_factory.mktemp("stirred"), make_net())


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    return write_codec(tmp_path_factory.mktemp("plain"), make_net(stirred=False))


def x_of(codec: TaskAwareCodec, slots: np.ndarray) -> torch.Tensor:
    return normalise_readings(torch.from_numpy(slots)[None], codec.counts(FrameShape(16, *slots.shape[1:])))


def test_untrained_it_is_transform_coding_with_uniform_steps(plain):
    codec, slots = TaskAwareCodec(plain, thrift=0.0), make_readings()
    tile = load_codec(plain).sizes.tile
    basis = reading_basis(tile, 8, 16).vectors
    step = 2.0 * (0.1 / 2.0) ** (102 / 255)
    latents = torch.nn.functional.conv2d(x_of(codec, slots), basis, stride=8)
    by_hand = torch.nn.functional.conv_transpose2d((latents / step).round() * step, basis, stride=8)
    decoded = x_of(codec, codec.decode(codec.encode_at(slots, 0.4), SHAPE))
    off = (decoded - by_hand).abs()
    assert float(off.median()) < 1e-3, "half-precision weights apart, the same numbers"
    assert float((off > 0.05).float().mean()) < 0.02, "but where rounding tips over"


def test_finer_knobs_cost_more_and_err_less(weights):
    codec, slots = TaskAwareCodec(weights), make_readings()
    sizes, errors = [], []
    for q in (0.0, 0.5, 1.0):
        packets = codec.encode_at(slots, q)
        sizes.append(framed_size(packets))
        errors.append(float((x_of(codec, codec.decode(packets, SHAPE)) - x_of(codec, slots)).square().mean()))
    assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True) and sizes[2] > 4 * sizes[0]


def test_the_stream_is_as_long_as_the_model_says(weights):
    codec, slots = TaskAwareCodec(weights, slices=1, thrift=0.0), make_readings(128, 96)
    net = load_codec(weights).net
    for q in (0.6, 1.0):
        packets = codec.encode_at(slots, q)
        _, bits = net(x_of(codec, slots), torch.tensor([q]))
        assert 8 * (len(packets[0].data) - 2) == pytest.approx(float(bits), rel=0.01)


def test_budgets_are_kept_and_used(weights):
    codec, slots = TaskAwareCodec(weights), make_readings()
    smallest = framed_size(codec.encode_at(slots, 0.0))
    for most in (smallest + 20, 2 * smallest, 4 * smallest):
        size = framed_size(codec.encode(slots, max_bytes=most))
        assert 0.9 * most <= size <= most
    with pytest.raises(Infeasible, match="task-aware"):
        codec.encode(slots, max_bytes=smallest // 2)


def test_thrift_saves_bits_for_little_error():
    rng = np.random.default_rng(0)
    residual, tables = rng.laplace(0, 0.6, 40_000), np.full(40_000, 12)
    nearest, thrifty = (choose_levels(residual, tables, thrift) for thrift in (0.0, 0.1))
    assert np.array_equal(nearest, np.rint(residual))
    changed = nearest != thrifty
    assert 0.02 < changed.mean() < 0.3 and (np.abs(thrifty[changed]) == np.abs(nearest[changed]) - 1).all()


@pytest.mark.parametrize("h, w", [(64, 40), (50, 70), (8, 8), (33, 95)])
def test_any_frame_size(weights, h, w):
    codec, slots = TaskAwareCodec(weights), make_readings(h, w)
    decoded = codec.decode(codec.encode_at(slots, 1.0), FrameShape(16, h, w))
    counts = codec.counts(FrameShape(16, h, w))
    unread = torch.arange(8).view(-1, 1, 1) >= counts
    assert decoded.shape == (8, h, w) and decoded.dtype == np.float32
    assert (decoded[unread.numpy()] == 0).all()
    assert float((x_of(codec, decoded) - x_of(codec, slots)).square().mean()) < 0.1


def test_padding_continues_the_ratio_map(plain):
    """What is appended to a frame has the phase of the tile, so flat light stays flat and costs little."""
    codec = load_codec(plain)
    for side in (8, 33, 50, 64):
        at = codec._extended(side)
        assert (at[:side] == torch.arange(side)).all() and len(at) % 32 == 0
        phases = at % 4 == torch.arange(len(at)) % 4
        assert phases.all() and at.max() == side - 1


def test_a_lost_slice_costs_its_band_only(plain):
    codec, slots = TaskAwareCodec(plain, slices=4), make_readings(128, 64)
    shape = FrameShape(16, 128, 64)
    packets = codec.encode_at(slots, 0.9)
    assert len(packets) == 4
    whole, holed = codec.decode(packets, shape), codec.decode(packets[:1] + packets[2:], shape)
    off = np.abs(whole - holed).max((0, 2))
    assert (off[:32] == 0).all() and (off[64:] == 0).all() and off[32:64].min() > 0
    assert np.array_equal(codec.decode(packets[::-1], shape), whole), "each slice says where it belongs"
    gray = codec.decode((), shape)
    assert np.allclose(x_of(codec, gray).numpy(), 0, atol=0.1), "without any packet the mean"


def test_missing_rows_lie_between_their_neighbours():
    latents = torch.arange(6.0).view(1, 1, 6, 1) * 10
    known = torch.tensor([False, True, False, False, True, False])
    filled = conceal(latents * known.view(-1, 1), known)[0, 0, :, 0]
    assert filled.tolist() == pytest.approx([10, 10, 20, 30, 40, 40])


def test_damage_never_raises(weights):
    codec, rng = TaskAwareCodec(weights), np.random.default_rng(0)
    good = codec.encode_at(make_readings(), 0.8)
    for _ in range(25):
        packets = []
        for packet in good:
            data = bytearray(packet.data)
            data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
            packets.append(Packet(int(rng.integers(256)), bytes(data[: rng.integers(len(data) + 1)])))
        packets.append(Packet(0, rng.bytes(int(rng.integers(40)))))
        decoded = codec.decode(packets, SHAPE)
        assert decoded.shape == (8, 64, 64) and np.isfinite(decoded).all()


RECEIVER = """
import pickle, sys, torch
torch.set_num_threads(2)
from semlink.codecs.task_aware.codec import TaskAwareCodec, load_codec
weights, packets, shape = pickle.load(sys.stdin.buffer)
latents = load_codec(weights).read(packets[0].data[2:], packets[0].data[0], (2, 2))
pickle.dump((latents.numpy(), TaskAwareCodec(weights).decode(packets, shape)), sys.stdout.buffer)
"""


@pytest.mark.slow
def test_another_process_on_two_threads_decodes_the_same(weights):
    codec = TaskAwareCodec(weights, slices=1)
    packets = codec.encode_at(make_readings(), 0.7)
    root = str(Path(__file__).parents[2])
    sent = pickle.dumps((weights, packets, SHAPE))
    done = subprocess.run([sys.executable, "-c", RECEIVER], input=sent, capture_output=True, check=True, cwd=root)
    latents, frames = pickle.loads(done.stdout)
    assert np.array_equal(latents, load_codec(weights).read(packets[0].data[2:], packets[0].data[0], (2, 2)).numpy())
    assert np.array_equal(frames, codec.decode(packets, SHAPE))


def test_what_does_not_fit_is_refused(weights, tmp_path):
    codec = TaskAwareCodec(weights)
    with pytest.raises(ScenarioError, match="allowed: 0 to 1"):
        codec.encode_at(make_readings(), 1.5)
    with pytest.raises(ScenarioError, match="slices"):
        TaskAwareCodec(weights, slices=17)
    with pytest.raises(InterfaceError, match=r"allowed: \(8, h, w\)"):
        codec.encode_at(np.zeros((16, 32, 32), np.float32), 0.5)
    with pytest.raises(ModelError, match="weights for 'ratio_policy'; allowed: those of 'compression'"):
        TaskAwareCodec("sensor")
    other = tmp_path / "other.safetensors"
    shutil.copy(weights, other)
    card = json.loads(Path(weights).with_suffix(".json").read_text())
    card["model"]["codec"]["hyper"] = 16
    other.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"has shape \(.*\), the model of the card needs \("):
        TaskAwareCodec(str(other))


def test_published_sizes_build_and_run():
    """Five levels, y 32 times and z 128 times smaller than the frame, 192 channels."""
    sizes = CodecSizes([[2]], width=8, levels=5, blocks=1, latents=192, hyper=192, hyper_blocks=1, linear=False)
    net = TaskAwareNet(sizes).eval()
    assert sizes.stride == 32 and sizes.slice_rows == 128
    with torch.no_grad():
        y = net.analysis(torch.zeros(1, 8, 128, 128))
        out, bits = net(torch.zeros(1, 8, 128, 128), torch.tensor([0.5]))
    assert y.shape == (1, 192, 4, 4) and out.shape == (1, 8, 128, 128) and bits.shape == (1,)


def scenario(folder: Path, weights: str, *schemes: dict, **content) -> Path:
    camera = {
        "sensor": {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5},
        "reconstruction": {"kind": "initial"},
    }
    base = {"kind": "digital", "codec": {"kind": "task-aware", "weights": weights}} | camera
    body = {
        "name": "s",
        "source": {"kind": "scenes", "clips": 1, "size": [64, 64], "seed": 5},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 12, "budget": 0.08},
        "trials": {"min": 1, "max": 1},
        "schemes": [base | scheme for scheme in schemes],
    }
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(body | content))
    return path


def rows_of(folder: Path, weights: str, *schemes: dict, **content):
    return run(Job(load_scenario(scenario(folder, weights, *schemes, **content)), folder / "out", folder)).rows


LDPC = {"kind": "ldpc", "modulation": "16qam", "rate": "2/3", "block_bits": 1024}


def test_readings_through_the_link(weights, tmp_path):
    cap, ldpc, harq = rows_of(
        tmp_path,
        weights,
        {"name": "Compr+Cap", "coding": {"kind": "capacity"}},
        {"name": "Compr+LDPC", "coding": LDPC},
        {"name": "Compr+HARQ", "coding": LDPC | {"harq": {}}},
    )
    assert cap.bound and not ldpc.bound
    for row in (cap, ldpc, harq):
        assert row.channel_uses_per_pixel <= 0.08 and row.measurements_per_pixel == 2.5
        assert row.psnr_db > 12
    assert cap.psnr_db >= ldpc.psnr_db - 0.3, "capacity carries more bits"


def test_the_knob_is_a_rate(weights, tmp_path):
    coarse, fine = rows_of(
        tmp_path,
        weights,
        {"name": "q", "coding": {"kind": "capacity"}, "rates": [0.1, 0.9]},
        sweep={"snr_db": 12},
    )
    assert fine.channel_uses > 2 * coarse.channel_uses and fine.psnr_db > coarse.psnr_db


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"sensor": {"kind": "programmable", "mean_count": 2}}, "ratio map has mean 2 measurements; allowed"),
        ({"sensor": None, "reconstruction": None}, "takes the readings of a sensor"),
    ],
)
def test_other_sensors_are_refused(weights, tmp_path, changes, says):
    with pytest.raises((InterfaceError, ScenarioError), match=says):
        rows_of(tmp_path, weights, {"name": "x", "coding": {"kind": "capacity"}} | changes)
