"""The code of tokens as a codec: budgets, any size of frame, damage, another process, the link, and what is refused."""

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
from codec_toys import make_readings
from token_toys import make_token_net, write_tokens

from semlink.codecs.packetization import framed_size
from semlink.codecs.tokens.choice import task_aware_codec
from semlink.codecs.tokens.codec import TokenCodec
from semlink.codecs.tokens.knob_search import finest_under
from semlink.codecs.tokens.loaded import load_tokens
from semlink.codecs.tokens.networks import KNOB_STEPS
from semlink.errors import Infeasible, InterfaceError, ModelError, ScenarioError
from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.run import Job, run
from semlink.payload import FrameShape, Packet

SHAPE = FrameShape(16, 64, 64)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_tokens(tmp_path_factory.mktemp("stirred"), make_token_net())


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    return write_tokens(tmp_path_factory.mktemp("plain"), make_token_net(stirred=False))


def test_untrained_it_is_a_linear_code_with_uniform_steps(plain):
    codec, slots = TokenCodec(plain), make_readings()
    net = load_tokens(plain).net
    x, q = load_tokens(plain).readings(slots), torch.tensor([0.75])
    with torch.no_grad():
        step = 4.8 * (0.3 / 4.8) ** 0.75
        latents = ((net.linear_analysis(x) / step).round() * step).float()
        by_hand = net.linear_synthesis(latents)
        decoded = net.synthesise((net.linear_analysis(x) / step).round(), q)
    assert torch.allclose(by_hand, decoded, atol=0.01)
    frames = codec.decode(codec.encode_at(slots, 0.75), SHAPE)
    direct = net.frames((net.linear_analysis(x) / step).round(), q)[0].clamp(0, 1).detach().numpy()
    assert np.abs(frames - direct).mean() < 2e-3, "but where rounding tips over"


