"""The policy gradient of the levels of groups, with the prediction of errors as its control variate.

Source: [zhang2024crl, Sec. III-B.2]; control variate and paired draws are this project's.
"""

from __future__ import annotations

import torch

from semlink.codecs.semantic.tokens.allocation import explored, log_reference
from semlink.codecs.semantic.tokens.networks import Choices, Sent
from semlink.training.tokens.rate_draws import POLICY, RateDraws

LEAST_FOUND, MOST_FOUND = 0.25, 4.0
"""Of what another draw found beside its prediction."""


def policy_loss(sent: Sent, error: torch.Tensor, draws: RateDraws, times: int = 1) -> torch.Tensor:
    """Minus the surrogate whose gradient is that of the expected reward of the policy at each clip's price.

    A group's reward is minus its error (b, h, w) and the price of its symbols, on the scale of `rewards`. The
    prediction says it for every level, so the expectation over levels is taken exactly; where the policy itself drew
    the levels, the difference between what was found and what was predicted follows by the score function, which makes
    the gradient right in the mean however wrong the prediction is. Where a clip is sent several `times` in a row, the
    prediction is first scaled by what the other draws found: that a group is harder than was thought is no surprise
    then.

    Source: [williams1992reinforce]; the prediction as a control variate, compare [gu2017qprop].
    """
    predicted = sent.log_errors.detach().exp()
    place = torch.searchsorted(draws.levels, sent.kept).clamp_max(len(draws.levels) - 1)[..., None]
    told = predicted * _of_others(error / predicted.gather(-1, place)[..., 0], times)[..., None]
    surprise = (told.gather(-1, place)[..., 0] - error) / _unit(sent, draws)
    drawn = (draws.modes == POLICY).float()[:, None, None]
    drawn = drawn * surprise * explored(sent.log_chances, draws.exploration).gather(-1, place)[..., 0]
    share = float((draws.modes == POLICY).float().mean())
    return foreseen_loss(sent, draws, told) - (drawn.mean() / share if share else 0.0)


def foreseen_loss(sent: Choices, draws: RateDraws, errors: torch.Tensor | None = None) -> torch.Tensor:
    """The exact part: minus the policy's expected reward where every level has `errors`, else the predicted ones."""
    found = rewards(sent, draws, errors)
    return -(explored(sent.log_chances, draws.exploration).exp() * (found - _meant(sent, found))).sum(-1).mean()


def rewards(sent: Choices, draws: RateDraws, errors: torch.Tensor | None = None) -> torch.Tensor:
    """Minus error and price of every level (b, h, w, levels), beside the mean that the policy means to have of both.

    A share of the error, which is what decibels are, counts alike then in all clips and at all prices. Beside the error
    alone, the dearest prices are so loud that the policy learns nothing but to send little.
    """
    return -_paid(sent, draws, errors) / _unit(sent, draws)[..., None]


def short_of_best(sent: Choices, draws: RateDraws) -> float:
    """What the policy's mean reward lacks to the best levels by the prediction; 1 is all error and price it has."""
    found = rewards(sent, draws)
    return float((found.amax(-1, keepdim=True) - _meant(sent, found)).mean())


def _meant(sent: Choices, values: torch.Tensor) -> torch.Tensor:
    """The policy's mean (b, h, w, 1) of what is said of every level."""
    return (sent.log_chances.detach().exp() * values).sum(-1, keepdim=True)


def _paid(sent: Choices, draws: RateDraws, errors: torch.Tensor | None = None) -> torch.Tensor:
    price = (draws.log_price + log_reference(sent.log_errors)).exp().view(-1, 1, 1, 1)
    return (sent.log_errors.detach().exp() if errors is None else errors) + price * draws.levels


def _unit(sent: Choices, draws: RateDraws) -> torch.Tensor:
    """Predicted error and price that the policy means to have in the mean of the clip (b, 1, 1)."""
    return _meant(sent, _paid(sent, draws))[..., 0].mean((1, 2), keepdim=True)


def _of_others(found: torch.Tensor, times: int) -> torch.Tensor:
    """The mean of the others of `times` successive draws; 1 where there are none."""
    if times == 1:
        return torch.ones_like(found)
    draws = found.clamp(LEAST_FOUND, MOST_FOUND).view(-1, times, *found.shape[1:])
    return ((draws.sum(1, keepdim=True) - draws) / (times - 1)).flatten(0, 1)
