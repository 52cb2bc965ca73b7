"""Real numbers in pairs as complex symbols, and back."""

from __future__ import annotations

import math

import numpy as np
import torch

from semlink.payload import Received


def as_symbols(numbers: np.ndarray) -> torch.Tensor:
    """Numbers (2 n,) of mean power 1 in pairs as complex64 symbols (1, n) of mean power 1."""
    pairs = torch.from_numpy((numbers / math.sqrt(2)).astype(np.float32).reshape(1, -1, 2))
    return torch.view_as_complex(pairs.contiguous())


def as_numbers(received: Received) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (2 n,) and the noise variance on each from symbols (1, n)."""
    pairs = torch.view_as_real(received.iq.detach().cpu().to(torch.complex64)).double()
    noise_var = received.noise_var.detach().cpu().double().expand(received.iq.shape)
    return pairs.numpy().ravel() * math.sqrt(2), np.repeat(noise_var.numpy().ravel(), 2)
