"""Frames between frames: a path through the latent codes of a sequence, and what it looks like.

Codes of one rank r stay in their subspace when they are interpolated; under
`pca` with rank 2 the path is a stretch of a line, each frame a number on it.

Source: [hyder2019gmlr, Sec. 4 and Fig. 6 to 9].
"""

from __future__ import annotations

import torch

from semlink.errors import InterfaceError

__all__ = ["between", "filled_in", "principal_coordinates"]


def filled_in(codes: torch.Tensor, read: tuple[int, ...], frames: int) -> torch.Tensor:
    """Codes (..., frames, k) for all frames from those of the frames `read`, ascending, (..., t, k).

    Straight lines between neighbours; beyond the first and the last, the nearest.

    Raises:
        InterfaceError: not one code for each frame that was read.
    """
    if codes.shape[-2] != len(read):
        raise InterfaceError(
            f"gmlr: {codes.shape[-2]} codes for {len(read)} frames that were read; allowed: one for each"
        )
    return _at(codes, torch.tensor(read, dtype=codes.dtype), torch.arange(frames, dtype=codes.dtype))


def between(codes: torch.Tensor, count: int) -> torch.Tensor:
    """`count` codes (..., count, k) evenly in time along the path through `codes` (..., t, k), ends included."""
    t = codes.shape[-2]
    return _at(codes, torch.arange(t, dtype=codes.dtype), torch.linspace(0, t - 1, count, dtype=codes.dtype))


def principal_coordinates(codes: torch.Tensor, count: int = 2) -> torch.Tensor:
    """Codes (t, k) about their mean along their first principal directions: (t, count).

    Each direction points to where its largest coordinate is positive; directions
    beyond the rank of the codes give zeros.
    """
    centred = codes.double() - codes.double().mean(0)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    places = left * values
    places = places * places.gather(0, places.abs().argmax(0, keepdim=True)).sign()
    short = max(count - places.shape[1], 0)
    return torch.nn.functional.pad(places, (0, short))[:, :count].to(codes.dtype)


def _at(codes: torch.Tensor, known: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Codes at times `wanted` from those at ascending times `known`."""
    after = torch.searchsorted(known, wanted).clamp(1, max(len(known) - 1, 1))
    if len(known) == 1:
        return codes.expand(*codes.shape[:-2], len(wanted), -1).clone()
    before = after - 1
    share = ((wanted - known[before]) / (known[after] - known[before])).clamp(0, 1)[:, None]
    return (1 - share) * codes[..., before, :] + share * codes[..., after, :]
