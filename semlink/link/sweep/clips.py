"""The scenario's clips, loaded once and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semlink.caching import digest_of
from semlink.errors import SourceError
from semlink.link.scenario.scenario import Scenario
from semlink.payload import Frames
from semlink.plugins import build_block


@dataclass(frozen=True, slots=True)
class Clips:
    """The scenario's clips, loaded once in a process."""

    names: tuple[str, ...]
    motion: tuple[str, ...]
    frames: tuple[Frames, ...]
    digest: str


def load_clips(scenario: Scenario, folder: Path | None) -> Clips:
    """Read every clip of the source.

    Raises:
        SourceError: the source cannot be read or holds no clip.
    """
    import torch

    from semlink.sensing.sources.motion import motion_class

    source = build_block(scenario.source, "source", folder)
    if len(source) == 0:
        raise SourceError(f"source {scenario.source.kind}: holds no clip")
    names, motion, frames = [], [], []
    for index in range(len(source)):
        clip = check_clip(source.clip(index), scenario.source.kind)
        names.append(source.name(index))
        motion.append(motion_class(clip))
        frames.append(Frames(torch.from_numpy(clip[None])))
    digest = digest_of(*names, *(f.pixels.numpy() for f in frames))
    return Clips(tuple(names), tuple(motion), tuple(frames), digest)


def check_clip(clip: Any, kind: str) -> np.ndarray:
    """A source's clip as contiguous float32 (t, h, w).

    Raises:
        SourceError: it is something else, or leaves [0, 1].
    """
    clip = np.ascontiguousarray(clip, np.float32)
    if clip.ndim != 3 or 0 in clip.shape:
        raise SourceError(f"source {kind}: gave a clip of shape {clip.shape}; need (t, h, w)")
    if not np.isfinite(clip).all() or clip.min() < 0 or clip.max() > 1:
        raise SourceError(f"source {kind}: gave pixels outside [0, 1]")
    return clip
