"""The delta-sigma codec: bits, packets, sizes, damage."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from delta_sigma_toys import SMALL, delta_recipe, scene, write_delta
from safetensors.torch import load_file

from semlink.codecs.delta_sigma.binary_maps import load_delta_sigma
from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.codecs.delta_sigma.contexts import CONTEXTS, context_counts
from semlink.codecs.delta_sigma.entropy_coding import pack_maps, unpack_maps
from semlink.codecs.delta_sigma.initialisation import block_basis, dct_basis, stages_of
from semlink.codecs.delta_sigma.networks import (
    DeltaSigmaNet,
    DeltaSigmaSize,
    Residual,
    from_blocks,
    keep_channels,
    to_blocks,
)
from semlink.codecs.delta_sigma.packets import even_counts, fold_for, parts_of, plain_size, read_packets, write_packets
from semlink.codecs.packetization import framed_size
from semlink.errors import Infeasible, InterfaceError, ModelError, ScenarioError
from semlink.payload import FrameShape, Packet

ROOT = Path(__file__).resolve().parents[2]
SHAPE = FrameShape(16, 48, 64)
RECEIVER = """
import pickle, sys
import numpy as np
from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.payload import FrameShape
with open("wire", "rb") as file:
    packets = pickle.load(file)
np.save("there.npy", DeltaSigmaCodec(sys.argv[1]).decode(packets, FrameShape(16, 48, 64)))
"""
BLOCKS = 2 * 6 * 8  # groups, rows, columns


def psnr_db(clip: np.ndarray, decoded: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(clip - decoded).mean()))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_delta(tmp_path_factory.mktemp("delta"))


def test_every_bit_of_the_maps_is_on_the_wire(weights):
    """k channels of n frames of every block, three bytes of header a packet, and the packets' own."""
    codec = DeltaSigmaCodec(weights)
    for k in (2, 5, 12):
        packets = codec.encode_at(scene(), k)
        assert sum(8 * (len(p.data) - 3) for p in packets) == k * 8 * BLOCKS
        assert framed_size(packets) == codec._size(load_delta_sigma(weights).shape(SHAPE), k)


@pytest.mark.parametrize("entropy", [False, True])
def test_what_was_written_is_read(weights, entropy):
    model = load_delta_sigma(weights)
    bits = model.bits(scene(), np.full((2, 6, 8), 7))
    parts = parts_of(2, 1)
    channels = [7, 6, 5, 4, 3, 2, 1, 7]
    packets = write_packets(bits, parts, channels, chances=model.chances if entropy else None)
    found, counts = read_packets(packets, bits.shape, chances=model.chances)
    assert np.array_equal(counts, even_counts(parts, channels, 2, 6, 8))
    known = np.arange(12)[:, None, None, None] < counts[:, None, None]
    assert np.array_equal(found, np.where(known, bits, 0))


@pytest.mark.slow  # every run holds a receiver of its own process against this one; see test_boundary_ends.py
def test_the_receiver_is_in_another_process(weights, tmp_path):
    codec, clip = DeltaSigmaCodec(weights), scene()
    packets = codec.encode_at(clip, 8)
    here = codec.decode(packets, SHAPE)
    (tmp_path / "wire").write_bytes(pickle.dumps(packets))
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    subprocess.run([sys.executable, "-c", RECEIVER, weights], check=True, env=env, cwd=tmp_path)
    there = np.load(tmp_path / "there.npy")
    np.testing.assert_allclose(here, there, atol=1e-6)
    assert here.dtype == np.float32 and here.shape == clip.shape and here.min() >= 0 and here.max() <= 1


def test_both_ends_expect_the_same_frames(weights):
    """What the encoder decoded for its context is what the receiver shows."""
    model, clip = load_delta_sigma(weights), torch.from_numpy(scene())[None]
    counts = np.full((2, 6, 8), 9)
    with torch.no_grad():
        count = torch.full((1, 6, 8), 9.0)
        empty = model.net.context(None, count)
        _, bits = model.net.code(clip[:, :8], empty, later=False)
        first = model.net.frames(bits, keep_channels(bits, count), empty, later=False).clamp(0, 1)
    decoded = model.frames(model.bits(scene(), counts), counts, SHAPE)
    np.testing.assert_allclose(first[0].numpy(), decoded[:8], atol=2e-2)  # float32 here


