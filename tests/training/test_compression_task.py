"""Training of task-aware compression: the loss in closed form, what learns and what stands still, weights and cards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_toys import CODEC_RECIPE, SMALL, codec_recipe, make_net, make_readings
from safetensors.torch import load_file

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings
from semlink.codecs.task_aware.codec import TaskAwareCodec
from semlink.codecs.task_aware.networks import TaskAwareNet
from semlink.errors import ModelError, ScenarioError
from semlink.payload import FrameShape, Measurement
from semlink.sensing.programmable.decoder_weights import load_decoder
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.reconstructors import DeepReconstructor
from semlink.sensing.programmable.sensor import ProgrammableSensor, RatioMap
from semlink.training.data.pack import Pack, save_pack
from semlink.training.loop import train
from semlink.training.model_card import verify_weights
from semlink.training.task import build_task
from semlink.training.tasks.sensed_clips import SensedClips
from semlink.training.tasks.task_aware import CompressionTask, betas

SHORT = CODEC_RECIPE["profiles"]["cpu"] | {
    "steps": 3,
    "batch": 2,
    "crop": 32,
    "validation_crop": 32,
    "validate_every": 3,
}


@pytest.fixture
def pack_file(tmp_path) -> Path:
    rng = torch.Generator().manual_seed(0)
    shapes = ((17, 40, 40), (1, 60, 60), (16, 40, 40))
    flat = torch.cat([torch.randint(0, 256, (t * h * w,), generator=rng, dtype=torch.uint8) for t, h, w in shapes])
    save_pack(Pack(("a", "b", "c"), shapes, (False, False, True), flat.numpy(), "made up"), tmp_path / "pack.npz")
    return tmp_path / "pack.npz"


def task_with(**options) -> CompressionTask:
    return build_task("compression", {"codec": SMALL}, options)


def clips(number: int = 2) -> torch.Tensor:
    return torch.rand(number, 16, 32, 32, generator=torch.Generator().manual_seed(4)) * 0.2 + 0.4


def test_beta_asks_for_the_step_it_is_given_with():
    """Of a uniform source the slope of squared error d^2/12 over bits -log2 d is -2 ln 2 d^2/12."""
    sizes = task_with().sizes
    step = torch.tensor([2.0, 0.1])
    error = lambda d: d.square() / 12  # noqa: E731
    bits = lambda d: -d.log2()  # noqa: E731
    slope = (error(step * 1.001) - error(step * 0.999)) / (bits(step * 1.001) - bits(step * 0.999))
    assert torch.allclose(betas(sizes, torch.tensor([0.0, 1.0])) * 16 * 256**2, -slope, rtol=1e-3)


def test_the_loss_of_readings_is_error_of_initial_frames():
    task, net = task_with(loss="sensor"), make_net()
    model = task.build()
    model.codec.load_state_dict(net.state_dict())
    batch, counts = clips(), task.options.sensor.counts(clips())
    knobs = torch.tensor([0.2, 0.9])
    rng, again = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    error, bits = task._error_and_bits(model, batch, knobs, rng, free_hyper=False, on_readings=True)
    slots = task.options.sensor.sense(batch, counts, again)
    decoded, own_bits = net(normalise_readings(slots, counts), knobs, again)
    initial = [initial_reconstruction(part, counts) for part in (denormalise_readings(decoded, counts), slots)]
    assert torch.allclose(error, (initial[0] - initial[1]).square().mean((1, 2, 3)), rtol=1e-4)
    assert torch.allclose(bits, own_bits * 64, rtol=1e-6), "a clip of 32x32 stands for 64 of them in 256x256"


@pytest.mark.parametrize("joint", [False, True])
def test_gradients_reach_what_is_to_learn(joint):
    task = task_with(joint=joint, warm=0)
    model = task.build()
    loss, figures = task.loss(model, clips(), 0, torch.Generator().manual_seed(1))
    loss.backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None]
    assert not dead and torch.isfinite(loss) and set(figures) == {"error", "kbit"}
    assert any(n.startswith("decoder.") for n, _ in model.named_parameters()) is joint


def test_a_free_hyperprior_does_not_feel_its_cost():
    net, x = make_net(), torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(2))
    grads = []
    for free in (True, False):
        trained = TaskAwareNet(net.sizes)
        trained.load_state_dict(net.state_dict())
        torch.nn.init.zeros_(trained.hyper_synthesis.out.weight)  # nothing listens: only the cost is left
        _, bits = trained(x, torch.tensor([0.5]), torch.Generator().manual_seed(1), free_hyper=free)
        bits.sum().backward()
        grads.append(float(trained.hyper_analysis.layers[0].weight.grad.abs().sum()))
        assert float(trained.prior.matrices[0].grad.abs().sum()) > 0
    assert grads[0] == 0 < grads[1]


def test_it_learns_on_one_batch():
    task = task_with(loss="sensor")
    torch.manual_seed(0)
    model, batch = task.build(), clips(1)
    (optimiser,) = task.optimisers(model, 3e-3)
    losses = []
    for step in range(25):
        optimiser.zero_grad()
        loss, _ = task.loss(model, batch, step, torch.Generator().manual_seed(step % 3))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < sum(losses[:3]) - 0.3


@pytest.mark.slow
def test_a_short_training_gains_on_the_transform_it_began_as(tmp_path, pack_file):
    """At the same bytes, on readings that took no part."""
    recipe = codec_recipe(
        tmp_path, options={"loss": "sensor", "warm": 0}, profiles={"cpu": SHORT | {"steps": 80, "batch": 4}}
    )
    began = train(recipe, out=tmp_path / "start", data=pack_file, steps=1)
    ended = train(recipe, out=tmp_path / "run", data=pack_file, steps=80)
    gains, shape = [], FrameShape(16, 64, 64)
    for seed in (2, 3):
        slots = make_readings(seed=seed)
        for most in (1500, 2500):
            errors = []
            for weights in (began, ended):
                codec = TaskAwareCodec(str(weights), slices=1)
                decoded = codec.decode(codec.encode(slots, max_bytes=most), shape)
                errors.append(float(np.square(decoded - slots).mean()))
            gains.append(10 * np.log10(errors[0] / errors[1]))
    assert min(gains) > 1, gains


def sensor_of(facts) -> ProgrammableSensor:
    return ProgrammableSensor(RatioMap(learned=facts["sensor"]["weights"], mean_count=facts["sensor"]["mean_count"]))


@pytest.mark.slow
@pytest.mark.parametrize("joint", [False, True])
def test_a_run_leaves_weights_that_load(tmp_path, pack_file, joint):
    options = {"warm": 2, "joint": joint}
    path = train(codec_recipe(tmp_path, options=options, profiles={"cpu": SHORT}), out=tmp_path / "run", data=pack_file)
    card = verify_weights(path)
    facts = card["facts"]
    assert facts["tile"] == [list(row) for row in SensedClips().tile] and facts["sensor"]["mean_count"] == 2.5
    codec, slots, shape = TaskAwareCodec(str(path)), make_readings(), FrameShape(16, 64, 64)
    assert codec.decode(codec.encode_at(slots, 0.5), shape).shape == (8, 64, 64)
    assert any(key.startswith("decoder.") for key in load_file(path)) is joint
    if joint:
        decoder, _ = load_decoder(path)
        decoded = torch.from_numpy(codec.decode(codec.encode_at(slots, 0.5), shape))[None]
        measured = Measurement(decoded, sensor_of(facts).counts(shape), shape)
        own, other = (DeepReconstructor(name).reconstruct(measured).pixels for name in (str(path), "sensor"))
        assert own.shape == (1, 16, 64, 64) and not torch.equal(own, other), "the decoder that learned beside the codec"
        assert (
            decoder.estimated and json.loads(path.with_suffix(".json").read_text())["facts"]["decoder"]["width"] == 16
        )
    else:
        with pytest.raises(ModelError, match="holds no decoder"):
            load_decoder(path)


@pytest.mark.parametrize(
    "model, options, says",
    [
        ({"codec": SMALL}, {"loss": "video"}, "options.loss: got 'video', allowed: 'task' or 'sensor'"),
        ({"codec": SMALL}, {"loss": "sensor", "joint": True}, "joint training needs loss: task"),
        ({"codec": SMALL | {"depth": 3}}, {}, "model.codec.depth: unknown key"),
        ({"codec": SMALL}, {"sensor": {"weight": "x"}}, "did you mean 'weights'"),
    ],
)
def test_wrong_recipes_are_named(model, options, says):
    with pytest.raises(ScenarioError, match=says):
        build_task("compression", model, options)
