"""Semantic tokens: where they start, what a prefix is, what receivers know, and how levels are chosen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from semantic_token_toys import make_semantic_net, semantic_token_task, write_semantic_tokens
from token_toys import DriftingShapes, make_token_net

from semlink.codecs.semantic.level_map import pack_levels, packed_bytes, unpack_levels
from semlink.codecs.semantic.tokens.allocation import (
    LEAST_LOG_ERROR,
    MOST_CORRECTED,
    GainPredictor,
    LevelPolicy,
    error_at,
    water_filled,
)
from semlink.codecs.semantic.tokens.filling import PolicyLevels, PredictedLevels
from semlink.codecs.semantic.tokens.groups import grouped, prefixes, spread, ungrouped
from semlink.codecs.semantic.tokens.networks import Arrived, SemanticTokenNet, SemanticTokenSizes, probe
from semlink.codecs.semantic.tokens.operating import facts_of
from semlink.errors import ModelError
from semlink.training.tokens.seen import seen_as_tokens
from semlink.training.tokens.semantic_start import take_digital

TEN = torch.tensor([10.0, 10.0])


def readings(net: SemanticTokenNet, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    task, clips = semantic_token_task(), DriftingShapes().batch(seed, 2)
    return seen_as_tokens(task.options.sensor, net.sizes.readings, clips, torch.Generator().manual_seed(seed))


def sent(net: SemanticTokenNet, kept: torch.Tensor, noise: float = 0.0) -> Arrived:
    x = readings(net)[0]
    symbols = net.symbols(x, net.before_point(x), kept, TEN)
    power = symbols.square().sum((1, 2, 3)) / kept.sum((1, 2))
    return Arrived(symbols, torch.full_like(symbols, noise), kept, power, TEN)


def kept_all(net: SemanticTokenNet, kept: int) -> torch.Tensor:
    return torch.full((2, 2, 2), kept)


def test_groups_come_back_and_hold_their_own_tokens():
    tokens = torch.arange(2 * 4 * 6 * 3).view(2, 4, 6, 3)
    groups = grouped(tokens, 2)
    assert torch.equal(ungrouped(groups, 2), tokens)
    assert groups[1, 1, 2].tolist() == tokens[1, 2:4, 4:6].flatten().tolist()
    assert torch.equal(spread(groups[..., :1], 2)[1, 2:4, 4:6, 0], groups[1, 1, 2, 0].expand(2, 2))
    with pytest.raises(ValueError, match="no whole number of groups of 2x2"):
        grouped(torch.zeros(1, 3, 4, 1), 2)


def test_training_starts_at_the_linear_code():
    """With all symbols and no noise the linear code of the block comes out, its rotation undone."""
    net = make_semantic_net(stirred=False)
    x = readings(net)[0]
    linear = net.linear_synthesis(net.linear_analysis(x))
    assert torch.allclose(net.restored(sent(net, kept_all(net, 64))), linear, atol=2e-3)


def test_symbols_are_principal_components_strongest_first():
    """Of the latents of the clips it began with: no correlation, variances that fall, amplitudes variance^(-1/4)."""
    net, rows = make_semantic_net(stirred=False), []
    task, rng = semantic_token_task(), torch.Generator().manual_seed(0)
    for number in range(30):
        clips = DriftingShapes().batch(number, 8)
        x = seen_as_tokens(task.options.sensor, net.sizes.readings, clips, rng)[0]
        rows.append(net.rotate(grouped(net.linear_analysis(x), 2)).flatten(0, 2))
    values = torch.cat(rows).double()
    covariance = torch.cov(values.T)
    variances = covariance.diag()
    off = (covariance - torch.diag(variances)) / (variances[:, None] * variances).sqrt().clamp_min(1e-9)
    strong = variances > 1e-5 * variances[0]
    assert float(off[strong][:, strong].abs().max()) < 0.02 and float(values.mean(0).abs().max()) < 1e-3
    assert bool((variances[strong].diff() <= 1e-6).all())
    gains = net.log_gain.bias.exp().double()[strong]
    ratio = gains * variances[strong] ** 0.25
    assert torch.allclose(ratio, ratio[:1].expand_as(ratio), rtol=0.02)


def test_noise_shrinks_symbols_as_a_linear_receiver_should():
    net, noise = make_semantic_net(stirred=False), 0.5
    arrived = sent(net, kept_all(net, 24), noise)
    prior = net.log_prior.bias.exp() * arrived.power[:, None, None, None]
    believed = arrived.symbols * prior / (prior + noise) / net.log_gain.bias.exp()
    expected = net.linear_synthesis(ungrouped(net.unrotate(believed), 2))
    assert torch.allclose(net.restored(arrived), expected, atol=1e-3)


def test_a_group_sends_its_prefix_and_nothing_else_counts():
    net = make_semantic_net()
    kept = torch.tensor([[[2, 6], [12, 24]], [[64, 2], [6, 6]]])
    arrived = sent(net, kept, 0.1)
    assert float((arrived.symbols * (1 - prefixes(kept, 64))).abs().max()) == 0
    assert bool((arrived.symbols[..., 0] != 0).all())
    usual = net.restored(arrived)
    for change in ({"symbols": arrived.symbols + 7 * (1 - prefixes(kept, 64))},):
        assert torch.equal(usual, net.restored(changed(arrived, **change)))


def test_what_did_not_arrive_changes_nothing():
    net = make_semantic_net()
    arrived = sent(net, kept_all(net, 24), 0.1)
    noise = arrived.noise_var.clone()
    noise[:, 1] = torch.inf
    lost = changed(arrived, noise_var=noise)
    symbols = arrived.symbols.clone()
    symbols[:, 1] = -5.0
    assert torch.equal(net.restored(lost), net.restored(changed(lost, symbols=symbols)))
    assert bool(net.restored(lost).isfinite().all())


def changed(arrived: Arrived, **parts) -> Arrived:
    from dataclasses import replace

    return replace(arrived, **parts)


def test_the_point_is_told_to_both_ends():
    net = make_semantic_net()
    x = readings(net)[0]
    seen = net.before_point(x)
    base = net.symbols(x, seen, kept_all(net, 24), TEN)
    assert not torch.allclose(base, net.symbols(x, seen, kept_all(net, 24), TEN - 10), rtol=1e-3)
    uneven = kept_all(net, 24)
    uneven[:, 0, 0] = 64
    assert not torch.allclose(base[:, 1, 1], net.symbols(x, seen, uneven, TEN)[:, 1, 1], rtol=1e-4)
    assert facts_of(TEN, kept_all(net, 64)).abs().max() == 0


def test_readings_can_be_written_instead_of_frames():
    net = make_semantic_net(writes="readings", stirred=False)
    x = readings(net)[0]
    restored = net.restored(sent(net, kept_all(net, 64)))
    assert restored.shape == x.shape
    unexplained = (restored - x).square().sum() / (x - x.mean((0, 1, 2))).square().sum()
    assert float(unexplained) < 0.2


def test_it_can_begin_with_a_digital_code():
    """The decoder of the digital code, at latents as they are."""
    digital = make_token_net()
    sizes = SemanticTokenSizes(
        tile=digital.sizes.tile, latents=16, encoder=16, encoder_blocks=[1, 1], decoder=16, decoder_blocks=1, heads=8,
        levels=[4, 64],
    )  # fmt: skip
    torch.manual_seed(1)
    net = SemanticTokenNet(sizes)
    take_digital(net, digital)
    with torch.no_grad():
        net.rotate.weight.copy_(torch.eye(64)), net.rotate.bias.zero_()
        net.unrotate.weight.copy_(torch.eye(64)), net.unrotate.bias.zero_()
        net.tell_decoder.weight.zero_()
        x = readings(net)[0]
        knob = torch.tensor([0.7, 0.7])
        latents = digital.linear_analysis(x)
        expected = digital.synthesise(latents * digital.gain(knob), knob)
        assert torch.allclose(net.restored(sent(net, kept_all(net, 64))), expected, atol=1e-4)


def test_what_a_level_leaves_out_is_the_error_of_a_linear_receiver():
    """Of the linear code without noise, beside what all symbols leave."""
    net = make_semantic_net(stirred=False)
    x = readings(net)[0]
    whole = net.linear_synthesis(net.linear_analysis(x))
    for place, level in enumerate(net.sizes.levels):
        arrived = changed(sent(net, kept_all(net, level)), noise_var=torch.zeros(2, 2, 2, 64))
        error = (net.restored(arrived) - whole).square().mean(-1)
        of_groups = torch.nn.functional.avg_pool2d(error[:, None], 2)[:, 0]
        assert torch.allclose(net.left_out(x)[..., place], of_groups, atol=2e-5)


@pytest.mark.parametrize("side", [1, 2, 4])
def test_predicted_errors_fall_and_chances_add_up(side):
    torch.manual_seed(0)
    seen = torch.randn(2, 12, 8, 8)
    left_out = torch.rand(2, 8 // side, 8 // side, 5).sort(descending=True).values / 100
    errors = GainPredictor(12, 8, side, 5)(seen, left_out, TEN)
    chances = LevelPolicy(12, 8, side, [2, 6, 12, 24, 64])(seen, left_out, TEN, torch.tensor([-5.0, -3.0]))
    assert errors.shape == chances.shape == (2, 8 // side, 8 // side, 5)
    assert bool((errors.diff(dim=-1) <= 0).all())
    assert torch.allclose(chances.exp().sum(-1), torch.ones(2, 8 // side, 8 // side), atol=1e-5)


def test_before_training_gains_are_those_of_the_linear_code():
    """What is left out, and an error that no symbol mends; training can change a gain by a bounded factor alone."""
    torch.manual_seed(0)
    predictor, seen = GainPredictor(12, 8, 2, 5), torch.randn(2, 12, 8, 8)
    left_out = torch.rand(2, 4, 4, 5).sort(descending=True).values / 100
    with torch.no_grad():
        predictor.head.leave.weight.zero_()
        errors = predictor(seen, left_out, TEN).exp()
        assert torch.allclose(errors, left_out + float(torch.tensor(LEAST_LOG_ERROR).exp()), rtol=1e-4)
        predictor.head.leave.weight[:-1].normal_(0, 1000.0)
        changed = predictor(seen, left_out, TEN).exp()
    gains, before = (-table.diff(dim=-1) for table in (changed, errors))
    factor = (gains / before).log().abs()
    assert float(factor[before > 1e-4].max()) <= MOST_CORRECTED + 0.05


def test_errors_between_levels_lie_on_lines_in_the_logarithm():
    log_errors = torch.tensor([0.0, -1.0, -3.0]).expand(1, 1, 4, 3)
    levels = torch.tensor([4, 8, 32])
    kept = torch.tensor([[[4, 8, 16, 200]]])
    assert error_at(log_errors, levels, kept)[0, 0].tolist() == pytest.approx([0.0, -1.0, -2.0, -3.0], abs=1e-6)


def test_water_filling_is_the_best_choice_at_its_cost():
    """Against all choices of four groups and three levels."""
    rng = torch.Generator().manual_seed(3)
    levels = torch.tensor([2, 4, 8])
    log_errors = -torch.rand(1, 2, 2, 3, generator=rng).cumsum(-1)
    for mean in (2.0, 3.0, 4.5, 6.0, 8.0):
        places = water_filled(log_errors, levels, torch.tensor([mean]))
        cost = float(levels[places].sum())
        found = float(log_errors.exp().gather(-1, places[..., None]).sum())
        assert cost <= 4 * mean
        flat = log_errors.exp().view(4, 3)
        others = [
            sum(float(flat[group, place]) for group, place in enumerate(choice))
            for choice in itertools.product(range(3), repeat=4)
            if sum(int(levels[place]) for place in choice) <= cost
        ]
        assert found == pytest.approx(min(others), abs=1e-6)


def falling(shape: tuple[int, int], levels: int, seed: int) -> np.ndarray:
    return np.exp(-np.random.default_rng(seed).random((*shape, levels)).cumsum(-1))


PAIRS = np.array([1, 3, 6, 12, 32])


@pytest.mark.parametrize("most", [12, 30, 77, 150, 384, 1000])
def test_levels_fill_a_budget_as_far_as_they_can(most):
    errors = falling((3, 4), 5, 0)
    policy = PolicyLevels(np.random.default_rng(2).normal(-3, 1, (3, 4, 4)), PAIRS, 0.0)
    for chooser in (PredictedLevels(errors, PAIRS), policy):
        levels = chooser.within(most)
        left = most - PAIRS[levels].sum()
        assert left >= 0
        steps = [PAIRS[level + 1] - PAIRS[level] for level in levels.ravel() if level < 4]
        assert not steps or left < min(steps)


def test_levels_go_where_they_take_most_error_away():
    errors = falling((3, 4), 5, 1)
    errors[0] = 0.01 * errors[0]
    levels = PredictedLevels(errors, PAIRS).within(80)
    assert levels[1:].mean() > levels[0].mean() + 1
    dear, cheap = (PredictedLevels(errors, PAIRS).at_price(price) for price in (0.05, 0.0005))
    assert dear.sum() < cheap.sum()


def convex(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Errors (rows, columns, levels) whose gains a symbol fall from level to level."""
    rate, scale = np.random.default_rng(seed).uniform(0.02, 0.5, (2, *shape, 1))
    return scale * np.exp(-rate * PAIRS) + 0.01


