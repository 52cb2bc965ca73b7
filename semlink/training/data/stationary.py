"""Mean and covariance of video, taken to be the same everywhere and at all times."""

from __future__ import annotations

from collections.abc import Iterable

import torch

MIXED = (0.0, 0.05, 0.2, 0.5)
"""How much of a sure covariance is tried, until the mixture is one."""
LEAST = 1e-4
"""Of a pixel's variance: the least that any combination of pixels may have."""


def stationary_moments(batches: Iterable[torch.Tensor], reach: int) -> tuple[float, torch.Tensor]:
    """Mean and covariance (t, reach, reach) by distance of the pixels of clips (b, t, h, w), mirrored or not."""
    total, pixels = 0.0, 0
    sums, pairs = torch.zeros(2, 1, dtype=torch.float64)
    for clips in batches:
        b, t, h, w = clips.shape
        x = clips.double() - 0.5
        total, pixels = total + float(x.sum()), pixels + x.numel()
        power = torch.fft.rfftn(x, (2 * t, h + reach, w + reach), (1, 2, 3)).abs().square().sum(0)
        like = torch.fft.irfftn(power, (2 * t, h + reach, w + reach))[:t, :reach]
        mirrored = torch.cat((like[..., :1], like.flip(2)[..., : reach - 1]), 2)
        found = (like[..., :reach] + mirrored) / 2
        each = b * torch.einsum(
            "t,y,x->tyx", *(side - torch.arange(far).double() for side, far in ((t, t), (h, reach), (w, reach)))
        )
        sums, pairs = sums + found, pairs + each
    if not pixels:
        raise ValueError("a covariance needs at least one batch of clips")
    mean = total / pixels
    return mean + 0.5, positive(sums / pairs - mean**2, sums / pairs[0, 0, 0]).float()


def positive(covariance: torch.Tensor, surely: torch.Tensor) -> torch.Tensor:
    """A covariance by distance that gives no combination of pixels a negative variance.

    What few clips tell does, since far pairs are fewer than near ones. Then it is mixed, as far as it must, with one
    that `surely` does not: products summed over all pairs and divided by the pixels, which falls with distance.
    """
    mixed = ((1 - share) * covariance + share * surely for share in MIXED)
    return next(filter(_is_positive, mixed), surely)


def _is_positive(covariance: torch.Tensor) -> bool:
    """Whether it is, and by a margin, over a window of all its distances."""
    time, row, column = (torch.arange(side) for side in covariance.shape)
    far = [(at[:, None] - at).abs() for at in (time, row, column)]
    whole = covariance[
        far[0][:, None, None, :, None, None],
        far[1][None, :, None, None, :, None],
        far[2][None, None, :, None, None, :],
    ]
    square = whole.reshape(len(time) * len(row) * len(column), -1)
    least = LEAST * covariance[0, 0, 0].clamp_min(1e-12) * torch.eye(len(square), dtype=square.dtype)
    return int(torch.linalg.cholesky_ex(square - least).info) == 0
