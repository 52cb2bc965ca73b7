"""Rate maps as bytes, levels for a budget, and the order of symbols on the air."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from semlink.codecs.semantic.level_choice import chosen, levels_for_budget
from semlink.codecs.semantic.level_map import pack_levels, unpack_levels
from semlink.link.schemes.semantic.symbol_planes import from_planes, pair_counts, to_planes
from semlink.payload import Received

maps = arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(maps)
def test_a_rate_map_comes_back(levels):
    packed = pack_levels(levels)
    assert len(packed) <= -(-levels.size // 4) + 1
    assert np.array_equal(unpack_levels(packed, levels.shape), levels)


def test_a_map_with_structure_costs_less_than_two_bits_a_block():
    y, x = np.mgrid[0:32, 0:32]
    levels = ((x // 8 + y // 8) % 4).astype(np.int64)
    assert len(pack_levels(levels)) < 0.5 * levels.size / 4
    flat = np.zeros((32, 32), np.int64)
    assert len(pack_levels(flat)) < 8


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_a_damaged_map_is_a_map_or_a_value_error(data):
    try:
        levels = unpack_levels(data, (6, 7))
    except ValueError:
        return
    assert levels.shape == (6, 7) and levels.min() >= 0 and levels.max() <= 3


def scores_at(worth: torch.Tensor):
    """A policy that weighs what levels are worth against their price."""
    gains = worth[None] * torch.tensor([0.0, 1.0, 1.6, 2.0])[:, None, None]
    return lambda log_price: (gains - np.exp(log_price) * torch.arange(4.0)[:, None, None]).log_softmax(0)


@pytest.mark.parametrize("most", [48, 60, 100, 177, 192, 500])
def test_levels_fill_the_budget_to_the_last(most):
    worth = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    levels = levels_for_budget(scores_at(worth), most, (0.01, 1.0))
    assert int(levels.sum()) == min(most, 4 * 48)
    assert int(levels.min()) >= 1 and int(levels.max()) <= 4


def test_levels_go_where_they_are_worth_most():
    worth = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    levels = levels_for_budget(scores_at(worth), 100, (0.01, 1.0))
    assert float(worth[levels >= 3].mean()) > float(worth[levels <= 1].mean()) + 0.2
    dear, cheap = (int(chosen(scores_at(worth)(np.log(price))).sum()) for price in (0.9, 0.05))
    assert dear < cheap


@settings(max_examples=40, deadline=None)
@given(arrays(np.int64, (3, 5), elements=st.integers(0, 24)), st.integers(0, 2**31))
def test_planes_come_back_with_the_map(pairs, seed):
    rng = torch.Generator().manual_seed(seed)
    symbols = torch.randn(1, 48, 3, 5, generator=rng)
    iq = to_planes(symbols, pairs)
    assert iq.shape == (1, int(pairs.sum()))
    back, noise_var = from_planes(Received(iq, torch.full(iq.shape, 0.25)), pairs)
    sent = torch.arange(48).view(-1, 1, 1) < 2 * torch.from_numpy(pairs)
    assert torch.allclose(back[0], torch.where(sent, symbols[0], 0), atol=1e-6)
    assert torch.equal(noise_var[0], torch.where(sent, 0.25, torch.inf))


def test_what_all_blocks_send_is_found_without_the_map():
    pairs = np.array([[3, 9, 6], [12, 3, 3]])
    symbols = torch.randn(1, 48, 2, 3, generator=torch.Generator().manual_seed(0))
    iq = to_planes(symbols, pairs)
    lowest, _ = from_planes(Received(iq, torch.full(iq.shape, 0.1)), np.full((2, 3), 3))
    assert torch.allclose(lowest[0, :6], symbols[0, :6], atol=1e-6) and float(lowest[0, 6:].abs().max()) == 0


def test_two_unit_real_symbols_make_one_of_unit_power():
    symbols = torch.randn(1, 48, 16, 16, generator=torch.Generator().manual_seed(0))
    iq = to_planes(symbols, np.full((16, 16), 24))
    assert float(iq.abs().square().mean()) == pytest.approx(float(symbols.square().mean()), rel=1e-5)


@settings(deadline=None)
@given(st.integers(0, 500))
def test_even_shares_differ_by_one_at_most(uses):
    pairs = pair_counts(uses, (4, 5), 24)
    assert int(pairs.sum()) == min(uses, 480) and int(pairs.max() - pairs.min()) <= 1
