"""Fitting a generator to measurements: its gradient, its steps, and what must not depend on what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from semlink.errors import InterfaceError, ScenarioError
from semlink.nn.generative.batched_generator import GeneratorBatch
from semlink.nn.generative.early_stopping import EarlyStopping
from semlink.nn.generative.generator import Generator
from semlink.nn.generative.generator_weights import start_code
from semlink.nn.generative.latent_fit import CODE_STEP, WEIGHT_RATE, FitSettings, fit, objective
from semlink.nn.generative.latent_rank import onto_rank
from semlink.payload import Frames, FrameShape
from semlink.seeds import Seeds
from semlink.sensing.random_projections.rank_selection import candidates, chosen_ranks, kept_out
from semlink.sensing.random_projections.sensor import RandomSensor

QUICK = FitSettings(epochs=12, stop=None, precision="float32")


def small(seed: int = 0, planes: int = 1) -> Generator:
    torch.manual_seed(seed)
    made = Generator(4, (6, 5, 4, 3), planes)
    for layer in made.layers:
        torch.nn.init.normal_(layer.weight, std=(2 / layer.weight.shape[0]) ** 0.5 / 2)
    return made.requires_grad_(False)


def scenes(clips: int, t: int, planes: int = 1) -> Frames:
    """Pictures of another generator along a path: within reach, but not there yet."""
    other, rng = small(7, planes), torch.Generator().manual_seed(2)
    ends = torch.randn(clips, 2, 4, generator=rng)
    codes = torch.lerp(ends[:, :1], ends[:, 1:], torch.linspace(0, 1, t)[:, None])
    pixels = (other(codes.flatten(0, 1)) + 1) / 2
    return Frames(pixels.reshape(clips, t, planes * 64, 64))


def read(sensor: RandomSensor, frames: Frames):
    operator = sensor.operators(frames.shape)
    return operator, sensor.measure(frames, Seeds(0)).parts[0].view(len(frames.pixels), -1, operator.num_readings)


@pytest.mark.parametrize("planes", [1, 3])
def test_a_batch_of_generators_is_each_generator(planes):
    one, other = small(0, planes), small(1, planes)
    both = [GeneratorBatch.of(g, 1) for g in (one, other)]
    batch = both[0].with_tensors(tuple(map(torch.cat, zip(both[0].tensors, both[1].tensors, strict=True))))
    codes = torch.randn(2, 3, 4)
    made = batch(codes)
    for number, generator in enumerate((one, other)):
        torch.testing.assert_close(made[number], generator(codes[number]).flatten(1))
        again = batch.generator(number)
        for layer, expected in zip(again.layers, generator.layers, strict=True):
            assert torch.equal(layer.weight, expected.weight)


@pytest.mark.parametrize("operator", ["identity", "gaussian", "missing"])
def test_gradient_of_the_joint_objective_is_that_of_finite_differences(operator):
    """In float64, along a random direction in codes and all weights; the second-order term halves with the step."""
    sensor = RandomSensor(operator, measurements=30)
    patterns = sensor.operators(FrameShape(3, 64, 64), torch.float64)
    rng = torch.Generator().manual_seed(4)
    target = torch.randn(2, 3, patterns.num_readings, generator=rng, dtype=torch.float64) / 4
    batch = GeneratorBatch.of(small(), 2, torch.float64)
    place = [torch.randn(2, 3, 4, generator=rng, dtype=torch.float64), *batch.tensors]
    place = [p + 1e-3 * torch.randn(p.shape, generator=rng, dtype=torch.float64) for p in place]

    def value(parts):
        return objective(batch.with_tensors(tuple(parts[1:])), parts[0], patterns, target, similarity=0.6)

    parts = [p.clone().requires_grad_() for p in place]
    grads = torch.autograd.grad(value(parts).sum(), parts)
    for move in range(len(place)):
        along = torch.randn(place[move].shape, generator=rng, dtype=torch.float64)
        along /= along.norm()
        ends = [[p + sign * 1e-6 * along if n == move else p for n, p in enumerate(place)] for sign in (1, -1)]
        slope = (value(ends[0]).sum() - value(ends[1]).sum()) / 2e-6
        torch.testing.assert_close((grads[move] * along).sum(), slope, rtol=2e-5, atol=1e-9)


@pytest.mark.source("hyder2019gmlr", "public code")
def test_first_epoch_is_a_plain_step_of_codes_and_one_of_adam():
    generator, frames = small(), scenes(1, 5)
    sensor = RandomSensor("missing", missing=0.6)
    operator, readings = read(sensor, frames)
    made = fit(generator, operator, readings, replace(QUICK, epochs=1, rank=2, similarity=0.7))
    codes = start_code(4).repeat(5, 1).requires_grad_()
    live = small().requires_grad_(True)
    seen = torch.zeros(5, 4096).scatter(1, operator.kept, 1.0)
    wrong = (live(codes).flatten(1) - (2 * frames.pixels[0].flatten(1) - 1)) * seen
    loss = 0.7 * wrong.square().mean() + 0.3 * codes.diff(dim=0).square().mean()
    loss.backward()
    torch.testing.assert_close(made.loss[0, 0], loss.detach().double())
    stepped = codes.detach() - CODE_STEP * 5 * codes.grad
    torch.testing.assert_close(made.codes[0], onto_rank(stepped, 2))
    for layer, before in zip(made.generators.generator(0).layers, live.layers, strict=True):
        grad = before.weight.grad
        adam = before.weight.detach() - 5 * WEIGHT_RATE * grad / (grad.abs() + 1e-8)
        clear = grad.abs() > 1e-6  # of rounding
        assert clear.float().mean() > 0.3
        torch.testing.assert_close(layer.weight[clear], adam[clear], rtol=0, atol=0.02 * 5 * WEIGHT_RATE)


def test_a_gaussian_fit_of_pixels_in_0_to_1_is_one_of_the_generators_range():
    """Residuals A g - (2 y - A 1) vanish where the scene is what the generator shows."""
    generator = small()
    codes = start_code(4).repeat(3, 1)
    shown = (generator(codes) + 1).reshape(1, 3, 64, 64) / 2
    for sensor in (RandomSensor("gaussian", 60), RandomSensor("missing"), RandomSensor("identity")):
        operator, readings = read(sensor, Frames(shown))
        made = fit(generator, operator, readings, replace(QUICK, epochs=1, learn="latent"))
        assert made.loss[0, 0] < 1e-10
        torch.testing.assert_close(made.pixels()[0], shown.view(3, -1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("learn", ["latent", "joint"])
@pytest.mark.parametrize("planes", [1, 3])
def test_each_sequence_is_fitted_as_if_alone(learn, planes):
    generator, frames = small(planes=planes), scenes(3, 4, planes)
    operator, readings = read(RandomSensor("missing", missing=0.5, planes=planes), frames)
    settings = replace(QUICK, learn=learn, rank=2)
    together = fit(generator, operator, readings, settings)
    for number in range(3):
        alone = fit(generator, operator, readings[number : number + 1], settings)
        torch.testing.assert_close(together.codes[number], alone.codes[0], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(together.pixels()[number], alone.pixels()[0], atol=1e-4, rtol=0)
    assert (together.loss[-1] < together.loss[0]).all()


@pytest.mark.parametrize("learn", ["latent", "joint"])
def test_codes_end_on_their_line_and_the_loss_falls(learn):
    generator, frames = small(), scenes(2, 4)
    operator, readings = read(RandomSensor("identity"), frames)
    made = fit(generator, operator, readings, replace(QUICK, learn=learn, rank=2, projection="pca"))
    spread = made.codes - made.codes.mean(1, keepdim=True)
    assert (torch.linalg.matrix_rank(spread, atol=1e-4) == 1).all()
    assert (made.loss[-1] < made.loss[0]).all()
    moved = [(a != b).any() for a, b in zip(made.generators.tensors, GeneratorBatch.of(generator, 1).tensors)]
    assert all(moved) if learn == "joint" else not any(moved)


def test_precisions_agree():
    generator, frames = small(), scenes(2, 4)
    shown = {}
    for precision in ("float32", "bf16"):
        operator, readings = read(RandomSensor("gaussian", 200), frames)
        made = fit(generator, operator, readings, replace(QUICK, precision=precision, epochs=20))
        shown[precision] = -10 * (made.pixels() - frames.pixels.flatten(2)).square().mean().log10()
    assert abs(shown["float32"] - shown["bf16"]) < 0.1  # dB


def test_a_sequence_that_has_settled_rests_while_others_go_on():
    """Which one ends when does not depend on the other, nor does the result."""
    generator, frames = small(), scenes(2, 4)
    operator, readings = read(RandomSensor("identity"), frames)
    settings = replace(QUICK, epochs=40, stop=EarlyStopping(window=5, patience=2, gain=1e-3))
    weights = torch.tensor([1.0, 0.0])[:, None, None]  # the second has nothing to fit
    told = []
    made = fit(
        generator,
        operator,
        readings,
        settings,
        weights=weights,
        progress=lambda done, total: told.append((done, total)),
    )
    assert made.epochs.tolist() == [40, 15] and told[-1] == (40, 40)
    alone = fit(generator, operator, readings[:1], settings)
    torch.testing.assert_close(made.codes[0], alone.codes[0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(made.generators.first[0], alone.generators.first[0], atol=1e-5, rtol=1e-3)


def test_plateau_asks_for_a_gain_over_its_patience():
    rule = EarlyStopping(window=2, patience=2, gain=0.1)
    loss = torch.tensor([[8.0, 8.0], [8.0, 8.0], [5.0, 8.0], [5.0, 8.0], [4.0, 7.4], [4.0, 7.4]])
    assert [rule.is_due(n) for n in range(1, 9)] == [False] * 5 + [True, False, True]
    assert rule.ended(loss).tolist() == [False, True]


def test_a_low_rank_scene_gets_a_low_rank_by_what_was_kept_out():
    """Frames along a line of codes of the very generator: measurements kept out speak against ranks that fit noise."""
    generator, frames = small(), scenes(2, 6)
    operator, readings = read(RandomSensor("missing", missing=0.9), frames)
    settings = replace(QUICK, epochs=15)
    out = kept_out(operator, 6, 1)
    assert (out.sum(1) == round(0.1 * operator.num_readings)).all()
    ranks = chosen_ranks(generator, operator, readings, settings, ranks=(1, 2, 4))
    errors = []
    for rank in (1, 2, 4):
        made = fit(generator, operator, readings, replace(settings, rank=rank), weights=1 - out)
        errors.append(((operator.forward(made.pixels()) - readings) * out).square().sum((1, 2)))
    assert ranks.tolist() == torch.tensor([1, 2, 4])[torch.stack(errors).argmin(0)].tolist()
    assert candidates(20, 32) == (1, 2, 3, 4, 6, 8, 12, 16, 20) and candidates(64, 32)[-2:] == (24, 32)


def test_kept_out_readings_have_no_say():
    generator, frames = small(), scenes(1, 3)
    operator, readings = read(RandomSensor("missing", missing=0.5, planes=1), frames)
    out = kept_out(operator, 3, 1)
    spoilt = torch.where(out.bool(), 9.0, readings)
    made = [fit(generator, operator, r, QUICK, weights=1 - out) for r in (readings, spoilt)]
    assert torch.equal(made[0].codes, made[1].codes)


def test_a_pixel_is_kept_out_in_all_planes():
    operator = RandomSensor("missing", planes=3).operators(FrameShape(2, 192, 64))
    out = kept_out(operator, 2, 3).view(2, 3, -1)
    assert torch.equal(out[:, 0], out[:, 1]) and torch.equal(out[:, 0], out[:, 2]) and out.sum() == 2 * 3 * 82


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"similarity": 1.2}, "similarity is 1.2; allowed: 0 to 1"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_settings_that_mean_nothing(options, says):
    with pytest.raises(ScenarioError, match=says):
        FitSettings(**options)


def test_more_ranks_than_frames():
    operator, readings = read(RandomSensor("identity"), scenes(1, 3))
    with pytest.raises(InterfaceError, match="rank 4 for 3 frames; allowed: 1 to 3"):
        fit(small(), operator, readings, replace(QUICK, rank=4))
