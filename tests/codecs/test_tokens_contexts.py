"""Contexts of the code of tokens: nothing is seen before its turn; whole numbers agree with floats, on any machine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from token_toys import make_token_net

from semlink.codecs.tokens.contexts import TURNS, information, scan_order, squashed, visible
from semlink.codecs.tokens.integer_contexts import ONE, IntegerContexts, seen_values, turn_places
from semlink.codecs.tokens.latent_coding import LatentReader, LatentWriter, coded_bits
from semlink.codecs.tokens.loaded import log_gains
from semlink.codecs.tokens.logistic_tables import (
    BOTTOM,
    GRAIN,
    MEAN_ONE,
    NUM_SCALES,
    SCALES_PER_FACTOR,
    reach,
    scale_of,
    split_means,
    tables,
)
from semlink.codecs.tokens.networks import KNOB_STEPS
from semlink.errors import ModelError

H, W, KNOB = 6, 7, 40


def some_latents(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(rng.laplace(0, np.linspace(3, 0.2, 16), (H, W, 16)))


def expectations(latents: np.ndarray, knob: int = KNOB) -> tuple[np.ndarray, np.ndarray]:
    """Means and scales of all latents as the decoder would find them."""
    net = make_token_net()
    mean, scale, flat = np.zeros((H * W, 16)), np.zeros((H * W, 16)), latents.reshape(H * W, 16)

    def visit(turn, expected):
        here = np.ix_(turn.places, range(turn.first, turn.last))
        mean[here], scale[here] = expected.mean, expected.scale
        return flat[here]

    walked = IntegerContexts(net.contexts, log_gains(net)).walk(H, W, knob, visit)
    assert np.array_equal(walked, latents)
    return mean.reshape(H, W, 16), scale.reshape(H, W, 16)


def test_what_is_not_decoded_yet_changes_nothing():
    latents, order = some_latents(), scan_order(H, W).numpy()
    mean, scale = expectations(latents)
    edges = (0, *make_token_net().sizes.groups)
    for first, last in zip(edges, edges[1:]):
        for turn in range(TURNS):
            other = latents.copy()
            other[..., last:] += 5
            other[order >= turn, first:last] -= 7
            mean_now, scale_now = expectations(other)
            now = order == turn
            assert np.array_equal(mean_now[now, first:last], mean[now, first:last])
            assert np.array_equal(scale_now[now, first:last], scale[now, first:last])


def test_what_is_decoded_matters():
    latents, order = some_latents(), scan_order(H, W).numpy()
    other = latents.copy()
    other[order == 0, 0] += 2
    mean, now = expectations(latents)[0], expectations(other)[0]
    assert (mean[order == 1] != now[order == 1]).any()
    assert (mean[..., 2:] != now[..., 2:]).any()


def test_whole_numbers_are_the_floats_rounded():
    net, latents = make_token_net(), some_latents()
    mean, scale = expectations(latents)
    k, q = torch.from_numpy(latents).float()[None], torch.tensor([KNOB / KNOB_STEPS])
    order = scan_order(H, W)
    for group in net.contexts.groups:
        for turn in range(TURNS):
            told = torch.tensor([turn])
            centre, spread = group(visible(k, order, group.first, group.last, told), q, told)[0].chunk(2, -1)
            here = slice(group.first, group.last)
            log_scale = spread + net.contexts.log_scale[here] + net.gain(q)[0, 0, 0, here].log()
            now = order == turn
            off = centre[now].numpy() - mean[now.numpy(), here] / MEAN_ONE
            wide = log_scale[now].numpy() - (BOTTOM + scale[now.numpy(), here] / SCALES_PER_FACTOR)
            assert np.abs(off).max() < 0.5 / MEAN_ONE + 2e-3
            assert np.abs(wide).max() < 0.5 / SCALES_PER_FACTOR + 0.01


def latents_as_expected(knob: int = KNOB) -> np.ndarray:
    """Latents drawn from the model itself."""
    net, rng = make_token_net(), np.random.default_rng(2)

    def draw(turn, expected):
        noise = rng.logistic(size=expected.mean.shape)
        return np.rint(expected.mean / MEAN_ONE + noise * np.exp(BOTTOM + expected.scale / SCALES_PER_FACTOR))

    return IntegerContexts(net.contexts, log_gains(net)).walk(H, W, knob, draw)


def test_bits_in_whole_numbers_are_those_of_the_model():
    net, latents = make_token_net(), latents_as_expected()
    mean, scale = expectations(latents)
    k, q = torch.from_numpy(latents).float()[None], torch.tensor([KNOB / KNOB_STEPS])
    model = float(net.contexts.bits(k, k, q, net.gain(q)).sum())
    assert coded_bits(latents, mean, scale) == pytest.approx(model, rel=0.01)


def test_bits_of_one_turn_are_right_in_the_mean():
    net, latents = make_token_net(), some_latents()
    k, q = torch.from_numpy(latents).float()[None, :, :6], torch.tensor([KNOB / KNOB_STEPS])
    whole = net.contexts.bits(k, k, q, net.gain(q)).sum()
    drawn = [
        net.contexts.drawn_bits(k, k, q, net.gain(q), torch.full((3, 1), turn)).sum() / TURNS for turn in range(TURNS)
    ]
    assert torch.allclose(torch.stack(drawn).sum(), whole, rtol=1e-4)


DIGEST = """
import sys, torch
torch.set_num_threads(2)
sys.path[:0] = sys.argv[1:]
from test_tokens_contexts import expected_digest
print(expected_digest())
"""


def expected_digest() -> str:
    mean, scale = expectations(some_latents(1))
    return hashlib.sha256(mean.tobytes() + scale.tobytes()).hexdigest()


@pytest.mark.slow
def test_other_threads_and_instructions_give_the_same_numbers():
    """OpenBLAS is told to use code for a processor of 2004, and two threads."""
    root, tests = Path(__file__).parents[2], Path(__file__).parent
    env = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PATH": "/usr/bin", "PYTHONPATH": str(root)}
    env |= {"OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default"}
    command = [sys.executable, "-c", DIGEST, str(tests), str(root / "tests" / "toys")]
    done = subprocess.run(command, capture_output=True, check=True, cwd=root, env=env, text=True)
    assert done.stdout.strip() == expected_digest()


def test_a_slow_sum_of_integers_gives_the_same_numbers():
    """One place and one channel worked out with Python's integers."""
    net, latents = make_token_net(), some_latents(1)
    group = net.contexts.groups[1]
    order, turn, row, column = scan_order(H, W).numpy(), 2, 2, 3
    assert order[row, column] == turn
    whole = lambda tensor, unit: np.rint(tensor.detach().double().numpy() * unit).astype(int).tolist()  # noqa: E731
    enter, middle, leave = (whole(layer.weight, 2**14) for layer in (group.enter, group.middle, group.leave))
    bias = whole(group.turn.weight[turn] + group.enter.bias, 2**22)
    seen = seen_values(latents[..., : group.last].reshape(-1, group.last)).reshape(H, W, -1).astype(int)

    def value(y: int, x: int, channel: int) -> int:
        if not (0 <= y < H and 0 <= x < W):
            return 0
        known = int(order[y, x] < turn)
        if channel < group.last:
            return int(seen[y, x, channel]) * (1 if channel < group.first else known)
        return known * 256 if channel == group.last else 256 * KNOB // KNOB_STEPS

    def conv(weight, bias, read, y, x, out) -> int:
        total = bias[out]
        for channel, plane in enumerate(weight[out]):
            total += sum(plane[dy][dx] * read(y + dy - 1, x + dx - 1, channel) for dy in range(3) for dx in range(3))
        return min(max((total + 2**13) >> 14, 0), 8 * 256)

    def hidden(y: int, x: int, out: int) -> int:
        return conv(enter, bias, value, y, x, out) if 0 <= y < H and 0 <= x < W else 0

    second = [conv(middle, whole(group.middle.bias, 2**22), hidden, row, column, out) for out in range(8)]
    total = whole(group.leave.bias, 2**22)[0] + sum(leave[0][i][0][0] * second[i] for i in range(8))
    mean = ((total + 2**13) >> 14) + 4 >> 3
    assert expectations(latents)[0][row, column, group.first] == mean


