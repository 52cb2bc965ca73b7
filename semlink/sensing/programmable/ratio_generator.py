"""The network that proposes a ratio map, and its policy gradient.

One map serves all clips: a matrix of ones runs through shift-invariant layers,
so inside the map is a tile of `stride` x `stride` categorical distributions.
Each pixel is an agent that draws its count; its reward is the quality there
less lambda times the count.

Source: [zhang2024crl, Sec. II-B, II-E, eqs. (6) and (7); layers from the public code].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from semlink.errors import InterfaceError, ScenarioError

BORDER_CELLS = 8  # seven 3x3 convolutions and the overlap of the last layer
EXPLORATION_MIX = (0.1, 0.1, 0.2, 0.25, 0.35)  # over counts 0, 1, 2, 4, 8 [zhang2024crl, public code]


class RatioGenerator(nn.Module):
    """Scores (channels, h, w) of the counts at each pixel; 66,053 parameters at stride 4 with five channels."""

    def __init__(self, channels: int = 5, stride: int = 4, width: int = 32) -> None:
        super().__init__()
        self.stride = stride
        self.enter = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.Sequential(*(_Residual(width) for _ in range(3)))
        self.leave = nn.ConvTranspose2d(width, channels, 2 * stride, stride=stride, padding=stride // 2)

    def forward(self, height: int, width: int) -> torch.Tensor:
        if height % self.stride or width % self.stride:
            raise InterfaceError(
                f"ratio generator: got a map of ({height}, {width}), allowed: multiples of the stride {self.stride}"
            )
        ones = self.enter.weight.new_ones(1, 1, height // self.stride, width // self.stride)
        return self.leave(self.body(self.enter(ones)))[0]

    def tile(self) -> torch.Tensor:
        """The period of the map far from its borders: scores (channels, stride, stride)."""
        size = (2 * BORDER_CELLS + 1) * self.stride
        start = BORDER_CELLS * self.stride
        return self(size, size)[:, start : start + self.stride, start : start + self.stride]


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.relu(self.first(x)))


@dataclass(frozen=True, slots=True)
class Reward:
    """How a pixel's quality and cost become its reward.

    `quality` is "frame", ln 1/(error + epsilon) averaged over frames (public
    code); "pixel", the same of the error averaged over frames (text); or
    "clip", -error over the clip's mean error: the change of ln 1/MSE, so that
    what is raised is the PSNR of clips. `window`, odd, adds up the quality of
    that many pixels around: 1 as published; more credits a pixel with what its
    reading does for its neighbours.
    Source: [zhang2024crl, eq. (6)]; "clip" and `window` are this project's options.
    """

    cost: float
    quality: str = "frame"
    window: int = 1
    epsilon: float = 1e-4

    def __call__(self, error: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Reward (b, h, w) of squared errors (b, T, h, w) under counts (b, h, w)."""
        quality = self._quality(error.detach())
        if self.window > 1:
            pad = [self.window // 2] * 4
            padded = F.pad(quality.unsqueeze(1), pad, mode="replicate")
            quality = self.window**2 * F.avg_pool2d(padded, self.window, 1).squeeze(1)
        return quality - self.cost * counts

    def _quality(self, error: torch.Tensor) -> torch.Tensor:
        if self.quality == "frame":
            return -(error + self.epsilon).log().mean(1)
        if self.quality == "pixel":
            return -(error.mean(1) + self.epsilon).log()
        if self.quality == "clip":
            return -error.mean(1) / error.mean((1, 2, 3)).clamp_min(1e-6).view(-1, 1, 1)
        raise ScenarioError(f"reward.quality: got {self.quality!r}, allowed: 'frame', 'pixel' or 'clip'")


def explored(probs: torch.Tensor, share: float) -> torch.Tensor:
    """The distribution that is sampled from: (1 - share) of the policy, `share` of a fixed mix.

    `probs` has the counts on axis -3. Source: [zhang2024crl, public code].
    """
    if probs.shape[-3] == len(EXPLORATION_MIX):
        floor = probs.new_tensor(EXPLORATION_MIX)
    else:
        floor = probs.new_full((probs.shape[-3],), 1 / probs.shape[-3])
    return (1 - share) * probs + share * floor.view(-1, 1, 1)


def exploration_share(step: int) -> float:
    """0.2 / (1 + step / 1000). Source: [zhang2024crl, public code]."""
    return 0.2 / (1 + 1e-3 * step)


def sample(probs: torch.Tensor, clips: int, *, rng: torch.Generator) -> torch.Tensor:
    """Actions (clips, h, w), each pixel and clip on its own, from `probs` (channels, h, w)."""
    edges = probs.detach().cumsum(0)[:-1]  # (channels - 1, h, w)
    draw = torch.rand(clips, 1, *probs.shape[1:], generator=rng).to(probs.device)
    return (draw >= edges).sum(1)


def log_probs(probs: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Natural log of the probability of each action: (b, h, w) from (channels, h, w) and (b, h, w)."""
    table = probs.clamp_min(1e-12).log().expand(actions.shape[0], *probs.shape)
    return table.gather(1, actions.unsqueeze(1)).squeeze(1)


def policy_loss(
    probs: torch.Tensor, actions: torch.Tensor, reward: torch.Tensor, *, baseline: bool = False, stride: int = 4
) -> torch.Tensor:
    """-mean(reward log P): its gradient is the negative policy gradient.

    `baseline` subtracts the clip's mean reward at each position in the tile,
    which leaves the expected gradient as it is (to one part in the number of
    tiles) and lowers its variance.
    Source: [zhang2024crl, eq. (7)]; the baseline is this project's option.
    """
    if baseline:
        reward = reward - tile_mean(reward, stride)
    return -(reward.detach() * log_probs(probs, actions)).mean()


def tile_mean(values: torch.Tensor, stride: int) -> torch.Tensor:
    """Mean over all pixels of a clip at the same place in the tile, spread back to (b, h, w)."""
    b, h, w = values.shape
    cells = values.reshape(b, h // stride, stride, w // stride, stride)
    return cells.mean((1, 3), keepdim=True).expand_as(cells).reshape(b, h, w)


def exact_gradient(probs: torch.Tensor, action_reward: torch.Tensor) -> torch.Tensor:
    """Gradient of sum_a P(a) Q(a) to the scores of a softmax: P (Q - sum P Q), all (channels, ...)."""
    mean = (probs * action_reward).sum(0, keepdim=True)
    return probs * (action_reward - mean)
