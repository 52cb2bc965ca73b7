"""The channel that semantic networks are trained over, on real symbols in pairs.

Two real symbols, the first and second of a block and so on, make one complex
channel use. Every clip is sent at an average power of one, so the noise on the
encoder's own scale is the clip's power times that of the channel.

Source: [zhang2024crl, eqs. (10)-(11)], with the root that eq. (10) lacks.
"""

from __future__ import annotations

import torch

PILOTS = 8.0
"""Pilot symbols behind each estimate of a fading gain."""


def over_white_noise(
    symbols: torch.Tensor, sent: torch.Tensor, snr_db: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Symbols X (b, 48, rows, columns) of which `sent` (same shape, 0 or 1) are sent, at SNR (b,) in dB.

    Returns what arrives on the scale of X, and the noise variance of each symbol.
    """
    noise_var = clip_power(symbols, sent) * channel_noise(snr_db)
    noise = torch.randn(symbols.shape, generator=rng, device=rng.device).to(symbols.device)
    return sent * (symbols + noise_var.sqrt() * noise), noise_var.expand_as(symbols)


def over_block_fading(
    symbols: torch.Tensor, sent: torch.Tensor, snr_db: torch.Tensor, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same over Rayleigh gains that a receiver estimates from pilots and divides by.

    Symbols are interleaved, so each pair meets one of 1 .. 64 gains at random.
    """
    shape = (len(symbols), symbols.shape[1] // 2, *symbols.shape[2:])
    blocks = int(2 ** torch.randint(0, 7, (), generator=rng, device=rng.device))

    def gaussian(*size: int) -> torch.Tensor:
        return torch.view_as_complex(torch.randn(*size, 2, generator=rng, device=rng.device) * 0.5**0.5).to(
            symbols.device
        )

    gains = gaussian(len(symbols), blocks)
    which = torch.randint(0, blocks, shape, generator=rng, device=rng.device).to(symbols.device)
    gain = gains.gather(1, which.flatten(1)).view(shape)
    power, noise_var = clip_power(symbols, sent), channel_noise(snr_db)
    estimate = gain + (noise_var / PILOTS).sqrt() * gaussian(*shape)
    estimate = torch.where(estimate.abs() < 1e-3, torch.full_like(estimate, 1e-3), estimate)
    noise = (2 * power * noise_var).sqrt() * gaussian(*shape)  # a pair of real symbols has twice their power
    received = (gain * as_pairs(symbols) + noise) / estimate
    believed = power * noise_var * (1 + 1 / PILOTS) / estimate.abs().square()
    return sent * from_pairs(received), believed.repeat_interleave(2, 1)


def clip_power(symbols: torch.Tensor, sent: torch.Tensor) -> torch.Tensor:
    """Mean square of the symbols that are sent: (b, 1, 1, 1)."""
    axes = (1, 2, 3)
    return ((symbols * sent).square().sum(axes) / sent.sum(axes).clamp_min(1)).clamp_min(1e-8)[:, None, None, None]


def channel_noise(snr_db: torch.Tensor) -> torch.Tensor:
    """Noise variance of a real symbol of unit power: (b, 1, 1, 1)."""
    return 10 ** (-snr_db.float() / 10)[:, None, None, None]


def as_pairs(symbols: torch.Tensor) -> torch.Tensor:
    """Real (b, 2 n, ...) to complex (b, n, ...)."""
    return torch.complex(symbols[:, 0::2], symbols[:, 1::2])


def from_pairs(pairs: torch.Tensor) -> torch.Tensor:
    """The inverse of `as_pairs`."""
    return torch.stack((pairs.real, pairs.imag), 2).flatten(1, 2)
