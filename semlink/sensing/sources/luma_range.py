"""Limited and full range: what share of its numbers luma makes use of, and how one becomes the other.

In b bits, limited range puts black at 16 and white at 235 times 2^(b - 8),
full range at 0 and 2^b - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semlink.colour.conversion import Matrix

CodedRange = Literal["full", "limited", "unspecified"]
CodedMatrix = Matrix | Literal["other"]
WantedRange = Literal["as-coded", "full", "limited"]


@dataclass(frozen=True, slots=True)
class Coded:
    """How the frames of a reel are coded, and what a user should know about them.

    Attributes:
        range: `unspecified` where a file of video does not say; such files are limited by convention.
        bits: of a sample.
        matrix: of a file in YCbCr; None where there is none, `other` where it is one of neither recommendation. What
            does not say it is taken for BT.601, as FFmpeg does.
        cautions: a line each.
    """

    range: CodedRange = "full"
    bits: int = 8
    cautions: tuple[str, ...] = ()
    matrix: CodedMatrix | None = None

    @property
    def is_limited(self) -> bool:
        return self.range != "full"


def converted(luma: np.ndarray, coded: Coded, wanted: WantedRange) -> np.ndarray:
    """Luma (code / (2^bits - 1)) with black and white where `wanted` has them, in [0, 1]; float32 of the same shape.

    What lies below black or above white of limited range is cut off on the way to full range.
    Source: [bt709, item 4.6].
    """
    if wanted == "as-coded" or coded.is_limited == (wanted == "limited"):
        return luma
    peak, step = 2**coded.bits - 1, 2.0 ** (coded.bits - 8)
    black, span = np.float32(16 * step / peak), np.float32(219 * step / peak)
    if wanted == "full":
        return np.clip((luma - black) / span, np.float32(0), np.float32(1))
    return black + luma * span


def chroma_converted(chroma: np.ndarray, coded: Coded, wanted: WantedRange) -> np.ndarray:
    """Cb or Cr with its ends where `wanted` has them, as `converted` does with luma; its zero stays at 128."""
    if wanted == "as-coded" or coded.is_limited == (wanted == "limited"):
        return chroma
    peak, step = 2**coded.bits - 1, 2.0 ** (coded.bits - 8)
    zero, span = np.float32(128 * step / peak), np.float32(224 * step / peak)
    scale = 1 / span if wanted == "full" else span
    return np.clip(zero + (chroma - zero) * scale, np.float32(0), np.float32(1))


def mixed_ranges(clips: Iterable[tuple[str, Coded]]) -> Sequence[str]:
    """A line if some of the clips (name, coding) are of limited range and others of full range; else nothing."""
    limited: dict[bool, list[str]] = {True: [], False: []}
    for name, coded in clips:
        limited[coded.is_limited].append(name)
    few, many = limited[True], limited[False]
    if not few or not many:
        return ()
    return (
        f"source: clips of limited range ({len(few)}, such as {few[0]}) stand beside clips of full range ({len(many)}, "
        f"such as {many[0]}); range: full brings all to black at 0 and white at 1",
    )