def marginal(errors: np.ndarray) -> np.ndarray:
    """The logarithm of what a symbol gains in each step of the table."""
    return np.log(-np.diff(errors) / (2 * np.diff(PAIRS)))


@pytest.mark.parametrize("most", [20, 60, 150, 300])
def test_a_policy_that_knows_what_symbols_gain_chooses_like_the_exact_errors(most):
    """Where gains fall: a step is worth its price if and only if it gains more, whatever the steps above it."""
    errors = convex((3, 4), 0)
    policy = PolicyLevels(marginal(errors), PAIRS, float(np.log(errors[..., 0].mean())))
    exact = PredictedLevels(errors, PAIRS)
    assert np.array_equal(policy.within(most), exact.within(most))
    for price in (1e-4, 0.003, 0.01, 0.1):
        assert np.array_equal(policy.at_price(price), exact.at_price(price))


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float64, (2, 3, 4), elements=st.floats(-20, 5)),
    st.floats(1e-6, 1.0),
    st.floats(1.0, 100.0),
)
def test_a_dearer_symbol_is_never_sent_where_a_cheaper_one_was_not(thresholds, price, times):
    policy = PolicyLevels(thresholds, PAIRS, -5.0)
    assert bool((policy.at_price(price * times) <= policy.at_price(price)).all())