def test_weights_whose_sums_could_be_inexact_are_refused():
    net = make_token_net()
    weight = net.contexts.groups[1].middle.weight.data
    before = weight[0, 0, 0, 0].clone()
    weight[0, 0, 0, 0] = 2.0**30
    try:
        with pytest.raises(ModelError, match="mine: 1.middle: sums over these weights may reach .* below 2"):
            IntegerContexts(net.contexts, log_gains(net), "mine")
    finally:
        weight[0, 0, 0, 0] = before


def test_every_place_has_one_turn():
    places = np.concatenate(turn_places(H, W))
    assert sorted(places) == list(range(H * W))


def test_seen_values_are_far_from_a_tie():
    """So the last bit of asinh cannot decide how one is rounded."""
    scaled = ONE * np.arcsinh(np.arange(1491.0))
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-6
    k = np.array([-3.0, 0.0, 2.0, 1e6])
    assert np.allclose(seen_values(k) / ONE, squashed(torch.from_numpy(k)).numpy(), atol=0.5 / ONE)


@pytest.mark.parametrize("scale", [0, 20, 45, NUM_SCALES - 1])
def test_tables_are_rounded_logistics(scale):
    table, far = tables(scale), reach(scale)
    assert table.shape == (32, 2 * far + 2) and np.allclose(table.sum(1), 1, atol=1e-6)
    assert (table >= 2.0**-23).all()
    k, fraction = torch.arange(-2.0, 3), 5
    bits = information(k, torch.tensor((fraction - 16) / 32), torch.tensor(scale_of(scale))).numpy()
    likely = bits < 18
    assert np.allclose(-np.log2(table[fraction, far - 2 : far + 3])[likely], bits[likely], rtol=2e-3, atol=1e-3)


