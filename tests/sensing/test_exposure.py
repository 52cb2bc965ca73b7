"""The exposure operator against its own definition, its adjoint, and the published noise floor."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

from semlink.errors import InterfaceError
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer, expose, exposure_gain, read_out, spread
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction


def some_map(num_frames: int, *shape: int, seed: int = 0) -> torch.Tensor:
    offer = torch.tensor(counts_on_offer(num_frames))
    return offer[torch.randint(len(offer), shape, generator=torch.Generator().manual_seed(seed))]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix(count: int, num_frames: int) -> torch.Tensor:
    """A_r as the paper writes it: row i has ones over its exposure; rows beyond the count are zero."""
    rows = torch.zeros(num_frames // 2, num_frames, dtype=torch.float64)
    for row in range(count):
        rows[row, row * num_frames // count : (row + 1) * num_frames // count] = 1
    return rows


@pytest.mark.source("zhang2024crl", "Sec. II-C, matrix A_r")
@pytest.mark.parametrize("num_frames", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("masked", [False, True])
def test_expose_is_the_matrix_of_the_paper(num_frames, masked):
    frames, counts = normal(2, num_frames, 5, 6), some_map(num_frames, 5, 6)
    mask = (normal(num_frames, 5, 6, seed=1) > 0).double() if masked else None
    readings, gain = expose(frames, counts, mask), exposure_gain(counts, num_frames, mask)
    for i in range(5):
        for j in range(6):
            a = matrix(int(counts[i, j]), num_frames)
            a = a if mask is None else a * mask[:, i, j]
            torch.testing.assert_close(readings[:, :, i, j], frames[:, :, i, j] @ a.T)
            torch.testing.assert_close(gain[0, :, i, j].double(), (a @ a.T).diagonal())


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([2, 8, 16]), st.integers(0, 1000), st.booleans(), st.booleans())
def test_spread_is_the_adjoint(num_frames, seed, masked, own_maps):
    shape = (3, 4, 5) if own_maps else (4, 5)
    counts = some_map(num_frames, *shape, seed=seed)
    mask = (normal(num_frames, 4, 5, seed=seed + 1) > 0).double() if masked else None
    x, y = normal(3, num_frames, 4, 5, seed=seed + 2), normal(3, num_frames // 2, 4, 5, seed=seed + 3)
    left, right = (expose(x, counts, mask) * y).sum(), (x * spread(y, counts, mask)).sum()
    assert abs(left - right) < 1e-12 * x.norm() * y.norm()


@pytest.mark.source("zhang2024crl", "eqs. (3), (5)")
@pytest.mark.parametrize("masked", [False, True])
def test_initial_reconstruction_is_the_pseudo_inverse(masked):
    frames, counts = normal(1, 16, 4, 4), some_map(16, 4, 4)
    mask = (normal(16, 4, 4, seed=1) > 0).double() if masked else None
    initial = initial_reconstruction(expose(frames, counts, mask), counts, mask)
    for i in range(4):
        for j in range(4):
            a = matrix(int(counts[i, j]), 16)
            a = a if mask is None else a * mask[:, i, j]
            expected = torch.linalg.pinv(a) @ a @ frames[0, :, i, j]
            torch.testing.assert_close(initial[0, :, i, j], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.source("zhang2024crl", "Sec. II-C noise at mean .45, after eq. (3)")
@pytest.mark.parametrize(("count", "floor"), [(1, 0.0080), (2, 0.0152), (4, 0.0298), (8, 0.0588)])
def test_noise_floor_on_a_static_scene(count, floor):
    scene, counts = torch.full((1, 16, 256, 256), 0.45), torch.full((256, 256), count)
    readings = read_out(scene, counts, normal(1, 8, 256, 256).float(), noise=ReadNoise())
    std = (initial_reconstruction(readings, counts) - scene).std().item()
    exact = 16 / (16 / count) * (0.45 / count * 4.95e-3**2 + 7.25e-3**2) ** 0.5
    assert std == pytest.approx(exact, rel=4 / (2 * 65536 * count) ** 0.5 + 1e-4)
    assert std == pytest.approx(floor, rel=0.02)


def test_dark_pixels_give_negative_readings_and_empty_slots_stay_empty():
    counts = some_map(16, 64, 64)
    readings = read_out(torch.zeros(1, 16, 64, 64), counts, normal(1, 8, 64, 64).float(), noise=ReadNoise())
    taken = torch.arange(8).view(8, 1, 1) < counts
    assert (readings[0][taken] < 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert not readings[0][~taken].any()


def test_gradient_skips_the_noise_and_equals_the_adjoint():
    frames, counts = normal(1, 16, 4, 4).abs().requires_grad_(), some_map(16, 4, 4)
    weight = normal(1, 8, 4, 4, seed=3) * (torch.arange(8).view(8, 1, 1) < counts)
    (read_out(frames, counts, normal(1, 8, 4, 4, seed=4), noise=ReadNoise()) * weight).sum().backward()
    torch.testing.assert_close(frames.grad, spread(weight, counts))


def test_expose_leaves_its_input_alone():
    frames = torch.rand(1, 16, 8, 8)
    before = frames.clone()
    expose(frames, some_map(16, 8, 8), binary_aperture(16, 8, 8))
    assert torch.equal(frames, before)


@pytest.mark.parametrize("num_frames", [0, 1, 3, 12, 15])
def test_windows_that_cannot_be_halved_are_refused(num_frames):
    with pytest.raises(InterfaceError, match=f"{num_frames} frames.*power of two"):
        counts_on_offer(num_frames)


def test_aperture_is_fixed_and_half_open():
    mask = binary_aperture(16, 256, 300)
    assert torch.equal(mask, binary_aperture(16, 300, 512)[:, :256, :300])
    assert mask.mean().item() == pytest.approx(0.5, abs=4 * 0.5 / mask.numel() ** 0.5)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
