"""Trained semantic tokens by the name of their weights, as the semantic scheme meets them.

Clips may have any size: readings are continued beyond the frame by whole tiles
until there is a whole number of groups; what this adds is sent, and charged,
like all else. The table of levels is that of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings
from semlink.codecs.semantic.interface import Arrival, View, check_readings
from semlink.codecs.semantic.tokens.allocation import log_reference
from semlink.codecs.semantic.tokens.filling import PolicyLevels, PredictedLevels
from semlink.codecs.semantic.tokens.networks import Arrived, SemanticTokenNet, SemanticTokenSizes, probe
from semlink.codecs.token_readings import extended, unblocks
from semlink.nn.cpu import bf16_pays, one_thread
from semlink.seeds import Seeds
from semlink.weights.cards import card_of
from semlink.weights.tensors import load_verified

__all__ = ["TASK", "SemanticTokens"]

TASK = "token_semantic"


@dataclass(frozen=True, slots=True)
class SemanticTokens:
    """The networks of weights `name`, a shipped name or a file.

    Raises:
        ModelError: missing, damaged, of another kind, or with a wrong answer to the probe.
    """

    name: str
    sizes: SemanticTokenSizes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", _network(self.name)[0].sizes)

    @property
    def stride(self) -> int:
        return self.sizes.stride

    @property
    def most_pairs(self) -> int:
        return self.sizes.symbols // 2

    @property
    def gives_frames(self) -> bool:
        return self.sizes.writes == "frames"

    @property
    def facts(self) -> dict[str, Any]:
        return _network(self.name)[1]

    def blocks(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of groups."""
        return -(-h // self.stride), -(-w // self.stride)

    def usual_per_level(self, budget_uses: int | None, blocks: int) -> int:
        return 0

    def table(self, per_level: int) -> tuple[int, ...]:
        return tuple(level // 2 for level in self.sizes.levels)

    def look(self, slots: torch.Tensor, counts: torch.Tensor, snr_db: float) -> View:
        """What the encoder sees before it is told rates."""
        check_readings(self.name, self.facts, slots, counts)
        with torch.no_grad(), _fast():
            seen = self._net.before_point(self._tokens(slots, counts))
        return View(slots, counts, snr_db, seen)

    def levels(self, view: View, allocation: str, per_level: int, seeds: Seeds) -> PredictedLevels | PolicyLevels:
        """By predicted errors ("predicted"), or by the policy ("learned")."""
        net, pairs, told = self._net, np.array(self.table(0)), self._told(view.snr_db)
        left_out = net.left_out(self._tokens(view.slots, view.counts))
        with torch.no_grad(), _fast():
            log_errors = net.predict(view.seen, left_out, told)
            if allocation == "predicted":
                return PredictedLevels(log_errors[0].exp().numpy(), pairs)
            thresholds = net.choose.thresholds(view.seen, left_out, told)[0].double().numpy()
        return PolicyLevels(thresholds, pairs, float(log_reference(log_errors)))

    def symbols(self, view: View, pairs: np.ndarray) -> torch.Tensor:
        """Symbols (1, n, rows, columns) of groups of which each sends `pairs`; zero behind."""
        kept = torch.from_numpy(2 * pairs)[None]
        with torch.no_grad(), _fast():
            x = self._tokens(view.slots, view.counts)
            return self._net.symbols(x, view.seen, kept, self._told(view.snr_db)).permute(0, 3, 1, 2).contiguous()

    def restore(self, arrived: Arrival) -> torch.Tensor:
        """Frames (1, t, h, w), or readings (1, s, h, w), as the weights are."""
        symbols, noise_var = (part.float().permute(0, 2, 3, 1) for part in (arrived.symbols, arrived.noise_var))
        # a clip of which nothing is known to have been sent is decoded as if all of it were lost
        kept = torch.from_numpy(2 * np.maximum(arrived.pairs, 1))[None]
        told = Arrived(symbols, noise_var, kept, torch.tensor([arrived.power]), self._told(arrived.snr_db))
        h, w = arrived.counts.shape
        with torch.no_grad(), one_thread(), _fast():
            written = self._net.restored(told)
        if self.gives_frames:
            frames = unblocks(written, self.sizes.block)[..., :h, :w]
            return torch.nan_to_num(frames).clamp(0, 1).contiguous()
        x = self.sizes.readings.scatter(written)[..., :h, :w]
        return denormalise_readings(x.contiguous(), arrived.counts)

    @property
    def _net(self) -> SemanticTokenNet:
        return _network(self.name)[0]

    def _told(self, snr_db: float) -> torch.Tensor:
        """The nearest SNR that the networks were trained at."""
        low, high = self.facts["snr_db"]
        return torch.tensor([min(max(float(snr_db), low), high)])

    def _tokens(self, slots: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Weighed readings (1, h, w, n) of whole groups."""
        x, tile = normalise_readings(slots, counts), self.sizes.tile
        rows = extended(x.shape[2], self.stride, len(tile))
        columns = extended(x.shape[3], self.stride, len(tile[0]))
        return self.sizes.readings.gather(x[:, :, rows][..., columns])


def _fast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays())


@cache
def _network(name: str) -> tuple[SemanticTokenNet, dict[str, Any]]:
    path, card = card_of(name, TASK)
    tile = card["facts"]["tile"]
    net = load_verified(lambda: SemanticTokenNet(SemanticTokenSizes(tile=tile, **card["model"])), path, card, probe)
    return net.to(memory_format=torch.channels_last), card["facts"]  # type: ignore[call-overload]
