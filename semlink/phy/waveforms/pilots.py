"""The pilot symbols both ends agreed on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Symbols

if TYPE_CHECKING:
    import torch

_AGREED_KEY = 38211


def pilot_sequence(num: int) -> torch.Tensor:
    """Unit-power QPSK from a fixed generator, complex64 (num,); longer ones start like shorter ones."""
    import torch

    return torch.from_numpy(_sequence(-(-max(num, 1) // 4096) * 4096)[:num].copy())


@lru_cache(maxsize=16)
def _sequence(num: int) -> np.ndarray:
    signs = np.random.Generator(np.random.Philox(_AGREED_KEY)).random((num, 2)) < 0.5
    return ((1 - 2.0 * signs[:, 0]) + 1j * (1 - 2.0 * signs[:, 1])).astype(np.complex64) / np.float32(2**0.5)


def probe(symbols: int, clips: int = 1) -> Flow[Symbols]:
    """Symbols known to everybody, to look at the channel with: the same for each of `clips`."""
    iq = Symbols(pilot_sequence(symbols).expand(clips, -1))
    return Flow(iq).then(iq, Charge("link/probe", "pilot", symbols))
