"""Codes held to a rank: optimal, idempotent, batched; factors; paths through codes."""

from __future__ import annotations

import pytest
import torch

from semlink.errors import InterfaceError
from semlink.nn.generative.latent_rank import factors, onto_rank
from semlink.sensing.random_projections.latent_path import between, filled_in, principal_coordinates


def codes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.source("hyder2019gmlr", "Sec. 2.3")
@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)])
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_what_is_left_out_are_the_smallest_singular_values(shape, rank):
    """Eckart and Young: no matrix of the rank is nearer than the tail of the singular values."""
    z = codes(*shape)
    near = onto_rank(z, rank)
    assert torch.linalg.matrix_rank(near, rtol=1e-9) == rank
    tail = torch.linalg.svdvals(z)[rank:].square().sum()
    torch.testing.assert_close((z - near).square().sum(), tail)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pca_keeps_the_mean_and_the_best_directions_about_it(shape, rank):
    z = codes(*shape) + 3
    near = onto_rank(z, rank, "pca")
    torch.testing.assert_close(near.mean(0), z.mean(0))
    spread = near - near.mean(0)
    assert torch.linalg.matrix_rank(spread, atol=1e-9) == rank - 1
    tail = torch.linalg.svdvals(z - z.mean(0))[rank - 1 :].square().sum()
    torch.testing.assert_close((z - near).square().sum(), tail)


def test_rank_two_about_the_mean_is_a_line():
    near = onto_rank(codes(7, 4), 2, "pca")
    steps = near - near[0]
    assert torch.linalg.matrix_rank(steps, atol=1e-9) == 1


@pytest.mark.parametrize("projection", ["svd", "pca"])
def test_projections_are_idempotent_batched_and_leave_full_ranks_alone(projection):
    z = codes(3, 8, 5)
    ranks = torch.tensor([2, 4, 8])
    near = onto_rank(z, ranks, projection)
    torch.testing.assert_close(onto_rank(near, ranks, projection), near)
    for one, rank, alone in zip(z, ranks.tolist(), near, strict=True):
        torch.testing.assert_close(onto_rank(one, rank, projection), alone)
    assert torch.equal(near[2], z[2])


def test_factors_are_the_projection_and_do_not_depend_on_signs():
    z = codes(9, 5)
    coefficients, basis = factors(z, 3)
    torch.testing.assert_close(coefficients @ basis, onto_rank(z, 3))
    torch.testing.assert_close(basis @ basis.T, torch.eye(3, dtype=torch.float64))
    spread = coefficients.square().sum(0)
    assert (spread.diff() <= 0).all() and (basis.gather(1, basis.abs().argmax(1, keepdim=True)) > 0).all()


def test_missing_codes_lie_on_the_straight_line_between_their_neighbours():
    z = codes(2, 4, 3)
    filled = filled_in(z, (1, 2, 5, 6), 8)
    assert torch.equal(filled[:, [1, 2, 5, 6]], z)
    torch.testing.assert_close(filled[:, 3], (2 * z[:, 1] + z[:, 2]) / 3)
    torch.testing.assert_close(filled[:, 4], (z[:, 1] + 2 * z[:, 2]) / 3)
    assert torch.equal(filled[:, 0], z[:, 0]) and torch.equal(filled[:, 7], z[:, 3])
    assert torch.equal(filled_in(z[:, :1], (2,), 4), z[:, :1].expand(-1, 4, -1))
    with pytest.raises(InterfaceError, match="4 codes for 3 frames"):
        filled_in(z, (1, 2, 5), 8)


def test_many_frames_between_few_keep_the_rank():
    z = onto_rank(codes(5, 6), 2)
    path = between(z, 41)
    torch.testing.assert_close(path[::10], z)
    torch.testing.assert_close(path[5], (z[0] + z[1]) / 2)
    assert torch.linalg.matrix_rank(path, atol=1e-9) == 2


def test_principal_coordinates_of_a_curve_in_a_plane():
    angle = torch.linspace(0, 2.5, 12, dtype=torch.float64)
    plane = torch.stack((3 * angle, angle.sin()), dim=1) @ torch.linalg.qr(codes(6, 2))[0].T + 1
    found = principal_coordinates(plane)
    torch.testing.assert_close(torch.cdist(found, found), torch.cdist(plane, plane))
    assert not principal_coordinates(codes(4, 1), 3)[:, 1:].any()