def test_finer_knobs_cost_more(weights):
    codec, slots = TokenCodec(weights), make_readings()
    sizes = [framed_size(codec.encode_at(slots, q)) for q in (0.0, 0.5, 1.0)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_the_stream_is_as_long_as_the_model_says(weights):
    codec, code, slots = TokenCodec(weights), load_tokens(weights), make_readings(128, 96)
    x = code.readings(slots)
    for knob in (154, 255):
        latents = code.latents(x, code.look(x), knob)
        k, q = torch.from_numpy(latents).float()[None], torch.tensor([knob / KNOB_STEPS])
        model = float(code.net.contexts.bits(k, k, q, code.net.gain(q)).sum())
        assert code.bits(latents, knob) == pytest.approx(model, rel=0.02), "scales and means on their grids"
        assert 8 * len(codec.encode_at(slots, knob / KNOB_STEPS)[0].data) == pytest.approx(
            code.bits(latents, knob) + 16, abs=40
        )


def test_budgets_are_kept_and_used(weights):
    codec, slots = TokenCodec(weights), make_readings()
    smallest = framed_size(codec.encode_at(slots, 0.0))
    for most in (smallest + 20, 2 * smallest, 3 * smallest):
        size = framed_size(codec.encode(slots, max_bytes=most))
        assert 0.9 * most <= size <= most
    with pytest.raises(Infeasible, match="task-aware: even at q = 0"):
        codec.encode(slots, max_bytes=smallest // 2)


@pytest.mark.parametrize("budget", [3, 40, 700, 1e9])
def test_the_knob_search_finds_the_finest_that_fits(budget):
    looks = []

    def size(knob: int) -> float:
        looks.append(knob)
        return 20 * 1.025 ** (knob + 4 * np.sin(knob / 9))

    fitting = [knob for knob in range(256) if size(knob) <= budget]
    looks.clear()
    found = finest_under(size, budget, 255, 100)
    assert len(looks) <= 8 and (found == 0 if not fitting else size(found) <= budget)
    assert not fitting or size(found) > 0.97 * budget or max(fitting) - found <= 2


@pytest.mark.parametrize("h, w", [(64, 40), (50, 70), (8, 8), (33, 95)])
def test_any_frame_size(weights, h, w):
    codec = TokenCodec(weights)
    decoded = codec.decode(codec.encode_at(make_readings(h, w), 1.0), FrameShape(16, h, w))
    assert decoded.shape == (16, h, w) and decoded.dtype == np.float32
    assert decoded.min() >= 0 and decoded.max() <= 1


def test_a_lost_band_costs_its_neighbourhood_only(plain):
    codec, slots = TokenCodec(plain, slices=4), make_readings(128, 64)
    shape = FrameShape(16, 128, 64)
    packets = codec.encode_at(slots, 0.9)
    assert len(packets) == 4
    whole, holed = codec.decode(packets, shape), codec.decode(packets[:1] + packets[2:], shape)
    off = np.abs(whole - holed).max((0, 2))
    assert off[32:64].max() > 0 and off[:32].max() < 1e-3 and off[64:].max() < 1e-3
    assert np.array_equal(codec.decode(packets[::-1], shape), whole), "each band says where it belongs"
    assert np.isfinite(codec.decode((), shape)).all()


def test_damage_never_raises(weights):
    codec, rng = TokenCodec(weights, slices=2), np.random.default_rng(0)
    good = codec.encode_at(make_readings(), 0.8)
    for _ in range(15):
        packets = []
        for packet in good:
            data = bytearray(packet.data)
            data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
            packets.append(Packet(int(rng.integers(256)), bytes(data[: rng.integers(len(data) + 1)])))
        packets.append(Packet(0, rng.bytes(int(rng.integers(40)))))
        decoded = codec.decode(packets, SHAPE)
        assert decoded.shape == (16, 64, 64) and np.isfinite(decoded).all()


def test_streams_of_this_network_end_with_their_bytes_and_those_of_another_do_not(weights, tmp_path):
    own, stranger = load_tokens(weights), TokenCodec(write_tokens(tmp_path, make_token_net(seed=1)))
    nothing = TokenCodec(weights).decode((), SHAPE)
    for size in ((64, 64), (8, 8), (40, 96)):
        slots, place = make_readings(*size), (size[0] // 8, size[1] // 8)
        for knob in (0, 60, 154, 255):
            (packet,) = TokenCodec(weights).encode_at(slots, knob / KNOB_STEPS)
            assert own.read(packet.data[2:], packet.data[0], place) is not None
    for rate in (0.4, 0.7, 1.0):
        packets = stranger.encode_at(make_readings(), rate)
        assert own.read(packets[0].data[2:], packets[0].data[0], (8, 8)) is None
        assert np.array_equal(TokenCodec(weights).decode(packets, SHAPE), nothing), "a stranger's band is a missing one"


RECEIVER = """
import pickle, sys, torch
torch.set_num_threads(2)
from semlink.codecs.tokens.codec import TokenCodec
from semlink.codecs.tokens.loaded import load_tokens
weights, packets, shape = pickle.load(sys.stdin.buffer)
latents = load_tokens(weights).read(packets[0].data[2:], packets[0].data[0], (8, 8))
pickle.dump((latents, TokenCodec(weights).decode(packets, shape)), sys.stdout.buffer)
"""


def test_another_process_with_other_instructions_decodes_the_same_latents(weights):
    codec, code, slots = TokenCodec(weights), load_tokens(weights), make_readings()
    packets = codec.encode_at(slots, 0.7)
    root = str(Path(__file__).parents[2])
    env = {"PATH": "/usr/bin", "PYTHONPATH": root, "ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Prescott"}
    sent = pickle.dumps((weights, packets, SHAPE))
    command = [sys.executable, "-c", RECEIVER]
    done = subprocess.run(command, input=sent, capture_output=True, check=True, cwd=root, env=env)
    latents, frames = pickle.loads(done.stdout)
    x = code.readings(slots)
    assert np.array_equal(latents, code.latents(x, code.look(x), packets[0].data[0]))
    assert np.allclose(frames, codec.decode(packets, SHAPE), atol=1e-4)


def test_searched_latents_cost_less_for_their_error(weights):
    slots = make_readings()
    code = load_tokens(weights)
    x, q = code.readings(slots), torch.tensor([0.5])
    aim = code.net.synthesise(code.net.analyse(x, torch.ones(1)), torch.ones(1)).detach()

    def loss(latents: np.ndarray) -> float:
        k = torch.from_numpy(latents).float()[None]
        error = (code.net.synthesise(k, q) - aim).square().mean() + 2e-3
        return float(error.log()) + code.price(128) * code.bits(latents, 128) / k[0, ..., 0].numel()

    from semlink.codecs.tokens.search import searched

    found = searched(code, x, 128, 60)
    assert loss(found) < loss(code.latents(x, code.look(x), 128)) - 0.002
    assert np.array_equal(found, searched(code, x, 128, 60))


def test_what_does_not_fit_is_refused(weights, tmp_path):
    codec = TokenCodec(weights)
    with pytest.raises(ScenarioError, match="allowed: 0 to 1"):
        codec.encode_at(make_readings(), 1.5)
    with pytest.raises(ScenarioError, match="slices"):
        TokenCodec(weights, slices=17)
    with pytest.raises(InterfaceError, match=r"allowed: \(8, h, w\)"):
        codec.encode_at(np.zeros((16, 32, 32), np.float32), 0.5)
    other = tmp_path / "other.safetensors"
    shutil.copy(weights, other)
    card = json.loads(Path(weights).with_suffix(".json").read_text())
    card["model"]["decoder"] = 24
    other.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"has shape \(.*\), the model of the card needs \("):
        TokenCodec(str(other))


def test_architecture_and_options_must_be_those_of_the_weights(weights):
    assert isinstance(task_aware_codec(weights, None, None, 0.0, 0), TokenCodec)
    with pytest.raises(ModelError, match="of the architecture 'tokens', the codec says 'published'"):
        task_aware_codec(weights, "published", None, 0.0, 0)
    with pytest.raises(ScenarioError, match=r"codec\.thrift"):
        task_aware_codec(weights, None, None, 0.1, 0)
    with pytest.raises(ModelError, match="weights for 'ratio_policy'"):
        task_aware_codec("sensor", None, None, 0.0, 0)


def test_frames_through_the_link(weights, tmp_path):
    eye = {"kind": "programmable", "ratio_map": "learned", "weights": "sensor", "mean_count": 2.5}
    ldpc = {"kind": "ldpc", "modulation": "16qam", "rate": "2/3", "block_bits": 1024}
    digital = {
        "kind": "digital",
        "codec": {"kind": "task-aware", "weights": weights},
        "sensor": eye,
        "reconstruction": {"kind": "initial"},
    }
    body = {
        "name": "s",
        "source": {"kind": "scenes", "clips": 1, "size": [64, 64], "seed": 5},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 12, "budget": 0.08},
        "trials": {"min": 1, "max": 1},
        "schemes": [
            digital | {"name": "ldpc", "coding": ldpc},
            digital | {"name": "cap", "coding": {"kind": "capacity"}},
        ],
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(body))
    rows = run(Job(load_scenario(tmp_path / "s.yaml"), tmp_path / "out", tmp_path)).rows
    for row in rows:
        assert row.channel_uses_per_pixel <= 0.08 and row.measurements_per_pixel == 2.5 and row.psnr_db > 12
