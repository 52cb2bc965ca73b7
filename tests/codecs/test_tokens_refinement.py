"""What rounding took away: its law, which of it is sent, how it is used, and that both ends choose alike."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from codec_toys import make_readings
from scipy.special import expit, spence
from test_tokens_contexts import KNOB, H, W
from token_toys import make_token_net, write_tokens

from semlink.codecs.tokens.codec import TokenCodec
from semlink.codecs.tokens.loaded import LoadedTokens, load_tokens
from semlink.codecs.tokens.logistic_tables import (
    MEAN_ONE,
    NUM_SCALES,
    VARIANCE_ONE,
    reach,
    remainders,
    scale_of,
)
from semlink.codecs.tokens.refinement import RefinableTokens, law, layer
from semlink.payload import FrameShape

SHAPE = FrameShape(16, 64, 64)
COUNT = 500


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_tokens(tmp_path_factory.mktemp("refined"), make_token_net())


@pytest.fixture(scope="module")
def code() -> LoadedTokens:
    return LoadedTokens(make_token_net(), {})


def closed_form(off: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a logistic variable within a step around `off` from its mean, with the dilogarithm.

    With F the distribution and x from the mean, the integrals of x dF and x^2 dF are
    x F - s log(1 + e^(x/s)) and x^2 F - 2 (x s log(1 + e^(x/s)) + s^2 Li2(-e^(x/s))).
    """
    sign, low = np.where(off > 0, -1.0, 1.0), -np.abs(off)
    a, b = low - 0.5, low + 0.5
    soft = lambda x: s * np.logaddexp(0, x / s)  # noqa: E731
    first = lambda x: x * expit(x / s) - soft(x)  # noqa: E731
    second = lambda x: x * x * expit(x / s) - 2 * (x * soft(x) + s * s * spence(1 + np.exp(x / s)))  # noqa: E731
    mass = expit(b / s) - expit(a / s)
    mean, square = (first(b) - first(a)) / mass, (second(b) - second(a)) / mass
    return sign * (mean - low), square - mean**2


@pytest.mark.parametrize("scale", [6, 14, 25, 36])
def test_mean_and_variance_are_those_of_the_closed_form(scale):
    """As far out as the closed form itself holds: where its terms do not cancel."""
    far, s = reach(scale), scale_of(scale)
    fraction = (np.arange(int(MEAN_ONE))[:, None] - MEAN_ONE / 2) / MEAN_ONE
    off = np.arange(-far, far + 1) - fraction
    near = np.abs(off) < 12 * s + 0.5
    mean, variance = closed_form(off, s)
    found = remainders(scale)
    assert found.mean[:, :-1][near] == pytest.approx(mean[near], abs=1e-7)
    assert np.abs(VARIANCE_ONE * np.log(variance[near]) - found.variance[:, :-1][near]).max() < 0.5 + 1e-3


def test_wide_scales_leave_uniform_remainders_and_narrow_ones_hardly_any():
    uniform = round(VARIANCE_ONE * math.log(1 / 12))
    assert (remainders(NUM_SCALES - 1).variance == uniform).all()
    sharp, s = remainders(0), scale_of(0)
    middle = int(MEAN_ONE / 2), reach(0)
    assert sharp.mean[middle] == pytest.approx(0, abs=1e-12)
    assert sharp.variance[middle] == round(VARIANCE_ONE * math.log((math.pi * s) ** 2 / 3)), "all of the logistic's own"


def test_variances_are_far_from_a_tie():
    """So the last bit of exp or log cannot decide which class one is in."""
    from semlink.codecs.tokens.logistic_tables import _within_step

    fraction = (np.arange(int(MEAN_ONE))[:, None] - MEAN_ONE / 2) / MEAN_ONE
    for scale in range(NUM_SCALES):
        off = np.arange(-reach(scale), reach(scale) + 1) - fraction
        exact = VARIANCE_ONE * np.log(_within_step(off, scale_of(scale))[1])
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-5


