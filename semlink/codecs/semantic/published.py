"""The published architecture as the semantic scheme meets it: four levels of 6 or 12 symbols for every block of 8x8."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from semlink.codecs.semantic.codec import MOST_PAIRS, SemanticCodec
from semlink.codecs.semantic.interface import Arrival, View
from semlink.codecs.semantic.level_choice import Scores, chosen, levels_for_budget
from semlink.codecs.semantic.level_search import SEARCHED_PRICES, searched
from semlink.codecs.semantic.networks import STRIDE
from semlink.codecs.semantic.rate_allocation import LEVELS, PER_LEVEL, prefix_mask
from semlink.seeds import Seeds

__all__ = ["PublishedSemantic"]


@dataclass(frozen=True, slots=True)
class PublishedLevels:
    """Levels from scores at a price; `prices` are those that make sense, a level takes `pairs`."""

    scores: Scores
    prices: tuple[float, float]
    pairs: int

    def at_price(self, price: float) -> np.ndarray:
        return chosen(self.scores(math.log(price))).numpy() - 1

    def within(self, pairs: int) -> np.ndarray:
        return levels_for_budget(self.scores, pairs // self.pairs, self.prices).numpy() - 1


@dataclass(frozen=True, slots=True)
class PublishedSemantic:
    """The networks of [zhang2024crl, Sec. III-B]."""

    codec: SemanticCodec
    stride = STRIDE
    most_pairs = MOST_PAIRS
    gives_frames = False

    @property
    def facts(self) -> dict[str, Any]:
        return self.codec.facts

    def blocks(self, h: int, w: int) -> tuple[int, int]:
        return self.codec.blocks(h, w)

    def usual_per_level(self, budget_uses: int | None, blocks: int) -> int:
        """6 where the budget is small, else 12."""
        small = budget_uses is not None and budget_uses < 0.75 * PER_LEVEL[1] * blocks
        return PER_LEVEL[0] if small else PER_LEVEL[1]

    def table(self, per_level: int) -> tuple[int, ...]:
        return tuple(per_level // 2 * level for level in range(1, LEVELS + 1))

    def look(self, slots: torch.Tensor, counts: torch.Tensor, snr_db: float) -> View:
        """What is seen are the symbols themselves: they do not depend on rates."""
        return View(slots, counts, snr_db, self.codec.encode(slots, counts, snr_db))

    def levels(self, view: View, allocation: str, per_level: int, seeds: Seeds) -> PublishedLevels:
        """By the rate allocation network ("learned"), or by trying all levels ("searched")."""
        if allocation == "searched":
            noise = seeds.normal("semantic/search", *view.seen.shape[1:])
            return PublishedLevels(searched(self.codec, view, noise, per_level), SEARCHED_PRICES, per_level // 2)

        def scores(log_price: float) -> torch.Tensor:
            return self.codec.level_scores(view.seen, view.snr_db, log_price, per_level)

        return PublishedLevels(scores, tuple(self.facts["prices"]), per_level // 2)

    def symbols(self, view: View, pairs: np.ndarray) -> torch.Tensor:
        return view.seen

    def restore(self, arrived: Arrival) -> torch.Tensor:
        """Readings."""
        sent = prefix_mask(2 * torch.from_numpy(arrived.pairs)[None])
        return self.codec.decode(arrived.symbols, sent, arrived.noise_var, arrived.snr_db, arrived.counts)