def test_the_likeliest_levels_are_those_of_the_policy():
    torch.manual_seed(0)
    policy, seen = LevelPolicy(12, 8, 2, [2, 6, 12, 24, 64]), torch.randn(1, 12, 8, 8)
    left_out = torch.rand(1, 4, 4, 5).sort(descending=True).values / 100
    for price in (-13.0, -10.0, -7.0):
        with torch.no_grad():
            likeliest = policy(seen, left_out, TEN[:1], torch.tensor([price])).argmax(-1)[0].numpy()
            thresholds = policy.thresholds(seen, left_out, TEN[:1])[0].double().numpy()
        assert np.array_equal(PolicyLevels(thresholds, PAIRS, 0.0).at_price(np.exp(price)), likeliest)


long_maps = arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 10))


@settings(max_examples=60, deadline=None)
@given(long_maps)
def test_a_map_of_eleven_levels_comes_back(levels):
    packed = pack_levels(levels, 11)
    assert len(packed) <= packed_bytes(levels.size, 11)
    assert np.array_equal(unpack_levels(packed, levels.shape, 11), levels)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_a_damaged_map_of_eleven_levels_is_a_map_or_a_value_error(data):
    try:
        levels = unpack_levels(data, (6, 7), 11)
    except ValueError:
        return
    assert levels.shape == (6, 7) and levels.min() >= 0 and levels.max() <= 10


def test_a_smooth_map_costs_little():
    y, x = np.mgrid[0:16, 0:16]
    levels = np.clip(np.round(5 + 2 * np.sin(x / 4) + np.cos(y / 3)), 0, 10).astype(np.int64)
    assert 8 * len(pack_levels(levels, 11)) < 1.7 * levels.size


def test_weights_answer_their_probe(tmp_path):
    from semlink.codecs.semantic.tokens.loaded import SemanticTokens

    net = make_semantic_net()
    name = write_semantic_tokens(tmp_path, net)
    codec = SemanticTokens(name)
    assert codec.sizes == net.sizes and codec.table(0) == (1, 3, 6, 12, 32) and codec.most_pairs == 32
    assert bool(probe(net).isfinite().all())
    with pytest.raises(ModelError, match="weights for 'reconstruction'|weights for"):
        SemanticTokens("sensor")


@pytest.mark.parametrize("levels", [[2, 2, 4], [3, 6], [0, 2], [2, 128]])
def test_tables_that_are_none_are_refused(levels):
    with pytest.raises(ValueError, match="even, rising, 2 to 64"):
        semantic_token_task(levels=levels)
