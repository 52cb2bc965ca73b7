"""What the key frames tell about the frames between them: a prediction, corrected by measurements.

A non-key frame x with measurements y = Phi x is predicted as P from its two
reconstructed key frames, and P + Phi^+ (y - Phi P) agrees with everything that
was measured. Prediction is by multiple hypotheses (`multi_hypothesis`).

How far P missed the measurements tells how far to trust it: where nothing moves a network's
correction would do harm, so in use it enters with the share s^2 / (s^2 + 0.006^2) for a miss of s.
The share is this project's own, its constant settled on training clips.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from semlink.payload import FrameShape
from semlink.sensing.block_cs.multi_hypothesis import Hypotheses, predict
from semlink.sensing.block_cs.sampler import BLOCK, PIXELS, from_blocks, grid_of, pad, references, to_blocks

MISS = 0.006
"""Miss of a measurement, root mean square in units of the frame's range, at which half of a correction is taken."""


@torch.no_grad()
def guide(
    keys: torch.Tensor,
    readings: torch.Tensor,
    patterns: torch.Tensor,
    num_frames: int,
    gop: int,
    chosen: list[int],
    settings: Hypotheses | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions of the non-key frames numbered `chosen` and the share of a correction to take, both (b, n, h, w).

    Args:
        keys: reconstructed key frames (b, k, h, w).
        readings: (b, n, places, m) of the chosen frames.
        patterns: (m, 1024), orthonormal rows.
        num_frames: frames of the clip.
    """
    shape = FrameShape(len(chosen), *keys.shape[2:])
    around = references(num_frames, gop)
    wide = pad(keys)
    predicted = keys.new_zeros(len(keys), len(chosen), *wide.shape[2:])
    for pair in sorted({around[number] for number in chosen}):
        mine = [place for place, number in enumerate(chosen) if around[number] == pair]
        predicted[:, mine] = predict(wide[:, sorted(set(pair))], readings[:, mine], patterns, settings)
    blocks = to_blocks(predicted)
    missed = readings - blocks @ patterns.T
    return from_blocks(blocks + missed @ patterns, shape), _doubt(missed, shape)


def _doubt(missed: torch.Tensor, shape: FrameShape) -> torch.Tensor:
    """Share of a correction, in [0, 1), from misses (b, n, places, m), bilinear between blocks: (b, n, h, w)."""
    power = missed.square().mean(-1)
    share = power / (power + MISS**2)
    planes = share.view(-1, 1, *grid_of(shape))
    wide = F.interpolate(planes, scale_factor=BLOCK, mode="bilinear", align_corners=False)
    return wide[:, 0, : shape.h, : shape.w].view(*missed.shape[:2], shape.h, shape.w)


def corrected(blocks: torch.Tensor, readings: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
    """Blocks (..., 1024) moved the shortest way to where they agree with readings (..., m) of orthonormal patterns."""
    assert blocks.shape[-1] == PIXELS
    return blocks + (readings - blocks @ patterns.T) @ patterns
