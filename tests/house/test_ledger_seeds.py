"""The ledger adds up exactly; chance has a name and nothing else moves it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from semlink.errors import BudgetExceeded
from semlink.flow import Flow
from semlink.ledger import PURPOSES, Charge, Ledger, ledger_of
from semlink.seeds import Seeds

amounts = st.fractions(min_value=0, max_value=10_000, max_denominator=24)
charges = st.lists(st.builds(Charge, st.just("tests"), st.sampled_from(PURPOSES), amounts), max_size=12)


@given(charges)
def test_purposes_sum_to_the_whole(entries):
    ledger = ledger_of(entries)
    assert sum(ledger.by_purpose().values()) == ledger.symbols == sum((c.symbols for c in entries), Fraction(0))


@given(charges, st.integers(0, 30_000))
def test_budget_is_never_overspent(entries, budget):
    try:
        assert ledger_of(entries, budget).symbols <= budget
    except BudgetExceeded as fault:
        assert "of " + str(budget) in str(fault)
        assert sum(c.symbols for c in entries) > budget


@pytest.mark.parametrize("purpose, amount", [("fun", 1), ("payload", -1), ("payload", 1.5)])
def test_a_charge_says_what_is_wrong_with_it(purpose, amount):
    with pytest.raises(ValueError, match="tests charges"):
        Charge("tests", purpose, amount)


def test_flow_books_on_the_way():
    flow = Flow("a").then("b", Charge("x", "pilot", 3)).then("c", Charge("y", "crc", Fraction(1, 2)))
    assert flow.payload == "c" and flow.ledger.symbols == Fraction(7, 2) and Ledger().symbols == 0


def test_streams_differ_by_name_clip_trial_and_root():
    draws = [
        Seeds(root, (clip,), trial).normal(name, 8)
        for root, clip, trial, name in [(1, 0, 0, "a"), (2, 0, 0, "a"), (1, 1, 0, "a"), (1, 0, 1, "a"), (1, 0, 0, "b")]
    ]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == 5


@given(st.integers(1, 200), st.integers(1, 200))
def test_longer_draws_begin_with_shorter_ones(short, more):
    seeds = Seeds(7, (3,))
    assert torch.equal(seeds.complex_normal("n", short + more)[:, :short], seeds.complex_normal("n", short))


def test_a_batch_holds_the_streams_of_its_clips():
    batch = Seeds(7, (4, 9)).normal("n", 5)
    assert torch.equal(batch[1:], Seeds(7, (9,)).normal("n", 5))
    assert torch.equal(batch[1:], Seeds(7, (4, 9)).alone(1).normal("n", 5))


def test_complex_noise_has_half_its_variance_in_each_dimension():
    noise = Seeds(3).complex_normal("n", 200_000)
    five_sigma = 5 * (2 / 200_000) ** 0.5 * 0.5
    assert abs(float(noise.real.var()) - 0.5) < five_sigma and abs(float(noise.imag.var()) - 0.5) < five_sigma
    assert abs(float((noise.real * noise.imag).mean())) < 5 * 0.5 / 200_000**0.5


def test_global_generators_neither_matter_nor_move():
    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = Seeds(3).normal("n", 4)
    torch.manual_seed(2)
    assert torch.equal(first, Seeds(3).normal("n", 4))
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), before[0]) and np.array_equal(np.random.get_state()[1], before[1])


def test_several_clips_need_a_name():
    with pytest.raises(ValueError, match="2 clips"):
        Seeds(1, (0, 1)).numpy("x")
