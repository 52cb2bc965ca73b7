"""What is known of video before anything is read: how alike pixels are by their distance in time and space.

Video looks the same wherever and whenever a block is cut, and the training turns
and mirrors it; so its covariance is one number for every distance in frames, rows
and columns. From it and a map of readings everything linear follows in closed
form, for any map, without training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer
from semlink.sensing.programmable.tokens.cosine import SIDE, cosines

RIDGE = 1e-6
"""Of the variance of a pixel: a covariance that was estimated is not quite one."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Mean brightness, covariance (frames, rows, columns) by distance, and the noise of the sensor."""

    mean: float
    covariance: torch.Tensor
    noise: ReadNoise

    @property
    def num_frames(self) -> int:
        return len(self.covariance)

    def by_distance(self) -> torch.Tensor:
        """The covariance by signed distance: (2 frames - 1, 2 rows - 1, 2 columns - 1)."""
        time, far = (torch.arange(1 - side, side).abs() for side in self.covariance.shape[:2])
        return self.covariance[time][:, far][:, :, far]

    def variances(self) -> torch.Tensor:
        """Of the cosine coefficients of a block, in the order of `coefficients`: (frames * 64,)."""
        time, space = cosines(self.num_frames), cosines(SIDE)
        at, frame = torch.arange(SIDE), torch.arange(self.num_frames)
        far = (at[:, None] - at).abs()
        full = self.covariance[(frame[:, None] - frame).abs()]
        by_time = torch.einsum("ft,tgyx,fg->fyx", time, full, time)
        by_row = torch.einsum("uy,uz,fyzx->fux", space, space, by_time[:, far])
        return torch.einsum("vx,vz,fuxz->fuv", space, space, by_row[..., far]).flatten().clamp_min(1e-9)

    def reading_variance(self, count: torch.Tensor) -> torch.Tensor:
        """Of the noise of a reading of a pixel that takes `count`, in brightness, and a little for what C is not."""
        noise = count * self.mean * self.noise.shot**2 + (count * self.noise.read) ** 2
        return noise + RIDGE * self.covariance[0, 0, 0]


@dataclass(frozen=True, slots=True)
class WindowReadings:
    """The readings of a window of pixels, n of them.

    Attributes:
        places: in (slot, row, column) of the window.
        rows, columns: of their pixels; the block begins at `margin`.
        kinds: which exposure each is, of `exposure_weights`.
        variance: of their noise.
    """

    places: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    kinds: torch.Tensor
    variance: torch.Tensor
    margin: int


def window_readings(counts: torch.Tensor, margin: int, prior: Prior) -> WindowReadings:
    """Those of a window of pixels that take `counts` (rows, columns)."""
    most = int(counts.max())
    slot, row, column = (torch.arange(most)[:, None, None] < counts).nonzero(as_tuple=True)
    taken = counts[row, column]
    places = slot * counts.numel() + row * counts.shape[1] + column
    # exposures are listed by count, so 1 + 2 + 4 + ... = count - 1 of them stand before
    return WindowReadings(places, row, column, taken - 1 + slot, prior.reading_variance(taken), margin)


@cache
def exposure_weights(num_frames: int) -> torch.Tensor:
    """Every exposure there is, by its count, as a mean over frames (n, frames)."""
    offer = counts_on_offer(num_frames)[1:]
    return torch.cat(
        [torch.eye(count).repeat_interleave(num_frames // count, 1) * count / num_frames for count in offer]
    )


def covariance_of(table: torch.Tensor, read: WindowReadings) -> torch.Tensor:
    """Covariance (n, n) of what the readings of a window tell, their noise apart, under a table by signed distance."""
    weights = exposure_weights(_frames(table))
    kinds = torch.einsum("pt,tuyx,qu->yxpq", weights, _by_frames(table), weights)
    middle = table.shape[1] // 2
    down, right = (side[:, None] - side + middle for side in (read.rows, read.columns))
    return kinds[down, right, read.kinds[:, None], read.kinds]


def with_coefficients(table: torch.Tensor, read: WindowReadings) -> torch.Tensor:
    """Covariance (coefs, n) of the coefficients of the block in the middle with readings of the window."""
    time, space = cosines(_frames(table)), cosines(SIDE)
    kinds = torch.einsum("ft,tuyx,qu->yxqf", time, _by_frames(table), exposure_weights(_frames(table)))
    middle = table.shape[1] // 2
    at = torch.arange(SIDE) + read.margin
    cross = kinds[at[:, None, None] - read.rows + middle, at[:, None] - read.columns + middle, read.kinds]
    cross = torch.einsum("uy,yxnf->uxnf", space, cross)
    return torch.einsum("vx,uxnf->fuvn", space, cross).flatten(0, 2)


def _by_frames(table: torch.Tensor) -> torch.Tensor:
    """A table by signed distance in time as one by two frames (t, u, rows, columns)."""
    at = torch.arange(_frames(table))
    return table[at[:, None] - at + len(at) - 1]


def _frames(table: torch.Tensor) -> int:
    return (len(table) + 1) // 2
