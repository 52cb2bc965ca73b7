"""Probabilities of quantised latents: a factorised prior, and Gaussians with given mean and scale.

A latent is quantised with step 1, so its bits are -log2 of the mass that the
model puts on the unit interval around it. In training uniform noise stands for
the rounding; at test the values are whole numbers (around the mean, for the
Gaussian), and `range_coding` spends just about those bits.

Source: [balle2018hyperprior, Sec. 3 and App. 6.1]; means from [minnen2018joint, Sec. 2].
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

SCALE_FLOOR = 0.11  # narrower would be no cheaper: the mass of a unit interval is one
LEAST_MASS = 2.0**-22  # of an interval: as in the tables of `range_coding`, no value costs much more than 22 bits


def round_through(values: torch.Tensor) -> torch.Tensor:
    """Rounded values whose gradient is that of `values`."""
    return values + (values.round() - values).detach()


def uniform_noise(like: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """U(-1/2, 1/2) of the shape and on the device of `like`, drawn on the CPU."""
    return torch.rand(like.shape, generator=rng).to(like.device) - 0.5


def gaussian_mass(values: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Mass of N(mean, scale^2) on the unit interval around each value; scales below `SCALE_FLOOR` count as that."""
    distance = (values - mean).abs()
    inverse = keep_above(scale, SCALE_FLOOR).reciprocal()
    return _normal_cdf((0.5 - distance) * inverse) - _normal_cdf((-0.5 - distance) * inverse)


def bits_of(mass: torch.Tensor) -> torch.Tensor:
    """Bits a clip: -log2 of masses (b, ...), summed over all but the first axis."""
    return -keep_above(mass, LEAST_MASS).log2().flatten(1).sum(1)


def keep_above(x: torch.Tensor, bound: float) -> torch.Tensor:
    """max(x, bound), whose gradient still lets values below the bound rise."""
    return _KeepAbove.apply(x, bound)


class FactorisedPrior(nn.Module):
    """One density for each channel, the derivative of a small monotone network.

    Shape: values (b, channels, h, w). The cumulative is a chain of layers with
    positive weights and steps x + tanh(a) tanh(x).
    Source: [balle2018hyperprior, App. 6.1]; depth and widths as there.
    """

    widths = (3, 3, 3)

    def __init__(self, channels: int, start_scale: float = 10.0) -> None:
        super().__init__()
        sizes = (1, *self.widths, 1)
        share = start_scale ** (1 / (len(sizes) - 1))
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for before, after in zip(sizes, sizes[1:]):
            start = math.log(math.expm1(1 / share / after))
            self.matrices.append(nn.Parameter(torch.full((channels, after, before), start)))
            self.biases.append(nn.Parameter(torch.rand(channels, after, 1) - 0.5))
        for after in sizes[1:-1]:
            self.factors.append(nn.Parameter(torch.zeros(channels, after, 1)))

    def mass(self, values: torch.Tensor) -> torch.Tensor:
        """Mass of the unit interval around each value, in the shape of `values`."""
        b, c, h, w = values.shape
        columns = values.transpose(0, 1).reshape(c, 1, -1)
        mass = self.mass_by_channel(columns)
        return mass.view(c, b, h, w).transpose(0, 1)

    def mass_by_channel(self, columns: torch.Tensor) -> torch.Tensor:
        """The same for (channels, 1, n)."""
        lower, upper = self._logit(columns - 0.5), self._logit(columns + 0.5)
        side = -(lower + upper).sign().detach()  # difference of the small tails, not of values near one
        return (torch.sigmoid(side * upper) - torch.sigmoid(side * lower)).abs()

    def _logit(self, x: torch.Tensor) -> torch.Tensor:
        for number, (matrix, bias) in enumerate(zip(self.matrices, self.biases)):
            x = F.softplus(matrix.to(x.dtype)) @ x + bias.to(x.dtype)
            if number < len(self.factors):
                x = x + torch.tanh(self.factors[number].to(x.dtype)) * torch.tanh(x)
        return x


class _KeepAbove(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bound):
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def _normal_cdf(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * torch.erfc(-x * 0.5**0.5)
