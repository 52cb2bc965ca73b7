"""Frames in [0, 1] of any colour as 8-bit planes that a codec takes, and back.

| frames | 4:2:0 | 4:4:4 |
|---|---|---|
| gray | luma | luma |
| yuv420 | its planes as they are | refused |
| rgb | Y, Cb, Cr (BT.709, full range), chroma at half the size | Y, Cb, Cr at the full size |

A value is rounded to the nearest of 256 levels (at most 1/510 off, 58.9 dB for evenly spread values). What a stream
says of colour is its own affair: both ends know the conversion, and no other is asked for anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from semlink.codecs.video.luma import padded, placed, to_luma8
from semlink.codecs.video.options import Chroma
from semlink.colour.conversion import Conversion
from semlink.colour.layout import Colour, apart, planes_of, stacked, together
from semlink.errors import ScenarioError
from semlink.payload import FrameShape

__all__ = ["as_eight_bit", "check_chroma", "coded_planes", "coded_shape", "plane_sizes", "shown"]

_AS_CODED = Conversion("bt709", "full", "left")
_NEUTRAL = np.float32(128 / 255)


def check_chroma(chroma: Chroma, colour: Colour, codec: str) -> None:
    """Refuse full chroma of frames that have none.

    Raises:
        ScenarioError: frames that are not rgb.
    """
    if chroma == "4:4:4" and colour != "rgb":
        raise ScenarioError(f"codec.chroma: 4:4:4 is for rgb frames, and these are {colour}; allowed: 4:2:0")
    if chroma == "4:4:4" and codec == "av1":
        raise ScenarioError("codec.chroma: SVT-AV1 codes 4:2:0 alone; for 4:4:4 take h264, h265, avif or jpegxl")


def coded_planes(
    clip: np.ndarray, colour: Colour, chroma: Chroma = "4:2:0", *, multiple: int = 2, least: int = 2
) -> tuple[np.ndarray, ...]:
    """uint8 planes (t, h, w) of a clip (t, rows, w), one or three, grown at the bottom and right to a size allowed."""
    if colour != "rgb":
        luma, *others = map(to_luma8, planes_of(clip, colour))
        halves = (padded(plane, multiple=multiple // 2, least=least // 2) for plane in others)
        return padded(luma, multiple=multiple, least=least), *halves
    rgb = padded(apart(clip), multiple=multiple, least=least)
    if chroma == "4:4:4":
        return tuple(to_luma8(plane) for plane in np.moveaxis(_AS_CODED.from_rgb(rgb), -3, 0))
    return tuple(map(to_luma8, planes_of(_AS_CODED.frames(rgb), "yuv420")))


def coded_shape(shape: FrameShape, chroma: Chroma = "4:2:0") -> FrameShape:
    """Of the planes that are looked for in decoded pictures: rgb stands for three planes of full size."""
    if shape.colour == "rgb" and chroma == "4:2:0":
        return FrameShape(shape.t, shape.h + shape.h % 2, shape.w + shape.w % 2, "yuv420")
    return shape


def _restored(planes: np.ndarray, shape: FrameShape, chroma: Chroma = "4:2:0") -> np.ndarray:
    """float32 (t, rows, w) in [0, 1] of coded planes (t, rows, w) in [0, 1] of `coded_shape`."""
    if shape.colour != "rgb":
        return planes
    rgb = _AS_CODED.rgb_of(planes) if chroma == "4:2:0" else _AS_CODED.to_rgb(apart(planes))
    return together(np.ascontiguousarray(rgb[..., : shape.h, : shape.w], np.float32))


def shown(pictures: Mapping[int, tuple[np.ndarray, ...]], shape: FrameShape, chroma: Chroma = "4:2:0") -> np.ndarray:
    """float32 (t, rows, w) of decoded planes by time, gaps filled as `placed` does; without any picture, mid-gray."""
    coded = coded_shape(shape, chroma)
    if pictures:
        rows = {time: stacked(planes, coded.colour) for time, planes in pictures.items()}
        return _restored(placed(rows, FrameShape(coded.t, coded.rows, coded.w)), shape, chroma)
    gray = placed({}, FrameShape(coded.t, coded.rows, coded.w))
    if coded.colour == "yuv420":
        gray[:, coded.h :] = _NEUTRAL
    elif shape.colour == "rgb":
        return gray
    return _restored(gray, shape, chroma)


def as_eight_bit(clip: np.ndarray, colour: Colour, chroma: Chroma = "4:2:0") -> np.ndarray:
    """What is left of a clip (t, rows, w) when its planes are rounded to 8 bits and nothing else happens."""
    shape = FrameShape.of(cast("tuple[int, int, int]", clip.shape), colour)
    planes = coded_planes(clip, colour, chroma)
    coded = coded_shape(shape, chroma)
    cut = (plane[:, :rows, :columns] for plane, (rows, columns) in zip(planes, plane_sizes(coded), strict=True))
    return shown(dict(enumerate(zip(*cut, strict=True))), shape, chroma)


def plane_sizes(coded: FrameShape) -> tuple[tuple[int, int], ...]:
    """Rows and columns of each plane of a frame."""
    whole, half = (coded.h, coded.w), (coded.h // 2, coded.w // 2)
    return {"gray": (whole,), "rgb": (whole,) * 3, "yuv420": (whole, half, half)}[coded.colour]
