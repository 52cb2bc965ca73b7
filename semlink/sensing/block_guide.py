"""What the key frames tell about the frames between them: a prediction, corrected by measurements.

A non-key frame x with measurements y = Phi x is predicted as P from its two
reconstructed key frames, and P + Phi^+ (y - Phi P) agrees with everything that
was measured. Prediction is by multiple hypotheses (`multi_hypothesis`).
"""

from __future__ import annotations

import torch

from semlink.payload import FrameShape
from semlink.sensing.block_sampling import PIXELS, from_blocks, pad, references, to_blocks
from semlink.sensing.multi_hypothesis import Hypotheses, predict


@torch.no_grad()
def guide(
    keys: torch.Tensor,
    readings: torch.Tensor,
    patterns: torch.Tensor,
    num_frames: int,
    gop: int,
    chosen: list[int],
    settings: Hypotheses | None = None,
) -> torch.Tensor:
    """Predictions (b, n, h, w) of the non-key frames numbered `chosen`.

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
    return from_blocks(corrected(to_blocks(predicted), readings, patterns), shape)


def corrected(blocks: torch.Tensor, readings: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
    """Blocks (..., 1024) moved the shortest way to where they agree with readings (..., m) of orthonormal patterns."""
    assert blocks.shape[-1] == PIXELS
    return blocks + (readings - blocks @ patterns.T) @ patterns
