"""Reconstruction without training: the denoiser against its own optimality, the whole against the initial one."""

from __future__ import annotations

import pytest
import torch

from semlink.payload import FrameShape
from semlink.sensing.programmable.aperture import binary_aperture
from semlink.sensing.programmable.exposure import ReadNoise, read_out
from semlink.sensing.programmable.gap_tv import GapTv, fill_unread, gap_tv
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_map import fixed_map, tiled_map
from semlink.sensing.total_variation import total_variation, tv_denoise

SHAPE = FrameShape(16, 48, 48)
MIXED = [[8, 0, 1, 0], [1, 2, 0, 1], [0, 1, 1, 1], [2, 0, 1, 1]]


def moving_square() -> torch.Tensor:
    """A bright square that moves one pixel a frame over a soft slope, (1, 16, 48, 48)."""
    clip = torch.linspace(0.2, 0.4, 48).repeat(1, 16, 48, 1)
    for t in range(16):
        clip[0, t, 10:26, 4 + t : 22 + t] = 0.8
    return clip


def psnr_db(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a.clamp(0, 1) - b).square().mean().log10())


def test_tv_denoiser_minimises_its_objective():
    noisy = moving_square()[:, :6, :24, :24] + 0.1 * torch.randn(
        1, 6, 24, 24, generator=torch.Generator().manual_seed(0)
    )
    noisy = noisy.double()

    def objective(v: torch.Tensor) -> float:
        return float((v - noisy).square().sum() / 2 + 0.08 * total_variation(v))

    best = tv_denoise(noisy, 0.08, steps=400)
    gen = torch.Generator().manual_seed(1)
    for size in (1e-1, 1e-2):
        for _ in range(5):
            other = best + size * torch.randn(best.shape, generator=gen, dtype=torch.float64)
            assert objective(best) < objective(other)
    assert objective(best) < objective(tv_denoise(noisy, 0.08, steps=20)) < objective(noisy)


def test_tv_denoiser_keeps_means_and_constants():
    flat = torch.full((1, 4, 8, 8), 0.3)
    torch.testing.assert_close(tv_denoise(flat, 0.5, steps=10), flat)
    noisy = torch.rand(2, 8, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(tv_denoise(noisy, 0.2, steps=10).mean((1, 2, 3)), noisy.mean((1, 2, 3)))
    assert tv_denoise(noisy, 0.0) is noisy


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("tile", [[[2]], [[4]], [[8]], MIXED], ids=["2", "4", "8", "mixed"])
def test_better_than_the_initial_reconstruction_on_motion(tile, masked):
    clip, counts = moving_square(), tiled_map(tile, SHAPE)
    mask = binary_aperture(16, 48, 48) if masked else None
    normal = torch.randn(1, 8, 48, 48, generator=torch.Generator().manual_seed(0))
    slots = read_out(clip, counts, normal, noise=ReadNoise(), mask=mask)
    initial = initial_reconstruction(slots, counts, mask)
    restored = gap_tv(slots, counts, mask, noise=ReadNoise(), settings=GapTv())
    assert psnr_db(restored, clip) > psnr_db(fill_unread(initial, counts, mask), clip) + 1.0


def test_without_noise_a_full_reading_of_a_static_scene_is_met():
    clip = moving_square()[:, 3:4].expand(1, 16, 48, 48)
    counts = fixed_map(8, SHAPE)
    quiet = ReadNoise(0.0, 0.0)
    slots = read_out(clip, counts, torch.zeros(1, 8, 48, 48), noise=quiet)
    restored = gap_tv(slots, counts, noise=quiet, settings=GapTv(iterations=1), denoise=lambda frames, strength: frames)
    torch.testing.assert_close(restored, clip.contiguous())


def test_a_plugged_in_denoiser_is_used_at_falling_strength():
    seen = []

    def denoise(frames, strength):
        seen.append(strength)
        return frames

    counts = fixed_map(2, SHAPE)
    gap_tv(torch.rand(1, 8, 48, 48), counts, noise=ReadNoise(), settings=GapTv(iterations=5), denoise=denoise)
    assert seen == pytest.approx([0.05 * 0.4 ** (k / 4) for k in range(5)])


def test_unread_pixels_take_the_mean_of_their_neighbours():
    counts = torch.ones(9, 9, dtype=torch.int64)
    counts[4, 4] = 0
    frames = torch.arange(81.0).view(1, 1, 9, 9).repeat(1, 16, 1, 1)
    frames[..., 4, 4] = 0
    filled = fill_unread(frames, counts)
    around = torch.arange(81.0).view(9, 9)[2:7, 2:7]
    assert filled[0, 5, 4, 4] == pytest.approx(float((around.sum() - 40) / 24))
    lonely = torch.zeros(64, 64, dtype=torch.int64)
    lonely[3, 3] = 1
    assert bool((fill_unread(torch.full((1, 16, 64, 64), 0.7) * lonely, lonely) - 0.7).abs().max() < 1e-5)
