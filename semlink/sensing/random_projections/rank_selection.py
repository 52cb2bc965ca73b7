"""The rank of latent codes, chosen by measurements that the fit did not see.

A tenth of each frame's measurements is kept out; of the fits at the candidate
ranks to the rest, the one that tells them best gives the rank. No pixel of the
scene is consulted, unlike with a rank that is best in hindsight.
"""

from __future__ import annotations

import torch

from semlink.nn.generative.generator import Generator
from semlink.nn.generative.latent_fit import FitSettings, Progress, fit
from semlink.nn.generative.operators import Operator, PixelsLeft
from semlink.seeds import Seeds

__all__ = ["candidates", "chosen_ranks", "kept_out"]

SHARE = 0.1


def candidates(frames: int, latent: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, ... and no limit: the ranks that are tried."""
    most = min(frames, latent)
    ladder = sorted({2**n for n in range(12)} | {3 * 2**n for n in range(11)})
    return (*(rank for rank in ladder if rank < most), most)


def kept_out(operator: Operator, frames: int, planes: int, seed: int = 0) -> torch.Tensor:
    """1 where a reading (t, m) is kept out of the fit, else 0; a pixel is kept out in all its planes.

    At least one reading of each frame stays and, where there are two, one is kept out.
    """
    groups = planes if isinstance(operator, PixelsLeft) else 1
    each = operator.num_readings // groups
    out = torch.zeros(frames, each)
    for t in range(frames):
        order = Seeds(seed).numpy(f"rank/kept_out/{t}").permutation(each)
        out[t, torch.from_numpy(order[: max(round(SHARE * each), min(each - 1, 1))])] = 1
    return out.repeat(1, groups)


def chosen_ranks(
    generator: Generator,
    operator: Operator,
    readings: torch.Tensor,
    settings: FitSettings,
    *,
    ranks: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The rank (s,) of each sequence of readings (s, t, m); all candidates are fitted at once."""
    s, t, _ = readings.shape
    ranks = candidates(t, generator.latent) if ranks is None else ranks
    out = kept_out(operator, t, generator.planes)
    made = fit(
        generator,
        operator,
        readings.repeat_interleave(len(ranks), 0),
        settings,
        ranks=torch.tensor(ranks).repeat(s),
        weights=1 - out,
        progress=progress,
    )
    told = operator.forward(made.pixels()).unflatten(0, (s, -1))
    error = ((told - readings[:, None]) * out).square().sum((2, 3))
    return torch.tensor(ranks)[error.argmin(1)]
