"""O8: with a frozen decoder the policy gradient agrees with the exact one, found by forcing one place of the tile."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer, read_out
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction
from semlink.sensing.programmable.ratio_generator import Reward, exact_gradient, policy_loss, sample

SIDE, CLIPS = 64, 4
OFFER = torch.tensor(counts_on_offer(16))


def scene() -> torch.Tensor:
    """Waves that travel up to two pixels a frame, (4, 16, 64, 64)."""
    t = torch.arange(16.0).view(1, 16, 1, 1)
    y, x = torch.arange(SIDE).view(1, 1, -1, 1), torch.arange(SIDE).view(1, 1, 1, -1)
    speed = torch.linspace(0, 2, CLIPS).view(-1, 1, 1, 1)
    return 0.5 + 0.2 * torch.sin(0.35 * (x - speed * t)) + 0.2 * torch.sin(0.2 * (y + 0.5 * speed * t))


def decode(readings: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """A frozen decoder that mixes neighbours within two pixels: the mean of what was read around."""
    seen = (counts > 0).unsqueeze(1).float()
    initial = initial_reconstruction(readings, counts)
    weight = torch.tensor([1.0, 2.0, 4.0, 2.0, 1.0])
    kernel = (weight[:, None] * weight).view(1, 1, 5, 5)
    total = F.conv2d(initial.flatten(0, 1).unsqueeze(1), kernel, padding=2).view_as(initial)
    return total / F.conv2d(seen, kernel, padding=2).clamp_min(1.0)


def rewards(actions: torch.Tensor, quality: str, rng: torch.Generator) -> torch.Tensor:
    frames, counts = scene(), OFFER[actions]
    normal = torch.randn(CLIPS, 8, SIDE, SIDE, generator=rng)
    restored = decode(read_out(frames, counts, normal, noise=ReadNoise()), counts)
    return Reward(0.05, quality)((restored - frames).square(), counts)


@pytest.mark.source("zhang2024crl", "eq. (7)")
@pytest.mark.parametrize("quality", ["frame", pytest.param("pixel", marks=pytest.mark.slow)])
def test_policy_gradient_equals_enumeration(quality):
    """Forced pixels lie eight apart, out of each other's reach, so the others are drawn as the policy draws them."""
    torch.manual_seed(0)
    scores = torch.randn(5, 4, 4) * 0.7
    probs = scores.softmax(0)
    rng = torch.Generator().manual_seed(1)
    everywhere = probs.repeat(1, SIDE // 4, SIDE // 4)

    inner = slice(8, SIDE - 8)
    q = torch.zeros(5, 4, 4)
    for row in range(4):
        for column in range(4):
            for action in range(5):
                actions = sample(everywhere, CLIPS, rng=rng)
                actions[:, row::8, column::8] = action
                reward = rewards(actions, quality, rng)[:, row::8, column::8]
                q[action, row, column] = reward[:, 1:-1, 1:-1].mean()
    exact = exact_gradient(probs, q)

    gradients = []
    for _ in range(24):
        actions = sample(everywhere, CLIPS, rng=rng)
        reward = rewards(actions, quality, rng)
        leaf = scores.clone().requires_grad_()
        own = leaf.softmax(0).repeat(1, SIDE // 4, SIDE // 4)[:, inner, inner]
        policy_loss(own, actions[:, inner, inner], reward[:, inner, inner], baseline=True).backward()
        gradients.append(-16 * leaf.grad)
    found = torch.stack(gradients)
    error = found.std(0) / len(gradients) ** 0.5
    sampling = 0.7 * probs / (CLIPS * 36) ** 0.5  # of the enumeration: rewards spread by about 0.7
    miss = (found.mean(0) - exact).abs() / (error.square() + sampling.square()).sqrt()
    assert miss.square().mean() < 1.5
    similarity = F.cosine_similarity(found.mean(0).flatten(), exact.flatten(), dim=0)
    print(f"mean squared miss in standard errors {miss.square().mean():.2f}, cosine {similarity:.3f}")
    assert similarity > 0.93
