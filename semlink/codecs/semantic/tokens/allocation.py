"""How many symbols each group sends: a table of levels, two networks that speak for them, and the choice at a budget.

What a level leaves out of the linear symbols is known to the transmitter, and
what it leaves out less than the level below nearly what it gains.
`GainPredictor` corrects these gains to what the receiver really gains; the
budget goes where a further symbol gains most (water-filling by a price). `LevelPolicy` gives the chances of the levels
at a price and learns by policy gradient, as published: it says up to which price
a group would take each level, so more symbols at a lower price is a law of it and
not a thing to learn. Both send no gradient to the encoder.

Source: policy [zhang2024crl, Sec. III-B.2]; its thresholds, and the prediction, are this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from semlink.codecs.semantic.networks import SNR_FEATURES, snr_features
from semlink.nn.tokens import Conv, channels_first, channels_last, working_dtype

EXPLORED = 0.05
"""Share of uniform choice while learning [zhang2024crl, Sec. III-B.2]; there 0.4 of four levels. Of eleven up to 256
symbols, that much would give clips at high prices ten times the symbols that the policy means."""
SHARPNESS, MOST_SHARPENED = 4.0, 0.5
"""How fast chances follow the price, before training; natural logarithm of the largest factor by which that changes.
Bounded, so that no choice is ever beyond recall."""
LEAST_GAIN = 1e-8
"""Of a symbol, in mean squared error of its group."""
LEAST_LOG_ERROR = -6.5
"""Of a group at all its symbols, before training."""
MOST_CORRECTED = 1.5
"""Natural logarithm of the largest factor by which a gain is corrected: what is gained at levels that a group never
has is not learned from it, and must not be lost."""
HALVINGS = 24


class GroupHead(nn.Module):
    """Numbers of groups (b, h / side, w / side, outputs).

    From features of tokens (b, channels, h, w), planes of groups (b, h / side, w / side, p) and facts (b, f).
    """

    def __init__(self, channels: int, width: int, side: int, planes: int, facts: int, outputs: int) -> None:
        super().__init__()
        self.enter = Conv(channels, width)
        self.told = nn.Linear(facts, width)
        self.gather = nn.Conv2d(width, width, side, stride=side)
        self.mix = Conv(width + planes, width)
        self.leave = Conv(width, outputs, 1)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
            self.leave.bias.zero_()

    def forward(self, seen: torch.Tensor, planes: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        x, dtype = seen.detach(), working_dtype(seen)
        with torch.autocast(x.device.type, enabled=False):
            x = F.relu(self.enter(x.to(dtype)) + self.told(facts).to(dtype)[:, :, None, None])
            assert self.gather.bias is not None
            x = F.conv2d(x, self.gather.weight.to(dtype), self.gather.bias.to(dtype), stride=self.gather.stride)
            x = F.relu(self.mix(torch.cat((x, channels_first(planes).to(dtype)), 1)))
            return channels_last(self.leave(x)).float()


class GainPredictor(nn.Module):
    """Natural logarithm of a group's mean squared error at every level: (b, h, w, levels), never rising.

    `left_out` (b, h, w, levels) is the mean square of what each level leaves out. The error is what no symbol can
    mend and the sum of the gains that the levels above would bring, each of them corrected.
    """

    def __init__(self, channels: int, width: int, side: int, levels: int) -> None:
        super().__init__()
        self.head = GroupHead(channels, width, side, levels, SNR_FEATURES, levels + 1)
        with torch.no_grad():
            self.head.leave.bias[-1] = LEAST_LOG_ERROR

    def forward(self, seen: torch.Tensor, left_out: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        out, left_out = self.head(seen, as_planes(left_out), snr_features(snr_db)), left_out.detach()
        gains = torch.cat((left_out[..., :-1] - left_out[..., 1:], left_out[..., -1:]), -1).clamp_min(0)
        gains = gains * (MOST_CORRECTED * torch.tanh(out[..., :-1] / MOST_CORRECTED)).exp()
        missing = gains.flip(-1).cumsum(-1).flip(-1)
        return (missing + out[..., -1:].exp()).log()


class LevelPolicy(nn.Module):
    """Log-probabilities of the levels (b, h, w, levels) at the logarithm of the price of a symbol (b,).

        P(level) ~ exp(sharpness * sum over steps up to it of (threshold - log price))

    The price is an error: what a symbol must take off the mean squared error of its group. The threshold of a step is
    the logarithm of what a symbol of it takes off the linear code, plus what was learned.
    """

    def __init__(self, channels: int, width: int, side: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.steps = tuple(float(b - a) for a, b in zip(levels, levels[1:]))
        self.head = GroupHead(channels, width, side, len(levels), SNR_FEATURES + 2, len(levels))

    def forward(
        self, seen: torch.Tensor, left_out: torch.Tensor, snr_db: torch.Tensor, log_price: torch.Tensor
    ) -> torch.Tensor:
        thresholds, sharpness = self._said(seen, left_out, snr_db)
        return (sharpness * keenness(thresholds, log_price)).log_softmax(-1)

    def thresholds(self, seen: torch.Tensor, left_out: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """Log price up to which a group takes each step of the table: (b, h, w, levels - 1)."""
        return self._said(seen, left_out, snr_db)[0]

    def _said(
        self, seen: torch.Tensor, left_out: torch.Tensor, snr_db: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        planes, left_out = as_planes(left_out), left_out.detach()
        whole = planes[..., 0].mean((1, 2))[:, None]  # the clip's power is shared by all its groups
        out = self.head(seen, planes, torch.cat((snr_features(snr_db), whole, whole.square()), -1))
        gains = (left_out[..., :-1] - left_out[..., 1:]).clamp_min(0) / left_out.new_tensor(self.steps)
        sharpness = SHARPNESS * (MOST_SHARPENED * torch.tanh(out[..., -1:] / MOST_SHARPENED)).exp()
        return (gains + LEAST_GAIN).log() + out[..., :-1], sharpness


def keenness(thresholds: torch.Tensor, log_price: torch.Tensor) -> torch.Tensor:
    """Score of every level (b, h, w, levels) from thresholds of the steps between them and log prices (b,)."""
    steps = (thresholds - log_price.view(-1, 1, 1, 1)).cumsum(-1)
    return torch.cat((torch.zeros_like(steps[..., :1]), steps), -1)


def log_reference(log_errors: torch.Tensor) -> torch.Tensor:
    """Logarithm of a clip's mean predicted error at the lowest level (b,): prices are said beside it."""
    return log_errors.detach()[..., 0].exp().mean((1, 2)).log()


