"""How a block moves, and what that adds to the linear estimate: a mixture over velocities, without training.

Video that glides at velocity v has the covariance of a picture along its path,
in part; the rest is that of all video. For every v of a grid the readings have a
likelihood and an estimate of their own. The estimates are mixed by how likely
they are; the likelihoods are tempered, since no block glides just so.

All of it happens among a few combinations of the readings, the strongest over their noise.

Source: textbook (Gaussian mixtures); for readings of coded exposures compare [yang2014gmm].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from semlink.sensing.programmable.tokens.prior import Prior, WindowReadings, covariance_of, with_coefficients

PACES = (-3.0, -1.5, -0.7, 0.0, 0.7, 1.5, 3.0)
"""Pixels a frame, along rows and along columns."""
VELOCITIES = tuple((down, right) for down in PACES for right in PACES)
COMPONENTS = len(VELOCITIES) + 1
"""All velocities, and the covariance of all video, which has none."""
COMBINED = 128
GLIDING = 0.6
"""Share of the variance that glides."""
TEMPER = 0.3
FAR, NEAR, FAR_SHARE = 60.0, 6.0, 0.75
"""Pixels over which likeness within a picture falls: of so much of it slowly, of the rest fast."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What a map's readings tell of motion.

    Attributes:
        basis: combinations of readings (r, n).
        white: for each component, what makes them white (components, r, r).
        offset: logarithm of the determinant of their covariance (components,).
        change: what a velocity changes of the estimate (velocities * r, coefs).
    """

    basis: torch.Tensor
    white: torch.Tensor
    offset: torch.Tensor
    change: torch.Tensor

    def to(self, device: torch.device) -> Motion:
        return Motion(*(getattr(self, name).to(device) for name in self.__slots__))

    def seen(self, readings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From readings less the mean (m, n): change of the coefficients (m, coefs), chances (m, components)."""
        z = readings @ self.basis.T
        white = (z @ self.white.flatten(0, 1).T).view(len(z), *self.white.shape[:2])
        chances = (-0.5 * TEMPER * (white.square().sum(2) + self.offset)).softmax(1)
        mixed = (chances[:, :-1, None] * z[:, None]).flatten(1)
        return (mixed.to(self.change.dtype) @ self.change).float(), chances


def motion_of(prior: Prior, read: WindowReadings, dtype: torch.dtype) -> Motion:
    """What the readings of a window tell of motion; `dtype` is what changes are stored and computed in."""
    tables = [*(_gliding(prior, velocity) for velocity in VELOCITIES), prior.by_distance()]
    mean = covariance_of(sum(tables[1:], tables[0]) / len(tables), read)
    loud = read.variance.sqrt()
    _, vectors = torch.linalg.eigh((mean / loud[:, None] / loud).double())
    basis = (vectors[:, -COMBINED:].T / loud).float()
    white, offset, estimators = [], [], []
    for table in tables:
        seen = (basis @ covariance_of(table, read) @ basis.T).double()
        factor = torch.linalg.cholesky(seen + torch.eye(len(seen)))
        white.append(torch.linalg.solve_triangular(factor, torch.eye(len(seen)).double(), upper=False).float())
        offset.append(2 * factor.diagonal().log().sum().float())
        cross = with_coefficients(table, read) @ basis.T
        estimators.append(torch.cholesky_solve(cross.T.double(), factor).float())
    change = torch.cat([each - estimators[-1] for each in estimators[:-1]]).to(dtype)
    return Motion(basis, torch.stack(white), torch.stack(offset), change)


def _gliding(prior: Prior, velocity: tuple[float, float]) -> torch.Tensor:
    """Covariance by signed distance (frames, rows, columns) of video that glides."""
    frames, window = prior.covariance.shape[:2]
    time, far = torch.arange(1 - frames, frames), torch.arange(1 - window, window)
    down = far[:, None] - velocity[0] * time[:, None, None]
    right = far - velocity[1] * time[:, None, None]
    distance = (down.square() + right.square()).sqrt()
    alike = FAR_SHARE * torch.exp(-distance / FAR) + (1 - FAR_SHARE) * torch.exp(-distance / NEAR)
    return GLIDING * prior.covariance[0, 0, 0] * alike + (1 - GLIDING) * prior.by_distance()