def test_means_split_into_whole_and_fraction():
    mean = np.arange(-100.0, 100)
    whole, fraction = split_means(mean)
    assert np.array_equal(whole * 32 + fraction - 16, mean) and fraction.min() >= 0 and fraction.max() < 32


def test_any_latents_come_back():
    rng = np.random.default_rng(1)
    mean = np.rint(rng.normal(0, 60, (40, 9)))
    scale = rng.integers(0, NUM_SCALES, (40, 9))
    values = np.rint(rng.normal(0, 3, (40, 9)))
    values[0, :3] = 30_000, -30_000, 700
    writer = LatentWriter()
    writer.put(values, mean, scale)
    data = writer.bytes()
    assert np.array_equal(LatentReader(data).take(mean, scale), values)
    assert 8 * len(data) == pytest.approx(coded_bits(values, mean, scale), rel=0.01)


def test_no_table_hangs_on_the_last_bits_of_exp():
    """Every entry is further from a tie than a hundred units in the last place of what it is made of."""
    nearest = np.inf
    for number in range(NUM_SCALES):
        far, width = reach(number), scale_of(number)
        offsets = np.arange(-far, far + 1) - ((np.arange(32.0) - 16) / 32)[:, None]
        off = np.abs(offsets)
        above = 1 / (1 + np.exp(((off - 0.5) / width).clip(None, 700)))
        mass = above - 1 / (1 + np.exp(((off + 0.5) / width).clip(None, 700)))
        other = (1 - mass.sum(1, keepdims=True)).clip(2.0**-22)
        whole = np.concatenate((mass.clip(2.0**-22), other), 1)
        scaled = whole / whole.sum(1, keepdims=True) * GRAIN
        unit = 1.1e-16 * GRAIN * np.concatenate((above, np.ones((32, 1))), 1)
        nearest = min(nearest, float((np.abs(scaled - np.floor(scaled) - 0.5) / unit).min()))
    assert nearest > 100
