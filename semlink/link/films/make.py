"""A film made from a clip and what was received of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from semlink.link.films.film import Film
from semlink.link.films.h264 import coded
from semlink.link.films.maps import error_map
from semlink.link.metrics.psnr_ssim import psnr_by_frame, psnr_db

__all__ = ["MOST_PIXELS", "film_of", "source_film"]

MOST_PIXELS = 1 << 24
"""Of a clip that are kept; later frames are left out."""


def film_of(
    clip: str,
    reference: np.ndarray,
    received: np.ndarray,
    planes: int,
    *,
    source: str,
    scored_db: float | None = None,
    by_frame: Mapping[str, Sequence[float]] = MappingProxyType({}),
    measured: bool,
) -> Film | None:
    """The film of what was received; None where there is no encoder.

    Args:
        reference, received: (t, h, w) in [0, 1].
        source: name of the source's film.
        scored_db, by_frame: PSNR of the clip, and qualities of each frame by the name of the metric, where known.
        measured: see how near the copy comes, which takes half as long again.
    """
    kept = _kept(reference)
    copy = coded(_in_8_bits(received[:kept]), measured=measured)
    if copy is None:
        return None
    psnr = by_frame.get("psnr") or psnr_by_frame(reference[:kept], received[:kept])
    errors, block = error_map(reference[:kept], received[:kept], planes)
    return Film(
        clip,
        copy,
        planes,
        len(reference) - kept,
        source,
        round(psnr_db(reference, received) if scored_db is None else scored_db, 4),
        tuple(round(float(p), 3) for p in psnr[:kept]),
        tuple(round(float(s), 5) for s in by_frame.get("ssim", ())[:kept]),
        errors=errors,
        block=block,
    )


def source_film(clip: str, reference: np.ndarray, planes: int) -> Film | None:
    """A clip before anything happened to it; None where there is no encoder."""
    kept = _kept(reference)
    copy = coded(_in_8_bits(reference[:kept]), measured=True)
    return None if copy is None else Film(clip, copy, planes, len(reference) - kept)


def _kept(reference: np.ndarray) -> int:
    """Frames of a clip that a film has."""
    return min(len(reference), max(1, MOST_PIXELS // reference[0].size))


def _in_8_bits(frames: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(frames, 0, 1)).astype(np.uint8)
