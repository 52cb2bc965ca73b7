"""Where the code of tokens begins: the best linear code of a block, from training clips.

The pixels of a block are estimated from its readings by least squares, noise
and all (LMMSE); the principal components of that estimate (its KLT), by falling
variance, are the latents. The basis is orthonormal, so equal steps make equal
errors in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from semlink.codecs.tokens.networks import LinearCode

RIDGE = 1e-6


@dataclass(slots=True)
class Moments:
    """First and second moments of readings x and pixels v of blocks, gathered in float64."""

    readings: int
    pixels: int
    count: int = 0
    sums: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, d = self.readings, self.pixels
        shapes = {"x": (n,), "v": (d,), "xx": (n, n), "vx": (d, n)}
        self.sums = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}

    def add(self, x: torch.Tensor, v: torch.Tensor) -> None:
        """Blocks (.., readings) and (.., pixels)."""
        x, v = x.reshape(-1, self.readings).double(), v.reshape(-1, self.pixels).double()
        for name, value in {"x": x.sum(0), "v": v.sum(0), "xx": x.T @ x, "vx": v.T @ x}.items():
            self.sums[name] += value
        self.count += len(x)

    @property
    def mean_x(self) -> torch.Tensor:
        return self.sums["x"] / self.count

    @property
    def mean_v(self) -> torch.Tensor:
        return self.sums["v"] / self.count

    @property
    def covariance(self) -> torch.Tensor:
        return self.sums["xx"] / self.count - torch.outer(self.mean_x, self.mean_x)

    @property
    def estimator(self) -> torch.Tensor:
        """The LMMSE estimate of v - mean from x - mean, as a matrix (pixels, readings)."""
        cross = self.sums["vx"] / self.count - torch.outer(self.mean_v, self.mean_x)
        ridge = RIDGE * torch.eye(self.readings, dtype=torch.float64)
        return torch.linalg.solve(self.covariance + ridge, cross.T).T


def linear_code(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], latents: int) -> LinearCode:
    """The code of `latents` components from pairs of readings and pixels of blocks."""
    moments = None
    for x, v in pairs:
        moments = moments or Moments(x.shape[-1], v.shape[-1])
        moments.add(x, v)
    if moments is None:
        raise ValueError("a linear code needs at least one pair of readings and pixels")
    estimator = moments.estimator
    values, vectors = torch.linalg.eigh(estimator @ moments.covariance @ estimator.T)
    variances, basis = values.flip(0)[:latents].clamp_min(1e-12), vectors.flip(1)[:, :latents]
    basis = basis * basis.gather(0, basis.abs().argmax(0, keepdim=True)).sign()
    analysis = basis.T @ estimator
    parts = (analysis, -analysis @ moments.mean_x, basis, moments.mean_v, variances)
    return LinearCode(*(part.float() for part in parts))
