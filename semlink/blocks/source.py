"""Where clips come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from semlink.blocks.block import Block

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
        """Clip `index`: float32 (t, h, w) in [0, 1]; all clips of a source have one shape."""
        ...


class SourceBase(Block, Source):
    """Base of sources.

    Attributes:
        planes: pictures that each frame holds, one above the other: 1 gray, 3 for R, G and B.
    """

    __slots__ = ()
    planes: int = 1

    def facts(self, index: int) -> Mapping[str, str]:
        """What `manifest.json` says of clip `index` beside its name, such as `{"range": "limited"}`."""
        return {}

    def cautions(self) -> Sequence[str]:
        """What a user should know about the clips, a line each; a run warns of it."""
        return ()
