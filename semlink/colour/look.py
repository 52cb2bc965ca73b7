"""How clips want to be looked at: what shows them in colour, for pictures, films and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semlink.colour.conversion import Conversion
from semlink.colour.layout import Colour, apart, together


@dataclass(frozen=True, slots=True)
class Look:
    """What the frames of a run are to the eye.

    Attributes:
        colour: of the frames.
        planes: 3 where a gray frame is three pictures, R, G and B, one above the other, as the colour wheel's.
        conversion: how YCbCr and RGB belong together where one is shown or scored as the other.
    """

    colour: Colour = "gray"
    planes: int = 1
    conversion: Conversion = Conversion()

    @property
    def pictures(self) -> int:
        """Planes of what `shown` gives, one above the other: 1 gray, 3 for R, G and B."""
        return self.planes if self.colour == "gray" else 3

    def shown(self, pixels: Any) -> Any:
        """Frames (..., rows, w) as gray ones, or as R, G and B one above the other."""
        return together(self.conversion.rgb_of(pixels)) if self.colour == "yuv420" else pixels

    def rgb(self, pixels: Any) -> Any:
        """Frames (..., rows, w) of rgb or yuv420 as (..., 3, h, w)."""
        return apart(self.shown(pixels))
