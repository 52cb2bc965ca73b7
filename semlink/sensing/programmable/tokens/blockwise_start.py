"""The linear estimate of every block for itself: behind an aperture, or under a map that does not repeat in blocks.

No two blocks have the same readings then, so each has a linear system of its
own. They are solved some at a time; the covariance is a sum of a few products of
one in time and one in space, which makes the systems cheap to write down.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from semlink.sensing.programmable.tokens.cosine import SIDE, cosines
from semlink.sensing.programmable.tokens.linear_start import unmoved
from semlink.sensing.programmable.tokens.prior import RIDGE, Prior, exposure_weights

PRODUCTS = 6
"""So many differ from the whole covariance by a quarter of the noise of a reading at most."""
ENTRIES = 4_000_000
"""Of the systems that are held at a time."""
SAMPLED = 16
"""Blocks by which it is judged how much the estimate explains."""


@dataclass(frozen=True, slots=True)
class BlockReadings:
    """What each of m blocks reads, at most n readings.

    Attributes:
        places: where they lie among (slot, row, column) of a block (m, n).
        pixel: of each (m, n).
        weights: of the frames (m, n, t); 0 beyond a block's readings.
        variance: of their noise (m, n).
    """

    places: torch.Tensor
    pixel: torch.Tensor
    weights: torch.Tensor
    variance: torch.Tensor

    def __getitem__(self, some: torch.Tensor) -> BlockReadings:
        return BlockReadings(*(getattr(self, name)[some] for name in self.__slots__))

    def __len__(self) -> int:
        return len(self.places)

    def expose(self, frames: torch.Tensor) -> torch.Tensor:
        """Readings (m, n) without noise of blocks (m, t, 64)."""
        seen = frames.gather(2, self.pixel[:, None].expand(-1, frames.shape[1], -1))
        return (seen * self.weights.mT).sum(1)

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """The adjoint of `expose`: (m, t, 64)."""
        shares = self.weights.mT * values[:, None]
        frames = values.new_zeros(len(self), shares.shape[1], SIDE * SIDE)
        return frames.scatter_add_(2, self.pixel[:, None].expand_as(shares), shares)


class BlockwiseStart:
    """A `Start` for one ratio map (h, w), sides multiples of 8, and an aperture (t, h, w) or None.

    `order` (k,) names the coefficients that get corrected.
    """

    def __init__(self, counts: torch.Tensor, mask: torch.Tensor | None, prior: Prior, order: torch.Tensor) -> None:
        self.prior, self.order = prior, order
        self.time, self.space = _products(prior.covariance[:, :SIDE, :SIDE])
        self.read = _block_readings(counts, mask, prior)
        picked = torch.linspace(0, len(self.read) - 1, min(SAMPLED, len(self.read))).long().unique()
        self.known = self._known(self.read[picked])

    def estimate(self, readings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Start`; motion is left out."""
        h, w = (side // SIDE for side in readings.shape[2:])
        taken = (_blocks(clip).flatten(1).gather(1, self.read.places) for clip in readings)
        found = torch.stack([self._explained(each).view(h, w, -1) for each in taken])
        return found, unmoved(found)

    def keep(self, added: torch.Tensor) -> torch.Tensor:
        """See `Start`."""
        full = added.new_zeros(*added.shape[:3], self.prior.num_frames * SIDE * SIDE)
        full[..., self.order] = added
        ruled_out = []
        for clip in full:
            frames = _pixels_of(clip.flatten(0, 1), self.prior.num_frames)
            ruled_out.append(self._explained(self.read.expose(frames)).view_as(clip))
        return full - torch.stack(ruled_out)

    def _explained(self, values: torch.Tensor) -> torch.Tensor:
        """Coefficients (m, coefs) of the estimate from readings less the mean (m, n)."""
        size = max(1, ENTRIES // max(1, values.shape[1]) ** 2)
        parts = []
        for some in torch.arange(len(values)).split(size):
            read = self.read[some]
            solved = torch.cholesky_solve(values[some][..., None], self._factor(read))[..., 0]
            parts.append(_coefficients_of(self._covered(read.spread(solved))))
        return torch.cat(parts)

    def _factor(self, read: BlockReadings) -> torch.Tensor:
        """The Cholesky factors (m, n, n) of the covariances of readings."""
        seen = torch.diag_embed(read.variance + RIDGE * self.prior.covariance[0, 0, 0])
        pixel = read.pixel[:1] if bool((read.pixel == read.pixel[:1]).all()) else read.pixel
        for time, space in zip(self.time, self.space):
            alike = space[pixel[:, :, None], pixel[:, None]]
            seen.add_((read.weights @ time @ read.weights.mT).mul_(alike))
        return torch.linalg.cholesky(seen)

    def _covered(self, frames: torch.Tensor) -> torch.Tensor:
        """The covariance of a block times blocks (m, t, 64)."""
        return sum((time @ frames @ space for time, space in zip(self.time, self.space)), torch.zeros_like(frames))

    def _known(self, read: BlockReadings) -> torch.Tensor:
        """See `Start`; the mean over blocks."""
        n = read.places.shape[1]
        one = torch.eye(n).expand(len(read), n, n).transpose(0, 1)
        cross = torch.stack([_coefficients_of(self._covered(read.spread(each))) for each in one], 2)
        solved = torch.cholesky_solve(cross.mT, self._factor(read)).mT
        return ((cross * solved).sum(2).mean(0) / self.prior.variances())[self.order].clamp(0, 1)


def _block_readings(counts: torch.Tensor, mask: torch.Tensor | None, prior: Prior) -> BlockReadings:
    num_frames = prior.num_frames
    exposures = exposure_weights(num_frames)
    block_counts = _blocks(counts[None]).long()
    taken = (torch.arange(num_frames // 2)[:, None] < block_counts).flatten(1)
    places = torch.argsort(~taken, dim=1, stable=True)[:, : int(taken.sum(1).max())]
    pixel, slot = places % (SIDE * SIDE), places // (SIDE * SIDE)
    count = block_counts[:, 0].gather(1, pixel)
    is_read = taken.gather(1, places)
    kind = torch.where(is_read, count - 1 + slot, 0)
    open_frames = (exposures > 0).float()[kind] * is_read[..., None]
    if mask is not None:
        through = _blocks(mask).gather(2, pixel[:, None].expand(-1, num_frames, -1))
        open_frames = open_frames * through.mT
    number = open_frames.sum(2)
    light, full = number * prior.mean / num_frames, num_frames / number.clamp_min(1)
    variance = full**2 * (light * prior.noise.shot**2 + prior.noise.read**2)
    variance = torch.where(number > 0, variance, 1.0)
    return BlockReadings(places, pixel, open_frames / number.clamp_min(1)[..., None], variance)


def _products(covariance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Covariances in time (p, t, t) and in space (p, 64, 64) whose products add up to one by distance."""
    left, size, right = torch.linalg.svd(covariance.double().flatten(1), full_matrices=False)
    at, row, column = torch.arange(len(covariance)), torch.arange(SIDE * SIDE) // SIDE, torch.arange(SIDE * SIDE) % SIDE
    far = (at[:, None] - at).abs()
    by_place = right[:PRODUCTS].view(-1, SIDE, SIDE)
    space = by_place[:, (row[:, None] - row).abs(), (column[:, None] - column).abs()]
    return (left * size).T[:PRODUCTS, far].float(), space.float()


def _blocks(planes: torch.Tensor) -> torch.Tensor:
    """Planes (n, h, w) as blocks (m, n, 64)."""
    n, h, w = planes.shape
    return planes.view(n, h // SIDE, SIDE, w // SIDE, SIDE).permute(1, 3, 0, 2, 4).reshape(-1, n, SIDE * SIDE)


def _coefficients_of(frames: torch.Tensor) -> torch.Tensor:
    """Cosine coefficients (m, coefs) of blocks (m, t, 64)."""
    time, space = cosines(frames.shape[1]), cosines(SIDE)
    return (time @ frames @ torch.kron(space, space).T).flatten(1)


def _pixels_of(coefficients: torch.Tensor, num_frames: int) -> torch.Tensor:
    """The inverse of `_coefficients_of`."""
    time, space = cosines(num_frames), cosines(SIDE)
    return time.T @ coefficients.view(len(coefficients), num_frames, -1) @ torch.kron(space, space)
