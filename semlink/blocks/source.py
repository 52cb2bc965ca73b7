"""Where clips come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from semlink.blocks.block import Block
from semlink.colour.conversion import Conversion
from semlink.colour.layout import Colour
from semlink.colour.look import Look

if TYPE_CHECKING:
    import numpy as np


class Source(Protocol):
    """Clips by number; the same number is always the same clip."""

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int:
        """How many clips there are."""
        ...

    @abstractmethod
    def name(self, index: int) -> str:
        """A short name of clip `index`, unique within the source."""
        ...

    @abstractmethod
    def clip(self, index: int) -> np.ndarray:
        """Clip `index`: float32 (t, rows, w) in [0, 1]; of gray the rows are the height.

        All clips have one shape unless `sizes_agree` says otherwise.
        """
        ...


class SourceBase(Block, Source):
    """Base of sources.

    Attributes:
        colour: of the frames: gray, rgb or yuv420, whose planes stand as `semlink.colour.layout` says.
        conversion: how YCbCr and RGB belong together in these clips.
        sizes_agree: whether all clips have the shape of the first; where not, schemes settle an agreement for each.
        planes: 3 where each gray frame is R, G and B, one above the other, that every block takes for one gray picture.
    """

    __slots__ = ()
    colour: Colour = "gray"
    conversion: Conversion = Conversion()
    planes: int = 1
    sizes_agree: bool = True

    @property
    def look(self) -> Look:
        """What the frames are to the eye."""
        return Look(self.colour, self.planes, self.conversion)

    def facts(self, index: int) -> Mapping[str, str]:
        """What `manifest.json` says of clip `index` beside its name, such as `{"range": "limited"}`."""
        return {}

    def cautions(self) -> Sequence[str]:
        """What a user should know about the clips, a line each; a run warns of it."""
        return ()
