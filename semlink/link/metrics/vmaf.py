"""VMAF, by the package vmaf-torch, which carries its model."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from semlink.errors import InterfaceError, ScenarioError

if TYPE_CHECKING:
    import torch

__all__ = ["small_for_vmaf", "vmaf"]

BLACK, WHITE = 16.0, 235.0
"""Levels of [0, 1] in the video that the model was made for."""
LEAST_SIDE = 32
USUAL_SIDE = 128


def vmaf(reference: np.ndarray, received: np.ndarray) -> float:
    """VMAF, 0 to 100, of a clip (t, h, w) in [0, 1], the mean over its frames; model v0.6.1.

    The model was made from people's opinions of 1080p video in full view, and of small frames it is an extrapolation.
    Frames are given to it at 16 (black) to 235 (white), as in video.

    Source: [vmaf2016, model v0.6.1] by [aistov2023, package vmaf-torch]; within 0.02 of libvmaf for frames of 128 x 128
    pixels, within 0.15 for 64 x 64.

    Raises:
        InterfaceError: frames of less than 32 pixels on a side.
    """
    import torch

    if min(reference.shape[1:]) < LEAST_SIDE:
        raise InterfaceError(_too_small(*reference.shape[1:]))
    with torch.no_grad():
        found = _model()(_as_video(reference), _as_video(received))
    return float(found.double().clamp(0, 100).mean())


def small_for_vmaf(height: int, width: int) -> str:
    """What to tell of frames much smaller than those the model was made for; '' for others.

    Raises:
        ScenarioError: frames of less than 32 pixels on a side.
    """
    if min(height, width) < LEAST_SIDE:
        raise ScenarioError(_too_small(height, width))
    if min(height, width) >= USUAL_SIDE:
        return ""
    return f"vmaf: frames of {height}x{width} are far below the 1080p that its model was made for; levels say little"


def _too_small(height: int, width: int) -> str:
    return f"vmaf: got frames of {height}x{width}; need {LEAST_SIDE} pixels or more on a side"


@cache
def _model() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from vmaf_torch import VMAF

    return VMAF().eval()


def _as_video(clip: np.ndarray) -> torch.Tensor:
    import torch

    pixels = torch.from_numpy(np.clip(clip, 0.0, 1.0).astype(np.float32))
    return (BLACK + (WHITE - BLACK) * pixels)[:, None]
