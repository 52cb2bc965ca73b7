"""The first clip at one point in its first trial, and what is shown with it.

It is made for eyes. Every number of a run was scored on frames as they were
received; what is kept here is a copy of these frames in H.264, beside numbers
and an error map taken from the frames themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["ERROR_STEP_DB", "Coded", "Film", "checked"]

ERROR_STEP_DB = 0.25
"""An error map counts down from 0 dB (white where black should be) in these steps: 255 is -63.75 dB or less."""
MOST_FRAMES, MOST_SIDE = 1 << 16, 1 << 14
CODEC = re.compile(r"avc1\.[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Coded:
    """Frames as an H.264 stream in an MP4 file that any player opens.

    Attributes:
        mp4: the file.
        codec: what browsers call the stream, such as `avc1.64000c`.
        description: the stream's parameter sets (avcC), for decoders that are given no file.
        samples: of each frame in order, where it lies in the file and how many bytes it has.
        keys: numbers of the frames from which decoding can begin.
        shape: frames, rows and columns, all planes one above the other; the stream is larger where codecs need it.
        copy_db: PSNR of what a decoder makes of it, against the frames that were coded; None where nobody measured.
    """

    mp4: bytes = field(repr=False)
    codec: str
    description: bytes = field(repr=False)
    samples: tuple[tuple[int, int], ...] = field(repr=False)
    keys: tuple[int, ...] = field(repr=False)
    shape: tuple[int, int, int]
    copy_db: float | None


@dataclass(frozen=True, slots=True)
class Film:
    """What one point shows in motion.

    Attributes:
        clip: name of the clip.
        coded: what was received of it, the source where `of_source` is.
        planes: 3 where a frame is three colour planes, one above the other.
        left_out: frames at the end that are not kept.
        source: name of the source's film.
        psnr_db: of the whole clip in this trial, all frames.
        psnr, ssim: of each kept frame.
        blocks, lost: blocks sent, and lost for good, in this trial; 0 for schemes without blocks.
        errors: uint8 (frames, rows, columns), the mean squared error of blocks of `block` pixels a side as received;
            see `ERROR_STEP_DB`.
        counts: the tile that the sensor's map of readings a pixel repeats, where it mixes counts.
        uses: channel uses of each block of pixels (rows, columns), where they differ.
        scored_db: PSNR that the run scored, where the clip was sent again later and arrives with another.
    """

    clip: str
    coded: Coded
    planes: int = 1
    left_out: int = 0
    source: str = ""
    psnr_db: float = math.nan
    psnr: tuple[float, ...] = ()
    ssim: tuple[float, ...] = ()
    blocks: int = 0
    lost: int = 0
    errors: np.ndarray | None = field(default=None, repr=False)
    block: int = 0
    counts: np.ndarray | None = field(default=None, repr=False)
    uses: np.ndarray | None = field(default=None, repr=False)
    scored_db: float | None = None

    @property
    def of_source(self) -> bool:
        return not self.source


def checked(film: Film) -> Film:
    """`film` itself, if a page can show it.

    Raises:
        ValueError, TypeError: its parts do not fit together.
    """
    coded, (frames, rows, columns) = film.coded, film.coded.shape
    sizes = all(isinstance(n, int) for n in coded.shape) and 0 < frames <= MOST_FRAMES
    fits = sizes and 0 < rows <= MOST_SIDE and 0 < columns <= MOST_SIDE and film.planes in (1, 3)
    fits = fits and rows % film.planes == 0 and len(coded.samples) == frames
    fits = fits and all(_within(at, size, len(coded.mp4)) for at, size in coded.samples)
    fits = fits and bool(coded.keys) and coded.keys[0] == 0 and all(0 <= key < frames for key in coded.keys)
    fits = fits and CODEC.fullmatch(coded.codec) is not None
    fits = fits and (coded.copy_db is None or _is_number(coded.copy_db))
    fits = fits and all(len(told) in (0, frames) and all(map(_is_number, told)) for told in (film.psnr, film.ssim))
    fits = fits and all(isinstance(n, int) and 0 <= n < 2**53 for n in (film.blocks, film.lost, film.left_out))
    fits = fits and isinstance(film.clip, str) and isinstance(film.source, str)
    fits = fits and (film.of_source or len(film.psnr) == frames and _is_number(film.psnr_db))
    fits = fits and (film.scored_db is None or _is_number(film.scored_db)) and _maps_fit(film)
    if not fits:
        raise ValueError("parts that do not fit together")
    return film


def _maps_fit(film: Film) -> bool:
    frames, rows, columns = film.coded.shape
    if film.errors is not None:
        block = film.block
        if not isinstance(block, int) or block < 1 or film.errors.dtype != np.uint8:
            return False
        if film.errors.shape != (frames, -(-rows // film.planes // block), -(-columns // block)):
            return False
    kinds: Sequence[tuple[np.ndarray | None, str]] = ((film.counts, "iu"), (film.uses, "iuf"))
    return all(
        found is None or found.ndim == 2 and found.size > 0 and found.dtype.kind in kind and _is_finite(found)
        for found, kind in kinds
    )


def _is_finite(found: np.ndarray) -> bool:
    return bool(np.isfinite(found).all()) and bool((np.abs(found) < 1e9).all())


def _within(at: object, size: object, room: int) -> bool:
    return isinstance(at, int) and isinstance(size, int) and at >= 0 and size > 0 and at + size <= room


def _is_number(found: object) -> bool:
    return isinstance(found, float | int) and not isinstance(found, bool) and math.isfinite(found)