def test_an_untrained_codec_is_already_a_transform_coder(tmp_path):
    """Its linear start; more channels are better, and a modulated bit is worth more than a plain sign at rest."""
    clip = np.repeat(scene(frames=2), 8, axis=0)
    kept = {"kept": [1, 32]}
    found = {}
    for order in (0, 1, 2):
        model = SMALL | {"channels": 32, "order": order}
        name = write_delta(tmp_path, stirred=0.0, name=f"order{order}", model=model, options=kept)
        codec = DeltaSigmaCodec(name)
        found[order] = [psnr_db(clip, codec.decode(codec.encode_at(clip, k), SHAPE)) for k in (1, 4, 12, 32)]
        assert found[order] == sorted(found[order]) and found[order][-1] > 23
    assert found[1][1] > found[0][1] and found[2][1] > found[0][1] - 0.5


def test_the_largest_that_fits_is_sent(weights):
    codec, clip = DeltaSigmaCodec(weights), scene()
    sizes = {k: framed_size(codec.encode_at(clip, k)) for k in (5, 6)}
    for max_bytes in (sizes[5], sizes[5] + 1, (sizes[5] + sizes[6]) // 2, sizes[6] - 1, sizes[6]):
        packets = codec.encode(clip, max_bytes=max_bytes)
        channels = [p.data[0] for p in packets]
        assert framed_size(packets) <= max_bytes and {5, 6} >= set(channels)
        assert channels == sorted(channels, reverse=True)
    assert framed_size(codec.encode(clip, max_bytes=10**6)) == framed_size(codec.encode_at(clip, 12))
    fixed = DeltaSigmaCodec(weights, channels=4)
    assert fixed.encode(clip, max_bytes=10**6) == codec.encode_at(clip, 4) == fixed.encode_at(clip, 4)


def test_coded_maps_fit_as_well_and_say_the_same(weights):
    plain, coded, clip = DeltaSigmaCodec(weights), DeltaSigmaCodec(weights, entropy=True), scene()
    a, b = plain.encode_at(clip, 8), coded.encode_at(clip, 8)
    assert np.array_equal(plain.decode(a, SHAPE), coded.decode(b, SHAPE))
    most = framed_size(b)
    assert framed_size(coded.encode(clip, max_bytes=most)) <= most
    with pytest.raises(Infeasible, match="even 2 channels"):
        coded.encode(clip, max_bytes=8)


def test_too_little_is_said_with_what_is_needed(weights):
    with pytest.raises(Infeasible, match=r"even 2 channels take (\d+) bytes.*raise it to \1 bytes"):
        DeltaSigmaCodec(weights).encode(scene(), max_bytes=20)
    with pytest.raises(Infeasible, match="even 4 channels"):
        DeltaSigmaCodec(weights, channels=4).encode(scene(), max_bytes=300)


@pytest.mark.parametrize("rate", [0, 1, 13, 2.5, -3])
def test_channels_outside_the_model_are_refused(weights, rate):
    with pytest.raises(ScenarioError, match="whole numbers from 2 to 12"):
        DeltaSigmaCodec(weights).encode_at(scene(), rate)


def test_other_refusals(weights, tmp_path):
    with pytest.raises(ScenarioError, match=r"codec.channels: got 40 channels; allowed: whole numbers from 2 to 12"):
        DeltaSigmaCodec(weights, channels=40)
    with pytest.raises(ScenarioError, match="got 5 channels beside codec.channels 4"):
        DeltaSigmaCodec(weights, channels=4).encode_at(scene(), 5)
    with pytest.raises(InterfaceError, match=r"\(16, 48, 64, 3\); allowed: gray frames"):
        DeltaSigmaCodec(weights).encode_at(np.repeat(scene()[..., None], 3, -1), 4)
    with pytest.raises(InterfaceError, match="got a clip of 1032 frames; allowed: 1 to 1024"):
        DeltaSigmaCodec(weights).encode_at(np.zeros((1032, 8, 8), np.float32), 4)
    with pytest.raises(ModelError, match="weights for 'token_compression'; allowed: those of 'delta_sigma'"):
        DeltaSigmaCodec("compr_tokens")
    for key, value, said in (("order", 3, "0, 1, 2"), ("scan", "rows", "frames"), ("fusion", "x", "frames")):
        with pytest.raises(ValueError, match=f"model.{key}: got .*{said}"):
            DeltaSigmaSize(**{key: value})


@pytest.mark.parametrize("t, h, w", [(1, 8, 8), (3, 17, 9), (8, 24, 40), (11, 31, 33)])
def test_clips_that_are_no_whole_groups_or_blocks(weights, t, h, w):
    """A clip shorter than a group is lengthened by its last frame, and the rest is cut off again."""
    codec, clip = DeltaSigmaCodec(weights), scene()[:t, :h, :w]
    packets = codec.encode_at(clip, 12)
    decoded = codec.decode(packets, FrameShape(t, h, w))
    assert decoded.shape == clip.shape and psnr_db(clip, decoded) > 15


@pytest.mark.parametrize("entropy", [False, True])
def test_damage_never_raises(weights, entropy):
    codec, rng = DeltaSigmaCodec(weights, entropy=entropy), np.random.default_rng(0)
    packets = list(codec.encode_at(scene(), 6))
    for trial in range(12):
        damaged = []
        for packet in packets:
            data = bytearray(packet.data)
            for place in rng.integers(0, len(data), rng.integers(0, 6)):
                data[place] = rng.integers(0, 256)
            damaged.append(
                replace(packet, data=bytes(data[: rng.integers(0, len(data) + 1)]) if trial % 2 else bytes(data))
            )
        decoded = codec.decode(damaged, SHAPE)
        assert np.isfinite(decoded).all() and decoded.min() >= 0 and decoded.max() <= 1
    noise = [Packet(0, rng.bytes(int(n))) for n in rng.integers(0, 50, 30)]
    assert codec.decode(noise, SHAPE).shape == (16, 48, 64)
    assert codec.decode([], SHAPE).shape == (16, 48, 64)


def test_a_lost_packet_costs_its_blocks_and_a_wrong_bit_one(tmp_path):
    """With the linear decoder alone, which has no neighbours, exactly those."""
    name = write_delta(tmp_path, stirred=0.0, model=SMALL | {"synthesis": 0})
    codec, clip = DeltaSigmaCodec(name), scene(frames=8, h=128, w=128)
    shape = FrameShape(8, 128, 128)
    packets = list(codec.encode_at(clip, 12))
    assert len(packets) == 4
    whole = codec.decode(packets, shape)
    changed = np.abs(codec.decode(packets[1:], shape) - whole).max(0).reshape(16, 8, 16, 8).max((1, 3)) > 0
    assert changed[0::2, 0::2].all() and changed.sum() == 64
    wrong = replace(packets[0], data=packets[0].data[:3] + bytes([packets[0].data[3] ^ 1]) + packets[0].data[4:])
    changed = np.abs(codec.decode([wrong, *packets[1:]], shape) - whole).max(0).reshape(16, 8, 16, 8).max((1, 3)) > 0
    assert changed.sum() == 1
    short = replace(packets[0], data=packets[0].data[:-1])
    assert psnr_db(clip, codec.decode([short, *packets[1:]], shape)) > psnr_db(clip, codec.decode(packets[1:], shape))


def test_packets_are_about_a_transport_block_long():
    for k, rows, columns in ((1, 4, 4), (16, 32, 32), (32, 32, 32), (32, 90, 160), (2, 1, 300)):
        fold = fold_for(k, 8, rows, columns)
        longest = max(part.blocks(rows, columns) for part in parts_of(1, fold)) * k
        assert longest <= 1100 or fold == 3 or min(rows, columns) < 2 << fold
        assert sum(part.blocks(rows, columns) for part in parts_of(1, fold)) == rows * columns
        assert plain_size(parts_of(1, fold), [k] * 4**fold, 8, rows, columns) >= k * rows * columns


# arithmetic coding


@pytest.mark.parametrize("shape", [(3, 8, 6, 5), (1, 8, 1, 1), (2, 3, 2, 3), (4, 1, 5, 1), (2, 2, 1, 7)])
def test_maps_survive_arithmetic_coding(shape):
    rng = np.random.default_rng(sum(shape))
    ones = (rng.random(shape) < 0.3).astype(np.int64)
    chances = rng.random((5, shape[1], CONTEXTS))
    assert np.array_equal(unpack_maps(pack_maps(ones, chances), shape, chances), ones)


def test_arithmetic_coding_reaches_the_entropy_of_what_it_knows():
    """Bits that repeat the frame before but for one in twenty: 0.286 bits each, where contexts show it."""
    rng = np.random.default_rng(7)
    ones = np.zeros((4, 16, 32, 32), np.int64)
    ones[:, 0] = rng.random((4, 32, 32)) < 0.5
    for i in range(1, 16):
        ones[:, i] = ones[:, i - 1] ^ (rng.random((4, 32, 32)) < 0.05)
    counts = context_counts(ones[None])
    chances = (counts[..., 1] + 0.5) / (counts.sum(-1) + 1)
    size = 8 * len(pack_maps(ones, chances))
    entropy = 4 * 1024 * (1 + 15 * -(0.05 * np.log2(0.05) + 0.95 * np.log2(0.95)))
    assert entropy * 0.98 < size < entropy * 1.04
    fair = np.full((4, 16, CONTEXTS), 0.5)
    assert 8 * len(pack_maps(ones, fair)) < 1.5 * size  # learned within the packet
    noise = (rng.random((4, 8, 32, 32)) < 0.5).astype(np.int64)
    assert 8 * len(pack_maps(noise, np.full((4, 8, CONTEXTS), 0.5))) < 1.02 * noise.size


def test_contexts_are_counted_as_they_are_coded():
    """A bit that its context tells for sure costs next to nothing."""
    rows = np.arange(6)[:, None] % 2 * np.ones((1, 7), np.int64)
    ones = np.broadcast_to(rows, (2, 8, 6, 7)).astype(np.int64)
    counts = context_counts(ones[None])
    assert counts.sum() == ones.size and not (counts.min(-1) > 0).any()
    chances = counts[..., 1] / counts.sum(-1).clip(1)
    assert 8 * len(pack_maps(ones, chances)) < 0.1 * ones.size


# the networks


def test_blocks_hold_the_pixels_of_their_place():
    frames = torch.rand(2, 3, 16, 24)
    blocks = to_blocks(frames)
    assert torch.equal(blocks[1, :, 2, 1, 2].view(8, 8), frames[1, 2, 8:16, 16:24] - 0.5)
    torch.testing.assert_close(from_blocks(blocks), frames)


def test_the_first_transform_is_orthonormal_and_a_dct():
    from scipy.fft import dct

    np.testing.assert_allclose(dct_basis(8), dct(np.eye(8), norm="ortho", axis=0), atol=1e-12)
    np.testing.assert_allclose(block_basis(8) @ block_basis(8).T, np.eye(64), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_every_further_stage_leaves_less(order):
    left = [1.0, *(stage.left for stage in stages_of(8, order))]
    assert all(later < 0.9 * before for before, later in zip(left, left[1:]))


def test_both_fusions_have_as_many_weights_and_products():
    """Frames and groups of channels change places: what one frame changes reaches its neighbours, or all at once."""
    torch.manual_seed(0)
    over_frames, over_channels = (Residual(16, 8, fusion) for fusion in ("frames", "channels"))
    assert sum(p.numel() for p in over_frames.parameters()) == sum(p.numel() for p in over_channels.parameters())
    x = torch.rand(1, 16, 8, 4, 4)
    other = x.clone()
    other[:, :, 0] += 1
    touched = [(m(other) - m(x)).abs().amax((0, 1, 3, 4)) > 1e-6 for m in (over_frames, over_channels)]
    assert touched[0].tolist() == [True] * 3 + [False] * 5 and touched[1].all()


LINEAR = ("spatial", "temporal", "offset", "back_spatial", "back_temporal")


@pytest.mark.parametrize("scan", ["frames", "channels"])
@pytest.mark.parametrize("fusion, linear", [("frames", True), ("channels", True), ("frames", False)])
def test_gradients_reach_all_parts(scan, fusion, linear):
    """All but the linear transform where there is none."""
    torch.manual_seed(0)
    size = DeltaSigmaSize(channels=12, width=16, analysis=1, synthesis=1, scan=scan, fusion=fusion, linear=linear)
    net = DeltaSigmaNet(size)
    for trunk in (net.encoder, net.decoder):
        torch.nn.init.normal_(trunk.leave.weight, std=0.02)
    torch.nn.init.normal_(net.predictor.leave.weight, std=0.02)
    clip = torch.from_numpy(scene())[None]
    last, total = None, torch.zeros(())
    for later, frames in enumerate(clip.split(8, 1)):
        context = net.context(last, torch.zeros(1, 6, 8))
        codes, bits = net.code(frames, context, later=later > 0)
        assert codes.abs().max() <= 0.7 and set(bits.detach().unique().tolist()) == {-1.0, 1.0}
        decoded = net.frames(bits, torch.ones(1, 12, 6, 8), context, later=later > 0)
        total, last = total + (decoded - frames).square().mean(), decoded[:, -2:].detach()
    total.backward()
    still = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert still <= (set() if linear else set(LINEAR))


# training


def test_training_runs_resumes_and_ends_the_same(tmp_path):
    from semlink.training.loop import train

    straight = train(delta_recipe(tmp_path), out=tmp_path / "a", data=_material(tmp_path), steps=6)
    assert load_delta_sigma(str(straight)).most == 12
    card = load_delta_sigma(str(straight))
    assert card.facts["noise_db"] == [-3.0, 8.0] and card.facts["group"] == 8
    assert not np.allclose(card.chances, 0.5)


@pytest.mark.slow
def test_training_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    from semlink.training import loop

    def killed(progress):
        if progress.step == 4:
            raise InterruptedError

    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)  # every step is kept
    recipe, data = delta_recipe(tmp_path), _material(tmp_path)
    loop.train(recipe, out=tmp_path / "whole", data=data, steps=6)
    with pytest.raises(InterruptedError):
        loop.train(recipe, out=tmp_path / "killed", data=data, steps=6, report=killed)
    loop.train(recipe, out=tmp_path / "killed", data=data, steps=6)
    whole, killed_once = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed_once.keys() and all(torch.equal(whole[key], killed_once[key]) for key in whole)


def _material(folder):
    from training_toys import small_pack

    from semlink.training.data.pack import save_pack

    save_pack(small_pack(), folder / "pack.npz")
    return folder / "pack.npz"


def test_training_lowers_the_error():
    """A few steps on one batch."""
    from semlink.training.task import build_task

    task = build_task("delta_sigma", SMALL, {"kept": [2, 12]})
    torch.manual_seed(0)
    model = task.build()
    (optimiser,) = task.optimisers(model, 3e-3)
    clips = torch.from_numpy(scene())[None].repeat(2, 1, 1, 1)
    before = task.validate(model, clips)
    for step in range(20):
        loss, figures = task.loss(model, clips, step, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = task.validate(model, clips)
    assert set(before) == {"psnr_k3_db", "psnr_k6_db", "psnr_k12_db"} and set(figures) == {"first_db", "later_db"}
    assert all(after[key] > before[key] + 0.1 for key in before), (before, after)


@pytest.mark.parametrize("kept", [[0, 4], [5, 4], [3], [1, 13]])
def test_wrong_options_of_a_recipe(kept):
    from semlink.training.task import build_task

    with pytest.raises(ScenarioError, match="1 to 12"):
        build_task("delta_sigma", SMALL, {"kept": kept})
    with pytest.raises(ScenarioError, match="model.width: got 15"):
        build_task("delta_sigma", SMALL | {"width": 15}, {})
