"""How many symbols each group sends: a table of levels, two networks that speak for them, and the choice at a budget.

`GainPredictor` says what error a group would be left with at every level; the
budget goes where a further symbol takes away most of it (water-filling by a
price). `LevelPolicy` gives the chances of the levels at a price and learns by
policy gradient, as published. Both look at the encoder's features and send no
gradient there.

Source: policy [zhang2024crl, Sec. III-B.2]; the prediction is this project's.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.semantic.networks import SNR_FEATURES, snr_features
from semlink.nn.tokens import Conv, channels_last, working_dtype

REACH = 8.0
"""Scores of the policy stay within this, so that no choice is ever beyond recall."""
EXPLORED = 0.4
"""Share of uniform choice while learning [zhang2024crl, Sec. III-B.2]."""
FIRST_LOG_ERROR, FIRST_DROP = -4.5, 0.15
HALVINGS = 24


class GroupHead(nn.Module):
    """Features of tokens (b, channels, h, w) and facts (b, f) to numbers of groups (b, h / side, w / side, outputs)."""

    def __init__(self, channels: int, width: int, side: int, facts: int, outputs: int) -> None:
        super().__init__()
        self.enter = Conv(channels, width)
        self.told = nn.Linear(facts, width)
        self.gather = nn.Conv2d(width, width, side, stride=side)
        self.leave = Conv(width, outputs)

    def forward(self, seen: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        x, dtype = seen.detach(), working_dtype(seen)
        with torch.autocast(x.device.type, enabled=False):
            x = F.relu(self.enter(x.to(dtype)) + self.told(facts).to(dtype)[:, :, None, None])
            assert self.gather.bias is not None
            x = F.conv2d(x, self.gather.weight.to(dtype), self.gather.bias.to(dtype), stride=self.gather.stride)
            return channels_last(self.leave(F.relu(x))).float()


class GainPredictor(nn.Module):
    """Natural logarithm of a group's mean squared error at every level: (b, h, w, levels), falling."""

    def __init__(self, channels: int, width: int, side: int, levels: int) -> None:
        super().__init__()
        self.head = GroupHead(channels, width, side, SNR_FEATURES, levels)
        with torch.no_grad():
            self.head.leave.weight.mul_(0.1)
            self.head.leave.bias.fill_(float(torch.tensor(FIRST_DROP).expm1().log()))
            self.head.leave.bias[0] = FIRST_LOG_ERROR

    def forward(self, seen: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        out = self.head(seen, snr_features(snr_db))
        first, drops = out[..., :1], F.softplus(out[..., 1:])
        return torch.cat((first, first - drops.cumsum(-1)), -1)


class LevelPolicy(nn.Module):
    """Log-probabilities of the levels (b, h, w, levels) at the logarithm of the price of a symbol (b,)."""

    def __init__(self, channels: int, width: int, side: int, levels: int) -> None:
        super().__init__()
        self.head = GroupHead(channels, width, side, SNR_FEATURES + 2, levels)
        with torch.no_grad():
            self.head.leave.weight.mul_(0.1)
            self.head.leave.bias.zero_()

    def forward(self, seen: torch.Tensor, snr_db: torch.Tensor, log_price: torch.Tensor) -> torch.Tensor:
        price = (log_price + 5) / 2
        facts = torch.cat((snr_features(snr_db), price[:, None], price.square()[:, None]), -1)
        return (REACH * torch.tanh(self.head(seen, facts) / REACH)).log_softmax(-1)


def explored(log_chances: torch.Tensor, share: float = EXPLORED) -> torch.Tensor:
    """Log-probabilities of the policy that explores: (1 - share) P + share / levels."""
    return ((1 - share) * log_chances.exp() + share / log_chances.shape[-1]).log()


def error_at(log_errors: torch.Tensor, levels: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Log error at any number of symbols (b, h, w), straight between the logarithms of the levels."""
    knots, at = levels.float().log(), kept.float().log()
    upper = torch.searchsorted(knots, at.contiguous()).clamp(1, len(knots) - 1)
    share = ((at - knots[upper - 1]) / (knots[upper] - knots[upper - 1])).clamp(0, 1)
    pair = [log_errors.gather(-1, index[..., None])[..., 0] for index in (upper - 1, upper)]
    return torch.lerp(pair[0], pair[1], share)


def water_filled(log_errors: torch.Tensor, levels: torch.Tensor, mean_kept: torch.Tensor) -> torch.Tensor:
    """Levels, as places in the table (b, h, w), of least predicted error with at most `mean_kept` (b,) symbols.

    The price of a symbol, one for a clip, is found by halving. Where even the
    lowest level everywhere takes more, it is that.
    """
    errors, cost = log_errors.exp(), levels.to(log_errors.dtype)
    low = torch.full_like(mean_kept, -25.0)
    high = torch.full_like(mean_kept, 5.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = cost[cheapest(errors, cost, middle)].mean((1, 2)) > mean_kept
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    return cheapest(errors, cost, high)


def cheapest(errors: torch.Tensor, cost: torch.Tensor, log_price: torch.Tensor) -> torch.Tensor:
    """The level of each group with the least error and price of symbols together."""
    return (errors + log_price.exp().view(-1, 1, 1, 1) * cost).argmin(-1)