def left_out_of(symbols: torch.Tensor, levels: Sequence[int], pixels: int) -> torch.Tensor:
    """Mean square, over the pixels of a group, of the orthonormal symbols (b, h, w, n) beyond each level."""
    power = symbols.detach().square()
    beyond = [power[..., level:].sum(-1) / pixels for level in levels]
    return torch.stack(beyond, -1)


def as_planes(left_out: torch.Tensor) -> torch.Tensor:
    """Logarithms of order 1."""
    return ((left_out.detach() + 1e-6).log() + 8) / 2


def explored(log_chances: torch.Tensor, share: float = EXPLORED) -> torch.Tensor:
    """Log-probabilities of the policy that explores: (1 - share) P + share / levels."""
    chances = (1 - share) * log_chances.exp() + share / log_chances.shape[-1]
    return chances.clamp_min(torch.finfo(chances.dtype).tiny).log()


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
    return at_mean(lambda log_price: cheapest(errors, cost, log_price), cost, mean_kept)


def policy_filled(thresholds: torch.Tensor, levels: torch.Tensor, mean_kept: torch.Tensor) -> torch.Tensor:
    """The likeliest levels of a policy (b, h, w) at the lowest price that keeps to `mean_kept` (b,) symbols."""
    return at_mean(lambda log_price: keenness(thresholds, log_price).argmax(-1), levels, mean_kept)


def at_mean(
    chosen: Callable[[torch.Tensor], torch.Tensor], cost: torch.Tensor, mean_kept: torch.Tensor
) -> torch.Tensor:
    """Levels (b, h, w) that `chosen` makes of the lowest log prices (b,) that keep to a mean `mean_kept` (b,)."""
    low = torch.full_like(mean_kept, -25.0)
    high = torch.full_like(mean_kept, 5.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = cost[chosen(middle)].float().mean((1, 2)) > mean_kept
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    return chosen(high)


def cheapest(errors: torch.Tensor, cost: torch.Tensor, log_price: torch.Tensor) -> torch.Tensor:
    """The level of each group with the least error and price of symbols together."""
    return (errors + log_price.exp().view(-1, 1, 1, 1) * cost).argmin(-1)