def drawn(code: LoadedTokens, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Latents from the model itself before and after rounding (H, W, 16)."""
    rng, unrounded = np.random.default_rng(seed), np.zeros((H * W, 16))

    def draw(turn, expected):
        scale = np.array([scale_of(number) for number in expected.scale.ravel()]).reshape(expected.scale.shape)
        y = expected.mean / MEAN_ONE + scale * rng.logistic(size=expected.mean.shape)
        unrounded[turn.places, turn.first : turn.last] = y
        return np.rint(y)

    whole = code.integer.walk(H, W, KNOB, draw)
    return unrounded.reshape(H, W, 16), whole


def test_latents_of_the_model_have_the_moments_that_it_tells(code):
    """Over 60 draws; five standard errors of the mean of normalised squares."""
    off, square = [], []
    for seed in range(60):
        y, k = drawn(code, seed)
        mean, variance = law(code, k, KNOB)
        normal = (y - k - mean) / np.exp(variance / (2 * VARIANCE_ONE))
        off.append(normal.ravel())
        square.append((normal**2).ravel())
    for values, expected in ((np.concatenate(off), 0.0), (np.concatenate(square), 1.0)):
        assert abs(values.mean() - expected) < 5 * values.std() / math.sqrt(len(values)) + 2e-3


def test_numbers_have_power_one_and_their_shares_follow_the_spread_in_pixels(code):
    powers = []
    for seed in range(40):
        y, k = drawn(code, seed)
        own = layer(code, (KNOB, k), 0, 200)
        assert own.power.mean() == pytest.approx(1, rel=1e-12)
        powers.append((own.sent(y - k) ** 2).mean())
    assert np.mean(powers) == pytest.approx(1, abs=5 * np.std(powers) / math.sqrt(len(powers)))
    _, variance = law(code, k, KNOB)
    gain = np.broadcast_to(code.net.gain(torch.tensor([KNOB / 256]))[0].double().numpy(), k.shape)
    pixels = (np.exp(variance / (2 * VARIANCE_ONE)) / gain).ravel()
    assert own.power / own.power[0] == pytest.approx(pixels[own.places] / pixels[own.places[0]], rel=0.02)
    left = np.delete(pixels, own.places)
    assert pixels[own.places].min() > left.max() * 0.98, "those in which most is left, by classes of 1.6 %"


def test_the_error_of_an_estimate_is_that_of_the_closed_form(code):
    """E (r' - r)^2 = a^2 v / g^2 + (1 - a)^2 (var r + mean r^2), a = p / (p + n): 400 draws of remainder and noise."""
    _, k = drawn(code, 5)
    own = layer(code, (KNOB, k), 0, 300)
    rng, noise_var = np.random.default_rng(6), np.linspace(0.05, 20, 300)
    variance = np.exp(law(code, k, KNOB)[1].ravel()[own.places] / VARIANCE_ONE)
    share = own.power / (own.power + noise_var)
    expected = share**2 * noise_var / own.gain**2 + (1 - share) ** 2 * (variance + own.mean**2)
    errors, remainder = np.zeros((400, 300)), np.zeros(k.size)
    for row in errors:
        r = own.mean + np.sqrt(variance) * rng.standard_normal(300)
        numbers = own.gain * (r - own.mean) + np.sqrt(noise_var) * rng.standard_normal(300)
        unclipped = share * (numbers / own.gain + own.mean)
        remainder[own.places] = np.clip(unclipped, -0.5, 0.5)
        assert np.allclose(own.estimated(numbers, noise_var, k.shape).ravel(), remainder)
        row[:] = (unclipped - r) ** 2
    ratio = errors.mean(0) / expected
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(300)


def test_erased_numbers_count_for_nothing_and_clear_ones_fully(code):
    y, k = drawn(code, 7)
    own = layer(code, (KNOB, k), 0, 300)
    numbers, noise_var = own.sent(y - k), np.zeros(300)
    noise_var[1::2] = np.inf
    found = own.estimated(numbers, noise_var, k.shape).ravel()
    assert found[own.places[::2]] == pytest.approx((y - k).ravel()[own.places[::2]], abs=1e-9)
    assert (found[own.places[1::2]] == 0).all() and np.count_nonzero(found) <= 150


def test_more_numbers_than_latents_leave_the_rest_silent(code):
    y, k = drawn(code, 8)
    own = layer(code, (KNOB, k), 100, 100 + k.size + 50)
    numbers = own.sent(y - k)
    assert (numbers[k.size :] == 0).all() and own.power.sum() == pytest.approx(k.size + 50)
    everything = np.concatenate((np.full(100, 9.0), numbers))
    assert own.estimated(everything, np.zeros(len(everything)), k.shape) == pytest.approx(y - k, abs=1e-9)


def test_frames_go_from_those_of_the_packets_to_those_of_unrounded_latents(weights):
    codec, slots = TokenCodec(weights), make_readings()
    packets = codec.encode_at(slots, 0.3)
    base = codec.refinable(packets, SHAPE, 16 * 64)
    numbers = base.numbers(slots)
    assert np.mean(numbers**2) <= 1 + 1e-9
    nothing = base.frames(np.ones(len(numbers)), np.full(len(numbers), np.inf))
    assert np.array_equal(nothing, codec.decode(packets, SHAPE))
    full = load_tokens(weights)
    x = full.readings(slots)
    y = full.unrounded(x, full.look(x), packets[0].data[0]).double().numpy()
    aim = full.frames({0: (packets[0].data[0], y)}, SHAPE)
    rng, errors = np.random.default_rng(0), []
    for noise_var in (0.0, 0.1, 1.0, 10.0):
        noisy = numbers + math.sqrt(noise_var) * rng.standard_normal(len(numbers))
        errors.append(np.mean((base.frames(noisy, np.full(len(numbers), noise_var)) - aim) ** 2))
    assert errors == sorted(errors) and errors[-1] < np.mean((nothing - aim) ** 2)


def test_bands_keep_their_numbers_whatever_became_of_the_others(weights):
    codec, slots, shape = TokenCodec(weights, slices=4), make_readings(128, 64), FrameShape(16, 128, 64)
    packets = codec.encode_at(slots, 0.4)
    whole = codec.refinable(packets, shape, COUNT)
    holed = codec.refinable(packets[:1] + packets[2:], shape, COUNT)
    assert sorted(holed.layers) == [0, 8, 12]
    for start, own in holed.layers.items():
        assert np.array_equal(own.places, whole.layers[start].places)
        assert (own.first, own.last) == (whole.layers[start].first, whole.layers[start].last)
    spans = [(own.first, own.last) for own in whole.layers.values()]
    assert spans == [(0, 125), (125, 250), (250, 375), (375, 500)]
    nobody = codec.refinable((), shape, COUNT)
    assert np.isfinite(nobody.frames(np.ones(COUNT), np.ones(COUNT))).all()


DIGEST = """
import sys, hashlib, numpy as np, torch
torch.set_num_threads(int(sys.argv[1]))
sys.path[:0] = sys.argv[2:]
from test_tokens_refinement import chosen_digest
print(chosen_digest())
"""


def chosen_digest() -> str:
    code = LoadedTokens(make_token_net(), {})
    _, k = drawn(code, 9)
    own = layer(code, (KNOB, k), 0, 300)
    return hashlib.sha256(own.places.tobytes()).hexdigest()


@pytest.mark.slow  # test_tokens_contexts.py has it of what decides
def test_other_threads_and_instructions_choose_the_same_latents():
    """OpenBLAS is told to use code for a processor of 2004, and two threads."""
    root, tests = Path(__file__).parents[2], Path(__file__).parent
    env = {"OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default"}
    env |= {"PATH": "/usr/bin", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", DIGEST, "2", str(tests), str(root / "tests" / "toys")]
    done = subprocess.run(command, capture_output=True, check=True, cwd=root, env=env, text=True)
    assert done.stdout.strip() == chosen_digest()


def test_damaged_packets_are_refined_without_an_error(weights):
    codec, rng = TokenCodec(weights, slices=2), np.random.default_rng(1)
    good = codec.encode_at(make_readings(), 0.8)
    for _ in range(5):
        packets = []
        for packet in good:
            data = bytearray(packet.data)
            data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
            packets.append(type(packet)(0, bytes(data)))
        base = RefinableTokens(load_tokens(weights), codec._read(packets, SHAPE), SHAPE, COUNT)
        assert np.isfinite(base.frames(rng.standard_normal(COUNT), np.full(COUNT, 0.1))).all()
