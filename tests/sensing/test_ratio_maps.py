"""Ratio maps, the generator, and its policy gradient against exact enumeration."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semlink.errors import InterfaceError, ScenarioError, SourceError
from semlink.payload import FrameShape
from semlink.sensing.programmable.ratio_generator import (
    BORDER_CELLS,
    RatioGenerator,
    Reward,
    exact_gradient,
    exploration_share,
    explored,
    log_probs,
    policy_loss,
    sample,
    tile_mean,
)
from semlink.sensing.programmable.ratio_map import action_index, check_map, fixed_map, load_map, random_map, tiled_map

FRAMES = FrameShape(16, 24, 32)


def test_fixed_and_tiled_maps():
    assert fixed_map(4, FRAMES).unique().tolist() == [4]
    tile = [[0, 8, 1], [1, 2, 0]]
    counts = tiled_map(tile, FRAMES)
    assert counts.shape == (24, 32)
    assert np.array_equal(counts.numpy(), np.tile(tile, (12, 11))[:, :32])


def test_random_map_has_the_mean_asked_for():
    frames = FrameShape(16, 256, 256)
    counts = random_map(2.5, frames, rng=torch.Generator().manual_seed(1))
    assert set(counts.unique().tolist()) == {2, 4}
    assert counts.float().mean().item() == pytest.approx(2.5, abs=4 * 0.87 / 256)


@pytest.mark.parametrize("suffix", [".npy", ".txt"])
def test_maps_from_files(tmp_path, suffix):
    table = np.random.default_rng(0).choice([0, 1, 2, 4, 8], (24, 32))
    path = tmp_path / f"map{suffix}"
    np.save(path, table) if suffix == ".npy" else np.savetxt(path, table, fmt="%d")
    assert np.array_equal(load_map(path, FRAMES).numpy(), table)


def test_maps_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(InterfaceError, match=r"map of \(8, 8\).*\(24, 32\)"):
        check_map(torch.ones(8, 8, dtype=torch.int64), FRAMES)
    with pytest.raises(InterfaceError, match=r"counts \[3, 16\] are not on offer; allowed: \[0, 1, 2, 4, 8\]"):
        tiled_map([[1, 3], [16, 0]], FRAMES)
    with pytest.raises(SourceError, match=r"none\.npy: not a ratio map"):
        load_map(tmp_path / "none.npy", FRAMES)
    np.savetxt(tmp_path / "half.txt", np.full((24, 32), 0.5))
    with pytest.raises(InterfaceError, match="whole counts"):
        load_map(tmp_path / "half.txt", FRAMES)


@pytest.mark.source("zhang2024crl", "public code: actions -1 .. 3")
def test_action_index():
    assert action_index(torch.tensor([0, 1, 2, 4, 8])).tolist() == [-1, 0, 1, 2, 3]


@pytest.mark.source("zhang2024crl", "public code: 66,053 parameters, the map is a tile")
def test_generator_size_and_period():
    torch.manual_seed(0)
    net = RatioGenerator()
    assert sum(p.numel() for p in net.parameters()) == 66_053
    scores, tile = net(160, 128), net.tile()
    edge = 4 * BORDER_CELLS
    inside = scores[:, edge:-edge, edge:-edge]
    torch.testing.assert_close(inside, tile.repeat(1, 24, 16), atol=1e-5, rtol=0)
    assert (scores[:, : edge - 4, : edge - 4] - tile.repeat(1, 7, 7)).abs().max() > 1e-3
    start = scores.softmax(0)
    assert start.min() > 0.05 and start.max() < 0.45
    assert RatioGenerator(stride=8)(160, 128).shape == (5, 160, 128)
    with pytest.raises(InterfaceError, match="multiples of the stride 4"):
        net(30, 32)


def test_samples_follow_the_distribution():
    probs = torch.tensor([0.1, 0.2, 0.3, 0.25, 0.15]).view(5, 1, 1).expand(5, 64, 64)
    actions = sample(probs, 16, rng=torch.Generator().manual_seed(0))
    share = torch.bincount(actions.flatten(), minlength=5) / actions.numel()
    assert torch.allclose(share, probs[:, 0, 0], atol=5 * 0.5 / actions.numel() ** 0.5)
    torch.testing.assert_close(log_probs(probs, actions).exp(), probs[:, 0, 0][actions])


@pytest.mark.source("zhang2024crl", "public code: exploration 0.2/(1 + step/1000)")
def test_exploration():
    assert [exploration_share(step) for step in (0, 1000, 9000)] == pytest.approx([0.2, 0.1, 0.02])
    probs = torch.tensor([1.0, 0, 0, 0, 0]).view(5, 1, 1)
    assert explored(probs, 0.5).flatten().tolist() == pytest.approx([0.55, 0.05, 0.1, 0.125, 0.175])


@pytest.mark.source("zhang2024crl", "eq. (6)")
@pytest.mark.parametrize("quality", ["frame", "pixel"])
def test_reward_is_log_quality_less_cost(quality):
    error = torch.rand(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    counts = torch.tensor([0, 1, 2, 8]).repeat(2, 4, 1)
    reward = Reward(0.05, quality)(error, counts)
    by_frame, by_pixel = np.log(1 / (error.numpy() + 1e-4)).mean(1), np.log(1 / (error.numpy().mean(1) + 1e-4))
    expected = (by_frame if quality == "frame" else by_pixel) - 0.05 * counts.numpy()
    np.testing.assert_allclose(reward.numpy(), expected, rtol=1e-5)
    windowed = Reward(0.0, quality, window=5)(torch.full_like(error, 0.3), counts)
    torch.testing.assert_close(windowed, torch.full((2, 4, 4), -25 * float(np.log(0.3001))))


def test_clip_quality_is_the_slope_of_psnr():
    error = torch.rand(2, 16, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (error.mean((1, 2, 3)).log().neg()).sum().backward()
    slope = Reward(0.0, "clip")(error, torch.zeros(2, 4, 4))
    expected = (error.grad * error.detach()).sum(1) * 16
    torch.testing.assert_close(slope, expected)
    with pytest.raises(ScenarioError, match="'ssim', allowed: 'frame', 'pixel' or 'clip'"):
        Reward(0.0, "ssim")(error, torch.zeros(2, 4, 4))


@pytest.mark.source("zhang2024crl", "eq. (7)")
@pytest.mark.parametrize("baseline", [False, True])
def test_policy_gradient_is_the_exact_gradient_on_average(baseline):
    """One state, known rewards: the gradient over many draws is P (Q - E Q), which enumeration gives."""
    torch.manual_seed(0)
    scores = torch.randn(5, 4, 4, dtype=torch.float64).requires_grad_()
    table = torch.randn(5, 4, 4, dtype=torch.float64) + 3.0  # rewards all positive, as the published ones
    clips, copies = 4, 100
    probs = scores.softmax(0).repeat(1, copies, copies)
    actions = sample(probs, clips, rng=torch.Generator().manual_seed(1))
    reward = table.repeat(1, copies, copies).expand(clips, -1, -1, -1).gather(1, actions.unsqueeze(1)).squeeze(1)
    policy_loss(probs, actions, reward, baseline=baseline).backward()
    exact = -exact_gradient(scores.detach().softmax(0), table) / 16
    standard_error = 6.0 / (clips * copies**2) ** 0.5 / 16  # |reward| < 6, |d log P| < 1
    assert (scores.grad - exact).abs().max() < 4 * standard_error
    check = scores.detach().requires_grad_()
    (check.softmax(0) * table).sum(0).mean().backward()
    torch.testing.assert_close(-exact, check.grad)


def test_baseline_lowers_the_variance_of_the_gradient():
    torch.manual_seed(0)
    scores = torch.randn(5, 4, 4)
    table = torch.randn(5, 4, 4) + 5.0

    def gradient(seed: int, baseline: bool) -> torch.Tensor:
        leaf = scores.clone().requires_grad_()
        probs = leaf.softmax(0).repeat(1, 4, 4)
        actions = sample(probs, 4, rng=torch.Generator().manual_seed(seed))
        reward = table.repeat(1, 4, 4).expand(4, 5, 16, 16).gather(1, actions.unsqueeze(1)).squeeze(1)
        policy_loss(probs, actions, reward, baseline=baseline).backward()
        return leaf.grad

    plain, reduced = (torch.stack([gradient(s, on) for s in range(40)]).var(0).sum() for on in (False, True))
    assert reduced < 0.2 * plain


def test_tile_mean_averages_the_same_place_of_every_tile():
    values = torch.arange(2 * 8 * 12.0).view(2, 8, 12)
    mean = tile_mean(values, 4)
    assert mean[1, 5, 6] == values[1, 1::4, 2::4].mean()
