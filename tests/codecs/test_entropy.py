"""Entropy models against closed forms, range-coded bytes against estimates, exactness against the order of sums."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_toys import make_net
from hypothesis import given, settings, strategies as st
from torch import nn

from semlink.codecs.entropy.range_coder import NUM_SCALES, ModelTable, Reader, Writer, gaussian_tables, table_bits
from semlink.codecs.task_aware.entropy_models import (
    LEAST_MASS,
    SCALE_FLOOR,
    FactorisedPrior,
    bits_of,
    gaussian_mass,
    keep_above,
    round_through,
    uniform_noise,
)
from semlink.codecs.task_aware.integer_hyperprior import ExactHyper, channel_tables, prior_tables
from semlink.codecs.task_aware.integer_layers import ONE, WEIGHT_ONE, exact_conv, exact_weights
from semlink.codecs.task_aware.latent_context import Stage, make_contexts, stages_of


@pytest.fixture
def prior() -> FactorisedPrior:
    torch.manual_seed(3)
    prior = FactorisedPrior(5)
    with torch.no_grad():
        for factor in prior.factors:
            factor.normal_()
    return prior.requires_grad_(False)


@pytest.mark.parametrize("scale", [0.05, 0.11, 0.5, 3.0, 40.0])
def test_the_gaussian_is_a_distribution_of_whole_numbers(scale):
    values = torch.arange(-400, 401).double()
    mass = gaussian_mass(values, torch.tensor(0.3).double(), torch.tensor(scale).double())
    assert float(mass.sum()) == pytest.approx(1, abs=1e-9)
    used = max(scale, SCALE_FLOOR)
    normal = torch.distributions.Normal(0.3, used)
    expected = normal.cdf(torch.tensor(1.5)) - normal.cdf(torch.tensor(0.5))
    assert float(mass[401]) == pytest.approx(float(expected), abs=1e-6)


def test_bits_of_wide_gaussians_approach_differential_entropy():
    rng = torch.Generator().manual_seed(0)
    values = 20 * torch.randn(1, 200_000, generator=rng)
    bits = bits_of(gaussian_mass(values.round(), torch.zeros(()), torch.tensor(20.0)))
    assert float(bits) / 200_000 == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 400), rel=2e-3)


def test_the_prior_is_a_density_per_channel(prior):
    values = torch.arange(-3000, 3001).double().expand(5, 1, -1)
    mass = prior.mass_by_channel(values)
    assert (mass >= 0).all() and torch.allclose(mass.sum(-1), torch.ones(5, 1).double(), atol=1e-6)
    image = torch.randn(2, 5, 3, 4) * 4
    by_hand = torch.stack([prior.mass_by_channel(image[b].reshape(5, 1, -1)).view(5, 3, 4) for b in range(2)])
    assert torch.allclose(prior.mass(image), by_hand, atol=1e-6)


def test_gradients_pass_where_they_should():
    x = torch.tensor([0.2, 3.7], requires_grad=True)
    round_through(x).sum().backward()
    assert x.grad.tolist() == [1, 1]
    low = torch.tensor([0.5, 0.5, 2.0], requires_grad=True)
    (keep_above(low, 1.0) * torch.tensor([1.0, -1.0, 1.0])).sum().backward()
    assert low.grad.tolist() == [0, -1, 1], "below the bound only a push upwards passes"
    noise = uniform_noise(torch.zeros(10_000), torch.Generator().manual_seed(1))
    assert float(noise.abs().max()) <= 0.5 and float(noise.var()) == pytest.approx(1 / 12, rel=0.05)
    assert float(bits_of(torch.zeros(1, 1))) == pytest.approx(-math.log2(LEAST_MASS))


def test_bytes_are_within_a_percent_of_the_gaussian_model():
    rng = np.random.default_rng(0)
    tables = rng.integers(0, NUM_SCALES, 30_000)
    scales = 0.11 * 2 ** (tables / 5.5)
    values = np.rint(rng.standard_normal(30_000) * scales).astype(int)
    writer = Writer()
    writer.put(values, tables, gaussian_tables())
    data = writer.bytes()
    model = bits_of(
        gaussian_mass(torch.from_numpy(values)[None].double(), torch.zeros(()), torch.from_numpy(scales)[None])
    )
    assert 8 * len(data) == pytest.approx(float(model), rel=0.01)
    assert 8 * len(data) == pytest.approx(table_bits(values, tables, gaussian_tables()), rel=0.002)
    assert np.array_equal(Reader(data).take(tables, gaussian_tables()), values)


def test_bytes_are_within_a_percent_of_the_prior(prior):
    tables = prior_tables(prior)
    rng = np.random.default_rng(2)
    which = np.ascontiguousarray(channel_tables((5, 40, 40)))
    values = np.empty(which.shape, int)
    for channel, table in enumerate(tables):
        known = table.probabilities[:-1] / table.probabilities[:-1].sum()
        values[channel] = table.low + rng.choice(len(known), (40, 40), p=known)
    writer = Writer()
    writer.put(values, which, tables)
    model = bits_of(prior.mass(torch.from_numpy(values)[None].double()))
    assert 8 * len(writer.bytes()) == pytest.approx(float(model), rel=0.01)
    assert np.array_equal(Reader(writer.bytes()).take(which, tables), values.ravel())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**15), 2**15), st.integers(0, NUM_SCALES - 1)), max_size=30))
def test_any_values_come_back(pairs):
    values = np.array([value for value, _ in pairs], int)
    tables = np.array([table for _, table in pairs], int)
    writer = Writer()
    writer.put(values, tables, gaussian_tables())
    writer.put(values, tables, gaussian_tables())
    reader = Reader(writer.bytes())
    for _ in range(2):
        assert np.array_equal(reader.take(tables, gaussian_tables()), values)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_can_make_reading_fail(data):
    tables = np.arange(300) % NUM_SCALES
    values = Reader(data).take(tables, gaussian_tables())
    assert values.shape == (300,) and np.abs(values).max() <= 2**15


def test_tables_hold_probabilities():
    for table in gaussian_tables():
        assert table.probabilities.min() > 0
        assert table.probabilities.sum() == pytest.approx(1, abs=1e-6)
        assert table.low == -(len(table.probabilities) - 2) // 2, "as many values on either side of zero"
    assert ModelTable.of(3, np.array([0.5, 0.25])).probabilities[-1] == pytest.approx(0.25)


def test_exact_convolution_is_that_of_whole_numbers():
    torch.manual_seed(0)
    layer = nn.Conv2d(7, 5, 3, padding=1)
    x = torch.randint(-(2**20), 2**20, (1, 7, 6, 8)).double()
    weight, bias = exact_weights(layer)
    got = exact_conv(x, (weight, bias))
    wide = np.pad(x[0].numpy().astype(object), ((0, 0), (1, 1), (1, 1)), mode="edge")
    kernel = weight.numpy().astype(int).astype(object)
    for o, r, c in ((0, 0, 0), (3, 4, 5), (4, 5, 7)):
        total = int(bias[o]) + sum((kernel[o] * wide[:, r : r + 3, c : c + 3]).ravel(), 0)
        rounded = (int(total) + WEIGHT_ONE // 2) // WEIGHT_ONE
        assert got[0, o, r, c] == max(-(2**20), min(2**20, rounded))
    order = torch.randperm(7)
    assert torch.equal(got, exact_conv(x[:, order], (weight[:, order], bias)))


def walked(exact: ExactHyper, z: np.ndarray, knob: int, seed: int) -> tuple[torch.Tensor, list]:
    """Latents from made-up levels, and what was expected at each stage."""
    rng, seen = np.random.default_rng(seed), []

    def visit(stage, mask, expected):
        seen.append((stage, mask, expected))
        return np.where(mask, rng.integers(-3, 4, expected.table.shape), 0)

    return exact.walk(z, knob, visit), seen


@pytest.mark.parametrize("knob", [0, 100, 255])
def test_exact_expectations_follow_the_network(knob):
    net, z = make_net(), torch.randint(-6, 7, (1, 8, 3, 2)).float()
    latents, seen = walked(ExactHyper(net), z[0].numpy(), knob, seed=knob)
    q = torch.tensor([knob / 255])
    mean, log_scale = net.hyper_synthesis(z / net.hyper_gain(q).exp2(), q)
    unit = net.gain(q) + net.log_spread.view(1, -1, 1, 1)
    mean, log_scale = mean * unit.exp2(), log_scale + unit
    done = torch.zeros_like(mean)
    for number, (stage, mask, expected) in enumerate(seen):
        own, here = slice(stage.first, stage.last), torch.from_numpy(mask)
        centre, log_width = mean[0, own], log_scale[0, own]
        if number:
            shift, widen = net.context[number - 1](done[:, : stage.sees], q)
            centre, log_width = centre + shift[0], log_width + widen[0]
        assert torch.allclose(expected.mean, centre.double(), rtol=0.02, atol=0.1)
        table = ((log_width - math.log2(0.11)) * 5.5).clamp(0, NUM_SCALES - 1)
        assert np.abs(expected.table - table.numpy()).max() < 0.8
        assert torch.equal(expected.mean * ONE, (expected.mean * ONE).round())
        done[0, own] = torch.where(here, latents[own].float(), done[0, own])


@pytest.mark.parametrize("latents", [1, 3, 40, 160, 192])
def test_stages_code_every_latent_once(latents):
    times = torch.zeros(latents, 4, 6)
    for stage in stages_of(latents):
        known = (times > 0).flatten(1).any(1)
        assert not known[stage.sees :].any() or stage.half == 0, "what a stage does not see is not known yet"
        times[stage.first : stage.last] += stage.mask(4, 6)
    assert (times == 1).all()


def test_contexts_start_as_the_mean_of_neighbours():
    context = make_contexts(40, 8)[0].requires_grad_(False)
    board = torch.rand(1, 2, 6, 6) * Stage(0, 2, 0).mask(6, 6)
    shift, widen = context(board, torch.tensor([0.3]))
    around = [board[0, 0, 2 + r, 3 + c] for r, c in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    assert float(shift[0, 0, 2, 3]) == pytest.approx(0.24 * sum(map(float, around)), rel=1e-5)
    assert float(shift[0, 1].abs().max()) == float(widen.abs().max()) == 0


def fingerprint() -> str:
    """Of what the receiver has to know to the last bit."""
    exact, digest = ExactHyper(make_net()), hashlib.sha256()
    for knob in (3, 77, 250):
        latents, seen = walked(exact, np.random.default_rng(knob).integers(-9, 10, (8, 5, 7)), knob, seed=knob)
        digest.update(latents.numpy().tobytes())
        for _, _, expected in seen:
            digest.update(expected.mean.numpy().tobytes() + expected.table.tobytes())
    for table in exact.prior:
        digest.update(table.probabilities.tobytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_the_same_expectations_in_another_process_on_two_threads():
    code = "import sys, torch; torch.set_num_threads(2); sys.path[:0] = sys.argv[1:]; import test_entropy as t; "
    tests = Path(__file__).parents[1]
    paths = [str(Path(__file__).parent), str(tests / "toys"), str(tests.parent)]
    done = subprocess.run(
        [sys.executable, "-c", code + "print(t.fingerprint())", *paths], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == fingerprint()
