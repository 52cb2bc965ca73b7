"""A sensor whose pixels expose for different times.

A pixel with count n takes n exposures of L = T/n frames, one after the other:

    e_k = (1/T) sum of frame t over exposure k,        k = 0 .. n-1
    m_k = T (e_k + sqrt(e_k) shot g1 + read g2),       g normal

so noise meets the exposure as a share of the full window, and short exposures
pay for it. Readings are full-scale sums, front-packed into T/2 slots; a pixel
with count 0 reads nothing. A coded aperture B multiplies the frames before.

Source: [zhang2024crl, Sec. II-C; normalisation from the public code].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from semlink.errors import InterfaceError


@dataclass(frozen=True, slots=True)
class ReadNoise:
    """Noise of the exposure function in units of a full window.

    `shot` times sqrt(e) and `read` are standard deviations on e in [0, 1].
    Source: [zhang2024crl, Sec. II-C]; its `read` is half of what [nguyen2022lsvpe] uses.
    """

    shot: float = 4.95e-3
    read: float = 7.25e-3


def counts_on_offer(num_frames: int) -> tuple[int, ...]:
    """How many exposures a pixel may take of `num_frames` frames: 0, 1, 2, 4 .. T/2.

    Raises:
        InterfaceError: `num_frames` is not a power of two of at least 2.
    """
    if num_frames < 2 or num_frames & (num_frames - 1):
        raise InterfaceError(
            f"sensor.frames: a window of {num_frames} frames cannot be halved into equal exposures; "
            "allowed: a power of two (2, 4, 8, 16, ...)"
        )
    return (0, *(2**k for k in range(num_frames.bit_length() - 1)))


def expose(frames: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """A: frames (b, T, h, w) to noise-free readings (b, T/2, h, w), front-packed full-scale sums.

    `counts` is integer (h, w) or (b, h, w); `mask` is 0/1 (T, h, w) or None.
    """
    offer = counts_on_offer(frames.shape[1])
    light = frames if mask is None else frames * mask
    counts = _per_clip(counts)
    readings: torch.Tensor | None = None
    for count in reversed(offer[1:]):  # half as many exposures each time: 8, 4, 2, 1
        light = light[:, 0::2] + light[:, 1::2]
        if readings is None:
            readings = torch.where(counts == count, light, 0)
        else:
            front = torch.where(counts == count, light, readings[:, :count])
            readings = torch.cat((front, readings[:, count:]), 1)
    assert readings is not None  # at least one count is on offer
    return readings


def spread(slots: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """A^T: readings (b, T/2, h, w) back to the frames (b, T, h, w) that made them; the adjoint of `expose`."""
    num_frames = 2 * slots.shape[1]
    counts = _per_clip(counts)
    light = slots.new_zeros(slots.shape[0], 1, *slots.shape[2:])
    for count in counts_on_offer(num_frames)[1:]:
        here = torch.where(counts == count, slots[:, :count], 0)
        light = here if count == 1 else light.repeat_interleave(2, 1) + here
    light = light.repeat_interleave(2, 1)
    return light if mask is None else light * mask


def exposure_gain(counts: torch.Tensor, num_frames: int, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Diagonal of A A^T, (b or 1, T/2, h, w): open frames in each exposure, 0 where nothing is read."""
    if mask is None:
        counts = _per_clip(counts)
        slots = torch.arange(num_frames // 2, device=counts.device).view(-1, 1, 1)
        return torch.where(slots < counts, num_frames / counts.clamp_min(1), 0.0)
    clips = counts.shape[0] if counts.dim() == 3 else 1
    return expose(mask.expand(clips, *mask.shape), counts)  # 0/1, so the square of the mask is the mask


def noise_std(readings: torch.Tensor, num_frames: int, noise: ReadNoise) -> torch.Tensor:
    """Standard deviation of each reading, in full-scale sums; detached from the graph.

    The two independent normals add to one of variance shot^2 e + read^2.
    """
    share = readings.detach().clamp_min(0) / num_frames
    return num_frames * (share * noise.shot**2 + noise.read**2).sqrt()


def read_out(
    frames: torch.Tensor,
    counts: torch.Tensor,
    normal: torch.Tensor,
    *,
    noise: ReadNoise,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Noisy readings (b, T/2, h, w); `normal` holds one standard normal per slot. Nothing is clamped."""
    readings = expose(frames, counts, mask)
    noisy = readings + noise_std(readings, frames.shape[1], noise) * normal
    return torch.where(slot_index(readings) < _per_clip(counts), noisy, 0)


def slot_index(slots: torch.Tensor) -> torch.Tensor:
    """0 .. S-1 along the slot axis, to compare with the counts: (S, 1, 1)."""
    return torch.arange(slots.shape[1], device=slots.device).view(-1, 1, 1)


def _per_clip(counts: torch.Tensor) -> torch.Tensor:
    """(1, 1, h, w) or (b, 1, h, w)."""
    return counts.unsqueeze(-3) if counts.dim() == 3 else counts.view(1, 1, *counts.shape)
