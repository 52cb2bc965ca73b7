"""What both networks of the delta-sigma codec do with a clip: cut into whole groups, run fast, shown in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch

from semlink.codecs.delta_sigma.networks import STRIDE
from semlink.errors import InterfaceError
from semlink.nn.cpu import bf16_pays
from semlink.payload import FrameShape

F = TypeVar("F", bound=Callable[..., Any])


def fast(function: F) -> F:
    """Without gradients, and in bfloat16 where that pays."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays()):
            return function(*arguments, **named)

    return call  # type: ignore[return-value]


class MapShape:
    """Groups, and rows and columns of blocks, that a clip makes."""

    def __init__(self, frames: FrameShape, group: int) -> None:
        self.groups = -(-frames.t // group)
        self.rows, self.columns = -(-frames.h // STRIDE), -(-frames.w // STRIDE)


def whole_groups(clip: np.ndarray, group: int) -> list[torch.Tensor]:
    """Whole groups of whole blocks, each (1, n, h', w').

    Raises:
        InterfaceError: not gray frames (t, h, w).
    """
    if clip.ndim != 3 or 0 in clip.shape:
        raise InterfaceError(f"delta-sigma codec: got a clip of shape {clip.shape}; allowed: gray frames (t, h, w)")
    pads = [(0, -size % step) for size, step in zip(clip.shape, (group, STRIDE, STRIDE))]
    whole = np.pad(np.ascontiguousarray(clip, np.float32), pads, mode="edge")
    return [torch.from_numpy(whole[start : start + group])[None] for start in range(0, len(whole), group)]


def settled(frames: torch.Tensor) -> torch.Tensor:
    """Finite and in [0, 1]."""
    return torch.nan_to_num(frames.float()).clamp(0, 1)
