"""RGB to YCbCr and back: named matrices and ranges, and 4:2:0 with a named place of its chroma samples.

All values are in [0, 1]; an 8-bit code is its value times 255.

    to = Conversion("bt709", "limited")
    ycbcr = to.from_rgb(apart(frames))          # (..., 3, h, w)
    frames = to.frames(apart(frames))           # yuv420, (..., h + h/2, w)

Source: [bt601, bt709]; ranges and the places of chroma samples as in [h273].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from semlink.colour.layout import check_size, joined, planes_of, stacked

Matrix = Literal["bt601", "bt709"]
Range = Literal["full", "limited"]
Siting = Literal["left", "center"]

LUMA: dict[str, tuple[float, float]] = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""The shares of R and B in luma; the rest is G's."""
_SCALE = {"full": (0.0, 255.0, 255.0), "limited": (16.0, 219.0, 224.0)}
"""Of 8-bit codes: black, white over black, and chroma from end to end; chroma has its zero at 128."""
_NEUTRAL = 128.0


@dataclass(frozen=True, slots=True)
class Conversion:
    """How Y, Cb and Cr follow from R, G and B, and where the samples of 4:2:0 stand.

    Attributes:
        matrix: of standard definition and JPEG, or of high definition.
        range: full: 0 to 255, as JPEG; limited: luma 16 to 235, chroma 16 to 240, as most video.
        siting: across, where a chroma sample of 4:2:0 stands: at the left one of its two columns, as in MPEG-2,
            H.264 and later, or between them, as in JPEG and MPEG-1. Down, it stands between its two rows.
    """

    matrix: Matrix = "bt709"
    range: Range = "full"
    siting: Siting = "left"

    def from_rgb(self, rgb: Any) -> Any:
        """(..., 3, h, w) in RGB to (..., 3, h, w) in Y, Cb, Cr."""
        red, blue = LUMA[self.matrix]
        r, g, b = (rgb[..., n : n + 1, :, :] for n in range(3))
        y = red * r + (1 - red - blue) * g + blue * b
        low, luma, chroma = _SCALE[self.range]
        made = (
            (low + luma * y) / 255,
            (_NEUTRAL + chroma * (b - y) / (2 - 2 * blue)) / 255,
            (_NEUTRAL + chroma * (r - y) / (2 - 2 * red)) / 255,
        )
        return joined(made, -3).clip(0, 1)

    def to_rgb(self, ycbcr: Any) -> Any:
        """(..., 3, h, w) in Y, Cb, Cr to (..., 3, h, w) in RGB, what lies outside of it cut off."""
        red, blue = LUMA[self.matrix]
        low, luma, chroma = _SCALE[self.range]
        y, cb, cr = (255 * ycbcr[..., n : n + 1, :, :] for n in range(3))
        y, cb, cr = (y - low) / luma, (cb - _NEUTRAL) / chroma, (cr - _NEUTRAL) / chroma
        r, b = y + (2 - 2 * red) * cr, y + (2 - 2 * blue) * cb
        g = (y - red * r - blue * b) / (1 - red - blue)
        return joined((r, g, b), -3).clip(0, 1)

    def luma_of_rgb(self, rgb: Any) -> Any:
        """Y (..., h, w) of (..., 3, h, w) in RGB."""
        return self.from_rgb(rgb)[..., 0, :, :]

    def frames(self, rgb: Any) -> Any:
        """Frames (..., h + h/2, w) in yuv420 of (..., 3, h, w) in RGB."""
        ycbcr = self.from_rgb(rgb)
        y, cb, cr = (ycbcr[..., n, :, :] for n in range(3))
        return stacked((y, halved(cb, self.siting), halved(cr, self.siting)), "yuv420")

    def rgb_of(self, frames: Any) -> Any:
        """(..., 3, h, w) in RGB of frames (..., h + h/2, w) in yuv420."""
        y, cb, cr = planes_of(frames, "yuv420")
        whole = (y, doubled(cb, self.siting), doubled(cr, self.siting))
        return self.to_rgb(joined(tuple(plane[..., None, :, :] for plane in whole), -3))


def halved(plane: Any, siting: str) -> Any:
    """A plane (..., h, w) of half the size: down the mean of two rows, across by [1 1] or, sited left, by [1 2 1]."""
    check_size(plane.shape[-2], plane.shape[-1], "yuv420")
    plane = (plane[..., 0::2, :] + plane[..., 1::2, :]) / 2
    even, odd = plane[..., 0::2], plane[..., 1::2]
    if siting == "center":
        return (even + odd) / 2
    before = joined((odd[..., :1], odd[..., :-1]), -1) if odd.shape[-1] > 1 else odd
    return (before + 2 * even + odd) / 4


def doubled(plane: Any, siting: str) -> Any:
    """A plane (..., h, w) of twice the size, linear between samples; beyond the last ones their value stays."""
    plane = _spread(plane, -2, between=True)
    return _spread(plane, -1, between=siting == "center")


def _spread(plane: Any, axis: int, *, between: bool) -> Any:
    """Two samples for one along an axis: at a quarter and three quarters of the way, or at it and half way on."""
    count = plane.shape[axis]
    first, last = _cut(plane, axis, 0, 1), _cut(plane, axis, count - 1, count)
    after = joined((_cut(plane, axis, 1, count), last), axis) if count > 1 else plane
    before = joined((first, _cut(plane, axis, 0, count - 1)), axis) if count > 1 else plane
    pair = ((before + 3 * plane) / 4, (3 * plane + after) / 4) if between else (plane, (plane + after) / 2)
    if axis == -1:
        woven = joined(tuple(part[..., None] for part in pair), -1)
        return woven.reshape(*plane.shape[:-1], 2 * count)
    woven = joined(tuple(part[..., None, :] for part in pair), -2)
    return woven.reshape(*plane.shape[:-2], 2 * count, plane.shape[-1])


def _cut(plane: Any, axis: int, start: int, stop: int) -> Any:
    return plane[..., start:stop, :] if axis == -2 else plane[..., start:stop]
