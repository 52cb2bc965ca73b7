"""Latent codes of a sequence held to a subspace: rank r, or mean and r - 1 directions (r = 2: a line).

    svd:  Z -> sum of the r largest terms s_i u_i v_i'         nearest matrix of rank r
    pca:  Z -> 1 m' + the r - 1 largest terms of Z - 1 m'      nearest points of a flat of dimension r - 1

The r - 1 directions with the mean span at most r dimensions, hence the same
count. Both are found from the Gram matrix of the shorter side, in float64.

Source: [hyder2019gmlr, Sec. 2.3].
"""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["Projection", "factors", "onto_rank"]

Projection = Literal["svd", "pca"]


def onto_rank(codes: torch.Tensor, ranks: torch.Tensor | int, projection: Projection = "svd") -> torch.Tensor:
    """The nearest codes of rank at most `ranks`.

    Shape: codes (..., t, k); `ranks` a whole number, or one for each matrix (...).
    A rank of min(t, k) or more leaves them as they are; with `pca`, of min(t - 1, k) + 1.
    """
    mean = codes.mean(-2, keepdim=True) if projection == "pca" else torch.zeros_like(codes[..., :1, :])
    kept = torch.as_tensor(ranks, device=codes.device) - int(projection == "pca")
    centred = codes - mean
    t, k = codes.shape[-2:]
    if bool((kept >= min(t, k)).all()):
        return codes
    wide = t <= k
    gram = centred.double() @ centred.double().mT if wide else centred.double().mT @ centred.double()
    vectors = torch.linalg.eigh(gram)[1].flip(-1)  # largest first
    inside = torch.arange(min(t, k), device=codes.device) < kept[..., None]
    projector = ((vectors * inside[..., None, :]) @ vectors.mT).to(codes.dtype)
    near = projector @ centred if wide else centred @ projector
    whole = (kept >= min(t, k))[..., None, None]
    return torch.where(whole, codes, near + mean)


def factors(codes: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coefficients (t, r) and an orthonormal basis (r, k) of the nearest codes (t, k) of rank r.

    Coefficients come with their largest direction first; each direction's
    largest entry is positive, so that equal codes have equal factors.
    """
    _, _, basis = torch.linalg.svd(codes.double(), full_matrices=False)
    basis = basis[:rank]
    largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = basis * largest.sign()
    return (codes.double() @ basis.T).to(codes.dtype), basis.to(codes.dtype)
