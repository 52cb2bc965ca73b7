"""HIT-VCSNet and the plain network: sizes, switches, where they start, what they learn, and which frame knows which."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
import torch
from training_toys import RECIPE, write_recipe

from semlink.errors import ModelError, ScenarioError
from semlink.payload import Frames, FrameShape, Projections
from semlink.seeds import Seeds
from semlink.sensing.block_cs.guide import corrected, guide
from semlink.sensing.block_cs.hit_vcsnet import SCALES, Fusion, HitVcsNet, Level, MultiScaleFusion, half
from semlink.sensing.block_cs.networks import NetworkSize, SampledNetwork, Sampling, fixed_matrices, load_network
from semlink.sensing.block_cs.patterns import load_patterns
from semlink.sensing.block_cs.reconstructors import BlockNetworkReconstructor, LinearBlockReconstructor
from semlink.sensing.block_cs.sampler import BlockSampler, to_blocks
from semlink.sensing.block_cs.vcsnet import VcsNet
from semlink.sensing.sources.synthetic.scenes import SceneSource
from semlink.training.data.pack import Pack, save_pack
from semlink.training.loop import train
from semlink.training.tasks.block_networks import BlockTask

NETS = {"hit": partial(HitVcsNet, 4, 1), "plain": partial(VcsNet, 4, 3)}


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(*shape, generator=Seeds(seed).torch("noise"))


def seeded(make, seed: int = 1):
    """A network with every weight drawn, the last ones too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make()
        for name, value in net.named_parameters():
            if "show" in name or "leave" in name:
                torch.nn.init.normal_(value, std=0.05)
    return net.requires_grad_(False)


def scene(frames: int = 9, side: int = 64) -> torch.Tensor:
    return torch.from_numpy(SceneSource(clips=1, frames=frames, size=(side, side)).clip(0))[None]


