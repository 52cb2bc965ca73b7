"""Colour for codecs that know gray alone: the planes of a frame as one tall gray picture.

RGB goes in as Y, Cb and Cr (BT.709, full range), since most of what a picture tells is then in the first plane;
yuv420 is tall already. A codec of blocks of 8 pixels keeps planes apart where the height is a multiple of 8.
"""

from __future__ import annotations

from typing import Any

from semlink.colour.conversion import Conversion
from semlink.colour.layout import Colour, apart, together

_CONVERSION = Conversion("bt709", "full")


def as_tall(pixels: Any, colour: Colour) -> Any:
    """Frames (..., rows, w) of any colour as gray ones of as many rows."""
    return together(_CONVERSION.from_rgb(apart(pixels))) if colour == "rgb" else pixels


def of_tall(pixels: Any, colour: Colour) -> Any:
    """The other way."""
    return together(_CONVERSION.to_rgb(apart(pixels))) if colour == "rgb" else pixels
