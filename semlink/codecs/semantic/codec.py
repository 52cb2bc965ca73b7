"""Trained semantic-channel codecs by the name of their weights: readings to symbols, symbols to readings.

Clips may have any size. Readings are continued beyond the frame by whole
periods of the sensor's tile until the size is a multiple of 8; the blocks that
this adds are sent, and charged, like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from semlink.codecs.readings_domain import denormalise_readings, normalise_readings
from semlink.codecs.semantic.interface import check_readings
from semlink.codecs.semantic.networks import (
    STRIDE,
    SYMBOLS,
    SemanticDecoder,
    SemanticEncoder,
    SemanticSize,
    semantic_probe,
)
from semlink.codecs.semantic.rate_allocation import RateAllocation
from semlink.errors import ModelError
from semlink.nn.cpu import bf16_pays
from semlink.weights.cards import card_of
from semlink.weights.remembered import remembered
from semlink.weights.tensors import described_by, load_verified

TASK = "semantic"
PARTS = ("sce", "scd", "ran")
MOST_PAIRS = SYMBOLS // 2
"""Complex channel uses that a block takes at most."""


@dataclass(frozen=True, slots=True)
class SemanticCodec:
    """The networks of weights `name`, a shipped name or a file.

    All methods take batches of clips; on `device` "cuda" that is how a GPU is kept busy.
    """

    name: str
    device: str = "cpu"

    def loaded(self) -> SemanticCodec:
        """Itself, after the weights were found right."""
        _networks(self.name, self.device)
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says: tile, trained ranges."""
        return _networks(self.name, self.device)[1]

    def blocks(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of blocks in frames of this size."""
        return -(-h // STRIDE), -(-w // STRIDE)

    def trained_snr(self, snr_db: float) -> float:
        """The SNR that the networks are told: the nearest that they were trained at."""
        low, high = self.facts["snr_db"]
        return min(max(snr_db, low), high)

    @torch.no_grad()
    def encode(self, slots: torch.Tensor, counts: torch.Tensor, snr_db: float) -> torch.Tensor:
        """Symbols (b, 48, rows, columns) on the encoder's own scale.

        Args:
            slots, counts: readings (b, s, h, w) and the map (h, w).

        Raises:
            ModelError: the map is not the one that the networks were trained with.
        """
        check_readings(self.name, self.facts, slots, counts)
        nets, _ = _networks(self.name, self.device)
        x = self._whole_blocks(normalise_readings(slots, counts)).to(self.device)
        with self._half():
            return nets["sce"](_last(x), self._told(snr_db)).float().contiguous().to(slots.device)

    @torch.no_grad()
    def level_scores(self, symbols: torch.Tensor, snr_db: float, log_price: float, per_level: int) -> torch.Tensor:
        """Log-probabilities of the levels (4, rows, columns) at a price."""
        nets, _ = _networks(self.name, self.device)
        told = (self._told(snr_db), torch.tensor([log_price]), torch.tensor([per_level]))
        return nets["ran"](symbols.to(self.device), *(value.to(self.device) for value in told))[0].to(symbols.device)

    @torch.no_grad()
    def decode(
        self, symbols: torch.Tensor, sent: torch.Tensor, noise_var: torch.Tensor, snr_db: float, counts: torch.Tensor
    ) -> torch.Tensor:
        """Readings (b, s, h, w) from what arrived on the encoder's scale; see `SemanticDecoder`."""
        nets, _ = _networks(self.name, self.device)
        arrived = [_last(part.to(self.device)) for part in (symbols, sent, noise_var)]
        with self._half():
            x = nets["scd"](*arrived, self._told(snr_db)).float().to(symbols.device)
        h, w = counts.shape
        return denormalise_readings(x[..., :h, :w].contiguous(), counts)

    def _whole_blocks(self, x: torch.Tensor) -> torch.Tensor:
        """`x` continued by whole periods of the tile to multiples of 8."""
        period = len(self.facts["tile"]), len(self.facts["tile"][0])
        for axis, step in zip((2, 3), period):
            while x.shape[axis] % STRIDE:
                size = x.shape[axis]
                if size < step:
                    raise ModelError(f"frames of {size} pixels; weights {self.name!r} need at least {step}")
                more = min(step, STRIDE - size % STRIDE)
                x = torch.cat((x, x.narrow(axis, size - step, more)), axis)
        return x

    def _told(self, snr_db: float) -> torch.Tensor:
        return torch.tensor([self.trained_snr(snr_db)], device=self.device)

    def _half(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu" or bf16_pays())


@remembered
def _networks(name: str, device: str) -> tuple[nn.ModuleDict, dict[str, Any]]:
    path, card = card_of(name, TASK)
    tile = card["facts"]["tile"]
    with described_by(path):
        size = SemanticSize(**card["model"])

    def make() -> nn.ModuleDict:
        return nn.ModuleDict(
            {"sce": SemanticEncoder(size, tile), "scd": SemanticDecoder(size, tile), "ran": RateAllocation()}
        )

    nets = load_verified(make, path, card, lambda built: semantic_probe(built["sce"], built["scd"], size))  # type: ignore[arg-type]
    return nets.to(device, memory_format=torch.channels_last), card["facts"]  # type: ignore[call-overload]


def _last(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last)
