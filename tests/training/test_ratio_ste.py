"""The differentiable ratio variant: which capture is kept, and what gradient comes back."""

from __future__ import annotations

import pytest
import torch

from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.hard_mask import choice_mask, choose, chosen_counts, four_captures
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction

EDGES = [(0.0, 0), (0.1999, 0), (0.2, 1), (0.25, 1), (0.4, 2), (0.55, 2), (0.6, 4), (0.79, 4), (0.8, 8), (0.99, 8)]


@pytest.mark.source("zhang2024crl-supp", "eq. (1)")
@pytest.mark.parametrize(("ratio", "count"), [*EDGES, (1.0, 8), (1.0 - 1e-7, 8)])
def test_intervals_and_their_edges(ratio, count):
    m = torch.full((2, 2), ratio)
    kept = choice_mask(m)[:, 0, 0]
    assert kept.tolist() == [float(count == c) for c in (1, 2, 4, 8)]
    assert chosen_counts(m).unique().tolist() == [count]


def test_a_saturated_sigmoid_still_measures():
    """The published strict inequalities give no measurement at M = 1."""
    m = torch.tensor([[100.0]]).sigmoid()
    assert m.item() == 1.0
    assert choice_mask(m).sum() == 1


@pytest.mark.source("zhang2024crl-supp", "the backward gradient from Z to M is 1")
def test_gradient_to_the_ratio_sums_over_all_channels():
    gen = torch.Generator().manual_seed(0)
    captures = torch.rand(2, 64, 3, 5, generator=gen, dtype=torch.float64)
    ratio = torch.rand(3, 5, generator=gen, dtype=torch.float64).requires_grad_()
    weight = torch.randn(2, 64, 3, 5, generator=gen, dtype=torch.float64)
    (choose(captures, ratio) * weight).sum().backward()
    torch.testing.assert_close(ratio.grad, (weight * captures).sum((0, 1)))


def test_choice_is_the_initial_reconstruction_of_the_map():
    gen = torch.Generator().manual_seed(0)
    frames, normal = torch.rand(1, 16, 8, 8, generator=gen), torch.randn(1, 4, 8, 8, 8, generator=gen)
    ratio = torch.rand(8, 8, generator=gen)
    kept = choose(four_captures(frames, normal, ReadNoise())[0], ratio).view(1, 4, 16, 8, 8).sum(1)
    counts = chosen_counts(ratio)
    for number, count in enumerate((1, 2, 4, 8)):
        readings = read_out(frames, counts, normal[:, number], noise=ReadNoise())
        own = initial_reconstruction(readings, counts)
        torch.testing.assert_close(kept[..., counts == count], own[..., counts == count])
    assert not kept[..., counts == 0].any()
    assert len(counts.unique()) == 5


def test_one_capture_of_the_right_count_reads_what_the_mask_keeps_of_four():
    from semlink.sensing.programmable.reconstructors import by_capture

    clips = torch.rand(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    tile = torch.tensor([[0.1, 0.3], [0.5, 0.7]]).repeat(4, 4)
    silent = ReadNoise(0.0, 0.0)
    captures, _ = four_captures(clips, torch.zeros(1, 4, 8, 8, 8), silent)
    counts = chosen_counts(tile)
    alone = initial_reconstruction(read_out(clips, counts, torch.zeros(1, 8, 8, 8), noise=silent), counts)
    assert torch.allclose(by_capture(alone, counts), choose(captures, tile), atol=1e-6)
