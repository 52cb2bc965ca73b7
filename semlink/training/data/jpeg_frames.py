"""Frames of a pack as JPEG, for packs that must be small."""

from __future__ import annotations

import io

import numpy as np

from semlink.errors import TrainingError


def to_jpeg(frame: np.ndarray, quality: int) -> bytes:
    """A frame, uint8 (h, w), as the bytes of a JPEG."""
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(written, "JPEG", quality=quality)
    return written.getvalue()


def pixels_of(data: bytes, sizes: np.ndarray) -> np.ndarray:
    """The pixels, uint8 and flat, of frames that follow one another in `data`, each of so many bytes.

    Raises:
        TrainingError: one of them is no JPEG.
    """
    ends = np.cumsum(sizes)
    return np.concatenate([_from_jpeg(data[end - size : end]).ravel() for end, size in zip(ends, sizes)])


def _from_jpeg(data: bytes) -> np.ndarray:
    from PIL import Image

    try:
        return np.asarray(Image.open(io.BytesIO(data), formats=("JPEG",)))
    except OSError as why:
        raise TrainingError(f"a frame of the pack is no JPEG ({why}); write the pack again") from why
