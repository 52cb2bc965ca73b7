"""The readings of one clip at the transmitter: latents at any knob, what they cost, and the finest knob that fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semlink.codecs.tokens.knob_search import finest_under, usual_knob
from semlink.codecs.tokens.loaded import LoadedTokens
from semlink.codecs.tokens.networks import MOST_KNOB
from semlink.codecs.tokens.search import searched

SEARCH_STEP = 1  # how much finer than plain rounding the search begins
MOST_SEARCHES = 2


class Scene:
    """What is worked out for one clip, and kept while its rate is looked for.

    Args:
        code: the trained code.
        slots: readings (T/2, h, w).
        search: steps of descent for better latents; 0 rounds those of the network.
    """

    def __init__(self, code: LoadedTokens, slots: np.ndarray, search: int) -> None:
        self.code, self.search = code, search
        self.x = code.readings(slots)
        self.rows = self.x.shape[1]
        self._seen = code.look(self.x)
        self._rounded: dict[int, np.ndarray] = {}
        self._searched: dict[int, np.ndarray] = {}

    def latents(self, knob: int) -> np.ndarray:
        """Whole latents (h, w, c) as they are sent."""
        if not self.search:
            return self.rounded(knob)
        if knob not in self._searched:
            self._searched[knob] = searched(self.code, self.x, knob, self.search)
        return self._searched[knob]

    def rounded(self, knob: int) -> np.ndarray:
        """Those of the network, rounded."""
        if knob not in self._rounded:
            self._rounded[knob] = self.code.latents(self.x, self._seen, knob)
        return self._rounded[knob]

    def finest(self, num_bytes: float, bands: Sequence[range]) -> int:
        """The finest knob at which the latents of all bands should take so many bytes, or 0."""
        start = usual_knob(8 * num_bytes / self.x[..., 0].numel(), MOST_KNOB)
        knob = finest_under(lambda at: self._bytes(self.rounded(at), at, bands), num_bytes, MOST_KNOB, start)
        if not self.search:
            return knob
        start = min(knob + SEARCH_STEP, MOST_KNOB)
        size = lambda at: self._bytes(self.latents(at), at, bands)  # noqa: E731
        return finest_under(size, num_bytes, MOST_KNOB, start, most_looks=MOST_SEARCHES)

    def _bytes(self, latents: np.ndarray, knob: int, bands: Sequence[range]) -> float:
        return sum(self.code.bits(latents[band.start : band.stop], knob) for band in bands) / 8
