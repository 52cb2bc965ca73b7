"""Ratios by a differentiable mask: the variant of the paper's supplement.

The scene is captured four times, at 1, 2, 4 and 8 exposures everywhere. A ratio
M in [0, 1] per pixel picks one of the four initial reconstructions or none:

    5M in [0, 1): none   [1, 2): 1   [2, 3): 2   [3, 4): 4   [4, 5]: 8

Both inequalities of the paper are strict, so that its mask vanishes wherever 5M
is a whole number; with M = 1 that means no measurement at all. Here intervals
are closed below, and M = 1 belongs to the last one.

Source: [zhang2024crl-supp, eqs. (1)-(4); eqs. (2), (3) print Z where t is meant].
"""

from __future__ import annotations

import torch

from semlink.sensing.programmable.exposure import ReadNoise, counts_on_offer, read_out
from semlink.sensing.programmable.initial_reconstruction import initial_reconstruction

LEVELS = 5


class _HardChoice(torch.autograd.Function):
    """One-hot over the captures; backward hands M the sum over captures of the mask's gradient."""

    @staticmethod
    def forward(ctx, ratio: torch.Tensor, captures: int) -> torch.Tensor:
        level = (captures + 1) * ratio.unsqueeze(-3)
        place = torch.arange(1, captures + 1, device=ratio.device).view(-1, 1, 1)
        above = level < place + 1
        above[..., -1, :, :] = True  # M = 1 takes the dearest capture
        return ((level >= place) & above).to(ratio.dtype)

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        return grad.sum(-3), None


def choice_mask(ratio: torch.Tensor, captures: int = 4) -> torch.Tensor:
    """Z (..., captures, h, w), 0/1, from M (..., h, w); its derivative is taken as 1.

    Source: [zhang2024crl-supp, eqs. (2), (3)].
    """
    return _HardChoice.apply(ratio, captures)


def chosen_counts(ratio: torch.Tensor, num_frames: int = 16) -> torch.Tensor:
    """The true number of measurements at each pixel, (h, w)."""
    offer = torch.tensor(counts_on_offer(num_frames), device=ratio.device)
    level = (LEVELS * ratio).floor().clamp(0, LEVELS - 1).long()
    return offer[level]


def four_captures(frames: torch.Tensor, normal: torch.Tensor, noise: ReadNoise) -> tuple[torch.Tensor, torch.Tensor]:
    """Initial reconstructions of all captures, (b, 4 T, h, w), and their readings, (b, 4, T/2, h, w).

    `normal` (b, 4, T/2, h, w): each capture has its own noise.
    """
    counts = torch.tensor(counts_on_offer(frames.shape[1])[1:])
    parts, taken = [], []
    for number, count in enumerate(counts):
        everywhere = count.expand(frames.shape[-2:]).to(frames.device)
        readings = read_out(frames, everywhere, normal[:, number], noise=noise)
        taken.append(readings)
        parts.append(initial_reconstruction(readings, everywhere))
    return torch.cat(parts, 1), torch.stack(taken, 1)


def chosen_readings(readings: torch.Tensor, ratio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a sensor with this map would have read: slots (b, T/2, h, w), and the counts of M."""
    mask = choice_mask(ratio, readings.shape[1]).unsqueeze(-3)  # (..., 4, 1, h, w)
    return (readings * mask).sum(1), chosen_counts(ratio, 2 * readings.shape[2])


def choose(captures: torch.Tensor, ratio: torch.Tensor, num_frames: int = 16) -> torch.Tensor:
    """U = Z V0: what of the captures (b, 4 T, h, w) a pixel keeps under M (h, w) or (b, h, w)."""
    number = captures.shape[1] // num_frames
    mask = choice_mask(ratio, number).repeat_interleave(num_frames, -3)
    return captures * mask
