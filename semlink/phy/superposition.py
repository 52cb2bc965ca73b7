"""Two layers on the same channel uses: QAM symbols, and analogue symbols that the demapper takes for noise.

    x = sqrt(1 - b) s + sqrt(b) a,    E|s|^2 = E|a|^2 = 1,

b the analogue share of the power. Over a channel whose equaliser leaves noise
of variance N on x, the QAM symbols are received with noise (N + b) / (1 - b),
and, where they are known and taken away, the analogue ones with noise N / b.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from semlink.blocks import CodingBase
from semlink.flow import Flow
from semlink.payload import Received, Symbols

__all__ = ["Superposed", "analogue_part", "digital_part", "noise_below", "superposed"]


def superposed(digital: torch.Tensor, analogue: torch.Tensor, share: float) -> torch.Tensor:
    """Symbols of power 1 (clip, n) from those of two layers."""
    return math.sqrt(1 - share) * digital + math.sqrt(share) * analogue


N = TypeVar("N", np.ndarray, torch.Tensor)


def noise_below(noise_var: N, share: float) -> N:
    """What the QAM symbols meet where the receiver states `noise_var`."""
    return (noise_var + share) / (1 - share)


def digital_part(received: Received, share: float) -> Received:
    """The QAM symbols, the analogue layer counted as noise."""
    iq = received.iq / math.sqrt(1 - share)
    return Received(iq, noise_below(received.noise_var, share), dict(received.genie))


def analogue_part(received: Received, digital: torch.Tensor, share: float) -> Received:
    """The analogue symbols, where the QAM symbols are known to be `digital`."""
    left = received.iq - math.sqrt(1 - share) * digital
    return Received(left / math.sqrt(share), received.noise_var / share, dict(received.genie))


@dataclass(frozen=True, slots=True)
class Superposed(CodingBase):
    """A coding under an analogue layer of a share of the power, for which noise of the same power stands in here.

    So random bytes can be sent as they would fare under the layer.
    """

    coding: CodingBase
    share: float
    name = "phy/superposed"

    @property
    def bits_per_symbol(self) -> int:  # type: ignore[override]
        return self.coding.bits_per_symbol

    @property
    def code_rate(self) -> float:  # type: ignore[override]
        return self.coding.code_rate

    def block_sizes(self, uses: int) -> tuple[int, ...]:
        return self.coding.block_sizes(uses)

    def block_symbols(self, uses: int) -> Sequence[float]:
        return self.coding.block_symbols(uses)

    def uses_for(self, num_bytes: int, *, per_block: int = 0) -> int:
        return self.coding.uses_for(num_bytes, per_block=per_block)

    def send(self, blocks: Sequence[bytes], uses: int) -> Flow[Symbols]:
        """The blocks with noise above them, the same for the same blocks."""
        flow = self.coding.send(blocks, uses)
        seed = int.from_bytes(hashlib.sha256(b"".join(blocks)).digest()[:16], "big")
        pairs = np.random.Generator(np.random.Philox(seed)).standard_normal((1, uses, 2), dtype=np.float32)
        above = torch.view_as_complex(torch.from_numpy(pairs * np.float32(math.sqrt(0.5))))
        return Flow(Symbols(superposed(flow.payload.iq, above, self.share)), flow.ledger)

    def receive(self, received: Received) -> tuple[bytes | None, ...]:
        return self.coding.receive(digital_part(received, self.share))
