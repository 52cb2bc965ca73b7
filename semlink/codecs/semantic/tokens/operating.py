"""The operating point as numbers that both ends know: signal-to-noise ratio, mean rate, and a group's own rate."""

from __future__ import annotations

import torch

from semlink.codecs.semantic.networks import SNR_FEATURES, snr_features

FACTS = SNR_FEATURES + 4
USUAL_KEPT = 64.0
"""Symbols of a group at which the facts of the rate are zero."""


def facts_of(snr_db: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Smooth functions, of order 1, of the SNR (b,) in dB and of the symbols kept (b, h, w): (b, h, w, 7)."""
    kept = kept.float()
    mean = kept.mean((1, 2), keepdim=True)
    snr = snr_features(snr_db)[:, None, None].expand(*kept.shape, SNR_FEATURES)
    rate = (mean / USUAL_KEPT).log2().expand_as(kept) / 2
    own = (kept / mean).log2() / 2
    return torch.cat((snr, torch.stack((rate, rate.square(), own, own.square()), -1)), -1)
