"""The policy gradient of the levels of groups, with the prediction of errors as its control variate.

Source: [zhang2024crl, Sec. III-B.2]; control variate and paired draws are this project's.
"""

from __future__ import annotations

import torch

from semlink.codecs.semantic.tokens.allocation import explored, log_reference
from semlink.codecs.semantic.tokens.networks import Sent
from semlink.training.tokens.rate_draws import POLICY, RateDraws


def policy_loss(sent: Sent, error: torch.Tensor, draws: RateDraws, times: int = 1) -> torch.Tensor:
    """Minus the surrogate whose gradient is that of the expected reward of the policy at each clip's price.

    A group's reward is minus its error (b, h, w) and the price of its symbols, beside the mean of both that the policy
    means to have in the clip: a share of the error, which is what decibels are, counts alike in all clips and at all
    prices. Beside the error alone, the dearest prices are so loud that the policy learns nothing but to send little.
    The prediction says the reward for every level, so the expectation over levels is taken exactly; where the policy
    itself drew the levels, the difference between what was found and what was predicted follows by the score function,
    which makes the gradient right in the mean however wrong the prediction is. Where a clip is sent several `times` in
    a row, the mean difference of its other draws is the baseline: that a group is harder than was predicted says
    nothing of its level.

    Source: [williams1992reinforce]; the prediction as a control variate, compare [gu2017qprop].
    """
    log_chances, rewards = explored(sent.log_chances), predicted_rewards(sent, draws)
    exact = (log_chances.exp() * (rewards - _meant(sent, rewards))).sum(-1)
    place = torch.searchsorted(draws.levels, sent.kept).clamp_max(len(draws.levels) - 1)[..., None]
    predicted = sent.log_errors.detach().exp().gather(-1, place)[..., 0]
    surprise = (predicted - error) / _unit(sent, draws)
    drawn = (draws.modes == POLICY).float()[:, None, None]
    drawn = drawn * _beside_others(surprise, times) * log_chances.gather(-1, place)[..., 0]
    share = float((draws.modes == POLICY).float().mean())
    return -exact.mean() - (drawn.mean() / share if share else 0.0)


def predicted_rewards(sent: Sent, draws: RateDraws) -> torch.Tensor:
    """The reward of every level (b, h, w, levels) by the prediction, on the scale of `policy_loss`."""
    return -_paid(sent, draws) / _unit(sent, draws)[..., None]


def short_of_best(sent: Sent, draws: RateDraws) -> float:
    """What the policy's mean reward lacks to the best levels by the prediction; 1 is all error and price it has."""
    rewards = predicted_rewards(sent, draws)
    return float((rewards.amax(-1, keepdim=True) - _meant(sent, rewards)).mean())


def _meant(sent: Sent, values: torch.Tensor) -> torch.Tensor:
    """The policy's mean (b, h, w, 1) of what is said of every level."""
    return (sent.log_chances.detach().exp() * values).sum(-1, keepdim=True)


def _paid(sent: Sent, draws: RateDraws) -> torch.Tensor:
    """Predicted error and price of every level (b, h, w, levels), as mean squared error."""
    price = (draws.log_price + log_reference(sent.log_errors)).exp().view(-1, 1, 1, 1)
    return sent.log_errors.detach().exp() + price * draws.levels


def _unit(sent: Sent, draws: RateDraws) -> torch.Tensor:
    """Of it, what the policy means to have in the mean of the clip (b, 1, 1)."""
    return _meant(sent, _paid(sent, draws))[..., 0].mean((1, 2), keepdim=True)


def _beside_others(found: torch.Tensor, times: int) -> torch.Tensor:
    """Each of `times` successive draws less the mean of the others."""
    if times == 1:
        return found
    draws = found.view(-1, times, *found.shape[1:])
    return ((draws - draws.mean(1, keepdim=True)) * (times / (times - 1))).flatten(0, 1)
