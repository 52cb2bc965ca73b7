"""How many symbols each block gets: levels, prefixes, and the network that chooses.

A block at level f of 1 .. 4 sends the first `per_level` f of its 48 symbols.
The network sees the symbols themselves and is told the price of a level, so
one network serves all rates; the receiver needs the levels alone.

Source: [zhang2024crl, Sec. III-B.2]; the price as an input is this project's.
"""

from __future__ import annotations

import torch
from torch import nn

from semlink.codecs.semantic.networks import SNR_FEATURES, SYMBOLS, snr_features

LEVELS = 4
PER_LEVEL = (6, 12)
REACH = 8.0
"""Scores stay within this, so that no choice is ever beyond recall."""
EXPLORED = 0.4
"""Share of uniform choice while learning [zhang2024crl, Sec. III-B.2]."""


class RateAllocation(nn.Module):
    """Log-probabilities of the levels, (b, 4, rows, columns), from symbols X (b, 48, rows, columns).

    Also takes the SNR (b,) in dB, the natural logarithm of the price (b,) and
    `per_level` (b,). No gradient reaches the encoder.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.enter = nn.Conv2d(SYMBOLS + SNR_FEATURES + 2, width, 3, padding=1)
        self.residuals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(2)
        )
        self.leave = nn.Conv2d(width, LEVELS, 3, padding=1)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)

    def forward(
        self, symbols: torch.Tensor, snr_db: torch.Tensor, log_price: torch.Tensor, per_level: torch.Tensor
    ) -> torch.Tensor:
        symbols = symbols.detach()
        told = torch.cat((snr_features(snr_db), log_price[:, None] / 3, per_level[:, None].float() / 12), 1)
        planes = told[..., None, None].expand(*told.shape, *symbols.shape[2:])
        features = self.enter(torch.cat((symbols, planes), 1)).relu()
        for residual in self.residuals:
            features = features + residual(_level(features))
        scores = self.leave(_level(features)).float()
        return (REACH * torch.tanh(scores / REACH)).log_softmax(1)


def _level(features: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit variance over the channels of each block."""
    return nn.functional.layer_norm(features.permute(0, 2, 3, 1), features.shape[1:2]).permute(0, 3, 1, 2)


def explored(log_probabilities: torch.Tensor, share: float = EXPLORED) -> torch.Tensor:
    """Log-probabilities of the policy that explores: (1 - share) P + share / 4."""
    return ((1 - share) * log_probabilities.exp() + share / LEVELS).log()


def draw_levels(log_probabilities: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Levels 1 .. 4 (b, rows, columns), drawn on the CPU."""
    table = log_probabilities.detach().exp().permute(0, 2, 3, 1).reshape(-1, LEVELS).cpu()
    drawn = torch.multinomial(table, 1, generator=rng).view(len(log_probabilities), *log_probabilities.shape[2:])
    return (drawn + 1).to(log_probabilities.device)


def log_probability(log_probabilities: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Of the levels drawn: (b, rows, columns)."""
    return log_probabilities.gather(1, levels[:, None] - 1)[:, 0]


def prefix_mask(kept: torch.Tensor) -> torch.Tensor:
    """1 for the first `kept` (b, rows, columns) symbols of each block, else 0: (b, 48, rows, columns)."""
    return (torch.arange(SYMBOLS, device=kept.device).view(-1, 1, 1) < kept[:, None]).float()