def panning(frames: int = 9, side: int = 64) -> torch.Tensor:
    """Texture that moves one pixel a frame to the left."""
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side + frames)), indexing="ij")
    wide = 0.5 + 0.15 * torch.sin(x / 3) * torch.cos(y / 5) + 0.2 * ((x // 17 + y // 13) % 2) - 0.1
    return torch.stack([wide[:, t : t + side] for t in range(frames)])[None]


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# sizes


def conv(c: int, to: int | None = None, kernel: int = 9) -> int:
    """Weights and biases of one convolution."""
    to = c if to is None else to
    return kernel * c * to + to


@pytest.mark.parametrize("width, levels", [(4, 1), (32, 2), (64, 5)])
def test_parameters_of_hit_vcsnet(width, levels):
    """Counted by hand: see (FEM), six paths of HFFM, residual blocks, gifts of HFIM, MSFM."""
    pair, double = 2 * conv(width), conv(width, kernel=4)
    down = [pair + steps * conv(width) for steps in (1, 1, 2)]
    up = [pair + steps * double for steps in (1, 1, 2)]
    branch = sum(down) + sum(up) + SCALES * pair
    level = 2 * branch + SCALES * pair
    merge = 2 * (double + 2 * conv(width)) + conv(width, 1)
    fem = SCALES * (conv(1, width) + conv(2, width))
    assert count(HitVcsNet(width, levels)) == fem + levels * level + 2 * merge
    assert count(HitVcsNet(width, levels, guided=False)) == fem - SCALES * 9 * width + levels * level + 2 * merge
    assert count(HitVcsNet(width, levels, hfim=False)) == fem + levels * (level - SCALES * pair) + 2 * merge
    no_paths = level - 2 * (sum(down) + sum(up))
    assert count(HitVcsNet(width, levels, hffm=False)) == fem + levels * no_paths + 2 * merge


def test_parameters_of_the_plain_network():
    """Five layers in each of two stacks, and a reference convolution behind each but the last."""
    c = 64
    both = conv(1, c) + conv(2, c) + 2 * 3 * conv(c) + 2 * conv(c, 1)
    assert count(VcsNet(c, 4)) == both + 4 * conv(c) == 372290


def test_patterns_and_upsampling_are_parameters_only_if_they_learn():
    size = NetworkSize("hit-vcsnet", 4, 1, guided=False)
    fixed, joint = SampledNetwork(size, Sampling((0.1,))), SampledNetwork(size, Sampling((0.1,), joint=True))
    assert count(joint) - count(fixed) == 2 * 1024 * (512 + 102)
    assert not any(name.startswith(("key_", "rest_")) for name in fixed.state_dict())


# where they start


@pytest.mark.parametrize("kind", ["hit-vcsnet", "vcsnet"])
@pytest.mark.parametrize("guided", [True, False], ids=["guided", "published"])
def test_a_fresh_network_gives_what_it_starts_from(kind, guided):
    network = SampledNetwork(NetworkSize(kind, 4, 2, guided=guided), Sampling((0.05,)))
    clip, chosen = noise(2, 9, 64, 32), [1, 4, 6]
    with torch.no_grad():
        made = network.restore(*network.readings(clip, 0.05, chosen), 0.05, FrameShape(9, 64, 32), chosen)
    rows = BlockSampler(0.05).matrices()
    keys = corrected(torch.zeros(2, 2, 2, 1024), to_blocks(clip[:, [0, 8]]) @ rows[0].T, rows[0])
    torch.testing.assert_close(made.keys, made.first_keys, atol=1e-5, rtol=0)
    if guided:  # nearer than the linear estimate, and in agreement with the readings
        assert float((to_blocks(made.keys) - keys).abs().max()) > 1e-3
        torch.testing.assert_close(to_blocks(made.keys) @ rows[0].T, keys @ rows[0].T, atol=1e-4, rtol=0)
    else:
        torch.testing.assert_close(to_blocks(made.keys), keys, atol=1e-5, rtol=0)
    began = made.guide if guided else made.first_rests
    torch.testing.assert_close(made.rests, began, atol=1e-5, rtol=0)
    assert (made.guide is not None) == guided


def test_coarser_scales_are_the_best_linear_estimates_of_coarser_frames():
    """Halving commutes with the best linear estimate, so one upsampling matrix serves three scales."""
    rows, moment = torch.linalg.qr(torch.randn(1024, 20, dtype=torch.float64)).Q.T, torch.randn(1024, 1024).double()
    moment = moment @ moment.T
    halving = torch.stack([half(pixel.view(1, 1, 32, 32), 1).flatten() for pixel in torch.eye(1024).double()], 1)
    inverse = torch.linalg.inv(rows @ moment @ rows.T)
    fine, coarse = moment @ rows.T @ inverse, halving @ moment @ rows.T @ inverse
    torch.testing.assert_close(halving @ fine, coarse)
    assert halving.shape == (256, 1024) and half(torch.ones(1, 1, 32, 32), 2).shape == (1, 1, 8, 8)


def test_what_comes_out_agrees_with_every_reading():
    network = seeded(lambda: SampledNetwork(NetworkSize("hit-vcsnet", 4, 1), Sampling((0.05,))))
    clip, chosen = noise(1, 9, 32, 64), [2, 7]
    key, rest = network.readings(clip, 0.05, chosen)
    made = network.restore(key, rest, 0.05, FrameShape(9, 32, 64), chosen)
    again = network.readings(made.keys, 0.05, [0])[0], to_blocks(made.rests) @ network.matrices(0.05)[1][0].T
    torch.testing.assert_close(again[0], key[:, :1], atol=1e-4, rtol=0)
    torch.testing.assert_close(again[1], rest, atol=1e-4, rtol=0)
    assert float((made.rests - made.guide).abs().max()) > 1e-3


# who knows whom


def run_deep(net, key, rest, before, behind):
    shown, gifts = net.of_keys(key)
    guides = rest.flip(0) if net.guided else None
    return shown, net.of_rest(rest, guides, gifts, torch.tensor(before), torch.tensor(behind))


@pytest.mark.source("zhang2023hitvcsnet", "eq. (6)")
@pytest.mark.parametrize("kind", NETS)
def test_non_key_frames_hear_both_their_key_frames_alike(kind):
    net, key, rest = seeded(NETS[kind]), noise(3, 1, 32, 32), noise(2, 1, 32, 32, seed=2)
    shown, made = run_deep(net, key, rest, [0, 1], [1, 2])
    torch.testing.assert_close(run_deep(net, key, rest, [1, 2], [0, 1])[1], made)
    for changed, heard in ((0, [True, False]), (1, [True, True]), (2, [False, True])):
        other = key.clone()
        other[changed] = noise(1, 32, 32, seed=9)
        again, remade = run_deep(net, other, rest, [0, 1], [1, 2])
        moved = (remade - made).abs().amax((1, 2, 3)) > 1e-6
        assert moved.tolist() == heard
        assert ((again - shown).abs().amax((1, 2, 3)) > 1e-6).tolist() == [n == changed for n in range(3)]
    assert torch.equal(run_deep(net, key, rest + 0.1, [0, 1], [1, 2])[0], shown)


def test_without_interaction_nothing_is_heard_of_key_frames():
    net, rest = seeded(partial(HitVcsNet, 4, 2, hfim=False)), noise(2, 1, 32, 32, seed=2)
    first = run_deep(net, noise(2, 1, 32, 32), rest, [0, 0], [1, 1])[1]
    torch.testing.assert_close(run_deep(net, noise(2, 1, 32, 32, seed=3), rest, [0, 0], [1, 1])[1], first)


@pytest.mark.source("zhang2023hitvcsnet", "eq. (5)")
@pytest.mark.parametrize("hffm", [True, False])
def test_scales_hear_each_other_only_with_fusion(hffm):
    level = seeded(lambda: Level(4, hffm=hffm, hfim=True))
    features = [noise(1, 4, 32 >> scale, 32 >> scale) for scale in range(SCALES)]
    for changed in range(SCALES):
        other = [f + (scale == changed) for scale, f in enumerate(features)]
        for branch in (lambda f: level.of_keys(f)[0], lambda f: level.of_rest(f, [], None, None)):
            moved = [not torch.allclose(a, b) for a, b in zip(branch(features), branch(other))]
            assert moved == [hffm or scale == changed for scale in range(SCALES)]


def test_fusion_keeps_every_size_and_adds_to_what_was_there():
    fusion = Fusion(3)
    for value in fusion.parameters():
        torch.nn.init.zeros_(value)
    features = [noise(1, 3, 16 >> scale, 24 >> scale) for scale in range(SCALES)]
    for before, behind in zip(features, fusion(features)):
        torch.testing.assert_close(before, behind)
    merged = seeded(lambda: MultiScaleFusion(3))(features)
    assert merged.shape == (1, 1, 16, 24)


# guide


def test_the_guide_agrees_with_the_readings_and_beats_the_linear_estimate():
    clip, sampler = panning(), BlockSampler(0.05)
    rows = sampler.matrices()[1]
    chosen = [3, 5]
    readings = to_blocks(clip[:, chosen]) @ rows.T
    led, doubt = guide(clip[:, [0, 8]], readings, rows, 9, 8, chosen)
    assert doubt.shape == led.shape and (doubt >= 0).all() and (doubt < 1).all()
    torch.testing.assert_close(to_blocks(led) @ rows.T, readings, atol=1e-4, rtol=0)
    linear = LinearBlockReconstructor(sampler).reconstruct(sampler.measure(Frames(clip), Seeds(1))).pixels[:, chosen]
    assert (led - clip[:, chosen]).square().mean() < 0.5 * (linear - clip[:, chosen]).square().mean()


def test_a_scene_at_rest_is_left_as_its_guide_has_it_and_a_moving_block_is_not():
    rows = BlockSampler(0.05).matrices()[1]
    still = panning(side=96)[:, :1].repeat(1, 9, 1, 1)
    keys = still[:, [0, 8]]
    led, doubt = guide(keys, to_blocks(still[:, [3]]) @ rows.T, rows, 9, 8, [3])
    torch.testing.assert_close(led, still[:, [3]], atol=1e-3, rtol=0)
    assert doubt.max() < 0.5  # rounding, up to 0.3: the fit of exact hypotheses is all but singular
    changed = still[:, [3]].clone()
    changed[..., :32, :32] = 1 - changed[..., :32, :32].flip(-1)
    _, doubt = guide(keys, to_blocks(changed) @ rows.T, rows, 9, 8, [3])
    assert doubt[..., :16, :16].min() > 0.9  # nearer to that block's centre than to any other's
    assert doubt[..., -16:, -16:].max() < 0.5  # beyond the reach of its blended prediction


def test_a_corrected_block_is_the_nearest_that_agrees():
    rows = BlockSampler(0.02, weights=None).matrices()[1]
    block, y = noise(1, 1024), noise(1, 20, seed=2)
    change = corrected(block, y, rows) - block
    torch.testing.assert_close((block + change) @ rows.T, y, atol=1e-5, rtol=0)
    torch.testing.assert_close(change @ rows.T @ rows, change, atol=1e-5, rtol=0)


# learning


def task(options: dict | None = None, **model) -> BlockTask:
    return BlockTask.from_recipe({"width": 8, "levels": 1} | model, {"ratios": [0.05], "kept": 2} | (options or {}))


@pytest.mark.parametrize("network", ["hit-vcsnet", "vcsnet"])
def test_one_clip_is_learned_by_heart(network):
    learner = task(network=network, guided=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = learner.build()
    clip, optimiser = scene(side=32), torch.optim.Adam(model.parameters(), lr=1e-2)
    rng = torch.Generator()
    with torch.no_grad():
        first = learner.validate(model, clip)
    for step in range(40):
        optimiser.zero_grad()
        learner.loss(model, clip, step, rng.manual_seed(step))[0].backward()
        optimiser.step()
    with torch.no_grad():
        last = learner.validate(model, clip)
    assert first["psnr_non_key_db"] == pytest.approx(first["start_non_key_db"], abs=1e-3)
    assert last["psnr_non_key_db"] > first["psnr_non_key_db"] + 0.7
    assert last["psnr_key_db"] > first["psnr_key_db"]


def test_joint_patterns_get_the_gradient_of_the_loss():
    """Against finite differences, along the gradient itself; fixed patterns get none."""
    learner = task({"joint": True, "loss": "squared"}, guided=False, width=4)
    model = seeded(learner.build).double().requires_grad_()
    clip, rng = scene(side=32).double(), torch.Generator()
    with torch.no_grad():  # at the start itself, rows are the best there are for their lift: no slope
        for rows in (model.key_rows, model.rest_rows):
            rows += 0.01 * torch.randn(rows.shape, generator=Seeds(1).torch("rows"))

    def loss() -> torch.Tensor:
        return learner.loss(model, clip, 0, rng.manual_seed(0))[0]

    loss().backward()
    for value in (model.key_rows, model.rest_rows, model.key_lift, model.rest_lift):
        slope, way = value.grad.norm(), value.grad / value.grad.norm()
        assert float(slope) > 1e-6
        ends = []
        for side in (1e-4, -1e-4):
            with torch.no_grad():
                value += side * way
                ends.append(float(loss()))
                value -= side * way
        assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(float(slope), rel=1e-3)


def test_the_loss_weighs_frames_as_they_occur():
    """Equation (7) in our reading: half the squared error, key frames of a group one in eight."""
    learner = task({"loss": "squared", "kept": 7})
    model, clip = learner.build(), noise(1, 9, 32, 32)
    with torch.no_grad():
        loss, _ = learner.loss(model, clip, 0, torch.Generator().manual_seed(0))
        chosen = list(range(1, 8))
        made = model.restore(*model.readings(clip, 0.05, chosen), 0.05, FrameShape(9, 32, 32), chosen)
    key = (made.keys - clip[:, [0, 8]]).square().mean((2, 3)).mean()
    rest = (made.rests - clip[:, chosen]).square().mean((2, 3)).sum()
    torch.testing.assert_close(loss, 0.5 * (key + rest) / 8)


@pytest.mark.parametrize(
    "model, options, message",
    [
        ({"network": "unet"}, {}, "model.network: got 'unet', allowed"),
        ({}, {"loss": "l1"}, "options.loss: got 'l1'"),
        ({}, {"kept": 8}, "options.kept: got 8, allowed: 1 to 7"),
        ({}, {"joint": True}, "options.joint: patterns that learn go without a guide"),
        ({}, {"matrix": "dct"}, "matrix: got 'dct', allowed"),
        ({"colour": 3}, {}, "unknown key"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(model, options, message):
    with pytest.raises((ScenarioError, ModelError), match=message):
        made = BlockTask.from_recipe(model, options)
        network = made.build()
        network.readings(noise(1, 9, 32, 32), 0.1, [1])


# weights


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Tiny networks, trained for two steps: by name, the file of the weights."""
    folder = tmp_path_factory.mktemp("shop")
    pixels = np.random.default_rng(0).integers(90, 160, 4 * 70 * 70).astype(np.uint8)
    save_pack(Pack(("a",), ((4, 70, 70),), (False,), pixels), folder / "pack.npz")
    profile = RECIPE["profiles"]["cpu"] | {"steps": 2, "batch": 1, "crop": 32}
    made = {}

    def make(name: str, model: dict, options: dict) -> None:
        recipe = write_recipe(
            folder,
            name=name,
            task="block_network",
            model={"width": 4, "levels": 1, "guided": False} | model,
            options={"ratios": [0.05], "gop": 3, "kept": 1} | options,
            clips={"frames": 4, "crop": 32},
            profiles={"cpu": profile},
        )
        made[name] = str(train(recipe, out=folder / name, data=folder / "pack.npz", resume=False))

    make("net", {}, {})
    make("plain", {"network": "vcsnet"}, {})
    make("any", {}, {"ratios": [0.01, 0.05, 0.2]})
    make("gauss", {}, {"matrix": "gaussian", "seed": 2})
    make("joint", {}, {"joint": True})
    return made


def sampler(ratio: float = 0.05, **options) -> BlockSampler:
    return BlockSampler(ratio, **({"gop": 3} | options))


def test_weights_come_back_with_their_sampling(shop):
    clip = Frames(noise(1, 5, 40, 33))
    for name, taken in (
        ("net", sampler()),
        ("any", sampler(0.1)),
        ("gauss", sampler(weights=None, seed=2)),
        ("joint", sampler(weights=shop["joint"])),
    ):
        found = BlockNetworkReconstructor(taken, shop[name]).reconstruct(taken.measure(clip, Seeds(1)))
        assert found.pixels.shape == clip.pixels.shape and bool(torch.isfinite(found.pixels).all())
    plain = BlockNetworkReconstructor(sampler(), shop["plain"], "vcsnet")
    assert plain.reconstruct(sampler().measure(clip, Seeds(1))).pixels.shape == clip.pixels.shape


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("net", {"ratio": 0.1}, "trained for ratio 0.05, the sensor has 0.1"),
        ("any", {"ratio": 0.3}, "trained for ratio 0.01 to 0.2, the sensor has 0.3"),
        ("net", {"key_ratio": 0.25}, "trained for key_ratio 0.5, the sensor has 0.25"),
        ("net", {"gop": 8}, "trained for gop 3, the sensor has 8"),
        ("net", {"weights": None}, "trained for matrix learned, the sensor has gaussian"),
        ("gauss", {}, "trained for matrix gaussian, the sensor has learned"),
        ("gauss", {"weights": None, "seed": 4}, "trained for seed 2, the sensor has 4"),
        ("joint", {}, "learned their own patterns; give the sensor weights"),
        ("plain", {}, "of 'vcsnet', the scenario has 'hit-vcsnet'"),
    ],
)
def test_weights_for_another_sampling_are_refused(shop, name, options, message):
    with pytest.raises(ModelError, match=message):
        BlockNetworkReconstructor(sampler(**options), shop[name]).check()


def test_weights_of_something_else_are_refused(shop, tmp_path):
    for name in ("blocks", "sensor_decoder"):
        with pytest.raises(ModelError, match="allowed: those of 'block_network'"):
            BlockNetworkReconstructor(sampler(), name).check()
        with pytest.raises(ModelError, match="allowed: those of 'block_network'"):
            load_network(name)
    with pytest.raises(ModelError, match="without patterns of its own"):
        load_patterns(shop["net"], 512, 51)
    with pytest.raises(ModelError, match="hold 512 patterns for key frames and 51 for the others"):
        load_patterns(shop["joint"], 512, 102)
    copy(shop["net"], tmp_path / "net.safetensors")
    card = json.loads(Path(shop["net"]).with_suffix(".json").read_text())
    card["facts"]["basis"] = "0" * 64
    (tmp_path / "net.json").write_text(json.dumps(card))
    stranger = str(tmp_path / "net.safetensors")
    with pytest.raises(ModelError, match="trained on another basis"):
        BlockNetworkReconstructor(sampler(), stranger).check()
    with pytest.raises(ModelError, match="trained on another basis"):
        load_network(stranger)


def test_joint_patterns_are_what_the_sensor_then_uses(shop):
    own = sampler(weights=shop["joint"]).matrices()
    network, _ = load_network(shop["joint"])
    torch.testing.assert_close(own[0], network.key_rows)
    torch.testing.assert_close(own[1], network.rest_rows)
    assert not torch.equal(own[1], sampler().matrices()[1])
    clip = Frames(noise(1, 4, 32, 32))
    taken = sampler(weights=shop["joint"])
    linear = LinearBlockReconstructor(taken).reconstruct(taken.measure(clip, Seeds(1)))
    lifted = to_blocks(clip.pixels)[:, 0] @ network.key_rows.T @ network.key_lift.T
    torch.testing.assert_close(to_blocks(linear.pixels)[:, 0], lifted.clamp(0, 1), atol=1e-5, rtol=0)


# groups


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A reconstructor whose network does something: weights drawn, written with a card, gop 3."""
    from semlink.training.model_card import save_weights
    from semlink.training.recipe import load_recipe

    folder = tmp_path_factory.mktemp("known")
    options = {"ratios": [0.02], "gop": 3, "kept": 1}
    model = {"width": 4, "levels": 1, "guided": True}
    recipe = load_recipe(write_recipe(folder, task="block_network", model=model, options=options))
    learner = BlockTask.from_recipe(model, options)
    pack = Pack(("a",), ((1, 2, 2),), (False,), np.zeros(4, np.uint8))
    path = save_weights(
        folder / "known.safetensors",
        seeded(learner.build).eval(),
        learner,
        recipe=recipe,
        profile=recipe.profile("cpu"),
        pack=pack,
        steps=0,
        last={},
    )
    return BlockNetworkReconstructor(BlockSampler(0.02, gop=3), str(path))


def with_other_key(readings: Projections, number: int) -> Projections:
    """Readings in which key frame `number` of one-block frames is another one."""
    key = readings.parts[0].clone()
    key[:, :, number] = key[:, :, number].flip(1) * 0.5
    return Projections((key, readings.parts[1]), readings.frames)


@pytest.mark.parametrize("frames", [4, 5, 6, 7, 8, 10])
def test_a_frame_knows_its_two_key_frames_and_no_other(known, frames):
    readings = known.sampler.measure(Frames(noise(1, frames, 32, 32)), Seeds(1))
    whole = known.reconstruct(readings).pixels
    last = (frames - 1) // 3
    for number in range(last + 1):
        changed = known.reconstruct(with_other_key(readings, number)).pixels
        moved = (changed - whole).abs().amax((0, 2, 3)) > 1e-4
        for frame in range(frames):
            before = frame // 3
            behind = before if frame % 3 == 0 else min(last, before + 1)
            assert bool(moved[frame]) == (number in (before, behind)), (number, frame)


def test_clips_of_a_batch_are_reconstructed_alone(known):
    clips = noise(2, 5, 32, 64)
    both = known.reconstruct(known.sampler.measure(Frames(clips), Seeds(1))).pixels
    alone = known.reconstruct(known.sampler.measure(Frames(clips[1:]), Seeds(1))).pixels
    torch.testing.assert_close(both[1:], alone, atol=1e-3, rtol=0)  # bfloat16 rounds the readings' last digits up


def test_fixed_matrices_refuse_an_unknown_name():
    with pytest.raises(ModelError, match="matrix: got 'dct', allowed: 'learned' or 'gaussian'"):
        fixed_matrices("dct", 0, 512, 10)
