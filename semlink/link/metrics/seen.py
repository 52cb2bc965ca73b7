"""What a metric is given of frames in colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from semlink.colour.layout import planes_of
from semlink.colour.look import Look
from semlink.errors import InterfaceError

Sees = Literal["samples", "each", "luma", "ycbcr", "rgb"]
"""samples: all planes in one array; each: R, G and B, one after the other, the mean of what they score, and of yuv420
the luma; luma: Y; ycbcr: Y, Cb and Cr in a tuple; rgb: (t, 3, h, w). Of gray frames all but ycbcr, which needs colour,
see the frames (t, h, w), and rgb has them three times."""
Function = Callable[[Any, Any], Any]


def scored(function: Function, sees: Sees, reference: np.ndarray, received: np.ndarray, look: Look) -> Any:
    """What a function of two clips says of the part of frames (t, rows, w) that it sees."""
    if sees == "each" and look.colour == "rgb":
        found = [function(*pair) for pair in zip(planes_of(reference, "rgb"), planes_of(received, "rgb"))]
        return sum(found[1:], found[0]) / len(found)
    return function(_part(reference, sees, look), _part(received, sees, look))


def _part(pixels: np.ndarray, sees: Sees, look: Look) -> Any:
    if sees == "rgb":
        return np.stack([pixels] * 3, 1) if look.colour == "gray" else look.rgb(pixels)
    if look.colour == "gray" and sees == "ycbcr":
        raise InterfaceError("this metric scores luma and chroma, and these frames are gray")
    if look.colour == "gray" or sees == "samples":
        return pixels
    if look.colour == "yuv420":
        planes = planes_of(pixels, "yuv420")
    else:
        planes = tuple(np.moveaxis(look.conversion.from_rgb(look.rgb(pixels)), 1, 0))
    return planes if sees == "ycbcr" else planes[0]
