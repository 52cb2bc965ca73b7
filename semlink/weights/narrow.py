"""Weights in a byte each: a whole number for every entry, and a scale for every output.

Convolutions and products of large networks lose nothing that can be measured
when each output's weights are multiples of 1/127 of the largest of them; the
file takes half of half precision. Small tensors stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

SCALE = ".scale_of_bytes"
LEAST_ENTRIES = 4096  # of a tensor that is narrowed
MOST = 127


def narrow(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Large tensors as int8, each with a scale for every output (its first axis)."""
    narrowed: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        if value.dim() < 2 or value.numel() < LEAST_ENTRIES:
            narrowed[name] = value
            continue
        scale = (value.detach().float().abs().flatten(1).amax(1) / MOST).clamp_min(1e-12)
        narrowed[name] = (value.detach().float() / _along(scale, value)).round().to(torch.int8).contiguous()
        narrowed[name + SCALE] = scale
    return narrowed


def widen(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse of `narrow`, float32; other tensors as they are."""
    return {
        name: value.float() * _along(tensors[name + SCALE], value) if name + SCALE in tensors else value
        for name, value in tensors.items()
        if not name.endswith(SCALE)
    }


def _along(scale: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return scale.float().view(-1, *[1] * (value.dim() - 1))
