"""The channel on an OFDM grid from pilots on every `comb`-th subcarrier of some symbols.

LMMSE takes the correlation over time and frequency to be a product: Clarke's
spectrum up to a stated Doppler shift, and delays uniform over a stated spread,
the least that can be known and robust against all else. With R_t and R_f over
the pilots and noise D_t per symbol, both factors diagonalise at once,

    D_t^-1/2 R_t D_t^-1/2 = U_t L_t U_t^H,  R_f = U_f L_f U_f^H
    h = (T_t D_t^-1/2 U_t) (L_t x L_f + 1)^-1 (U_t x U_f)^H D_t^-1/2 o (T_f U_f)^T

so the two-dimensional Wiener filter costs no more than two of one dimension.
Source: [edfors1998, sec. III] for the robust design in frequency, [hoeher1997,
sec. 2] for pilots in two dimensions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from semlink.phy.waveforms.channel_estimation import (
    LOUDEST,
    QUIETEST,
    WINDOW,
    clarke,
    linear_weights,
    nearest_looks,
    uniform_delays,
)

if TYPE_CHECKING:
    import torch

_FAINT_MODE = 1e-10  # of the strongest


def lmmse_on_grid(
    looks: torch.Tensor,
    noise_var: torch.Tensor,
    rows: torch.Tensor,
    num_symbols: int,
    *,
    comb: int,
    num_subcarriers: int,
    delays: tuple[float, float],
    doppler: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every resource element from the pilots around it.

    Args:
        looks: (clip, row, pilot), at every `comb`-th subcarrier of the symbols `rows`.
        noise_var: (clip, row).
        delays: the earliest and latest expected, over the length of the DFT.
        doppler: maximum Doppler shift times OFDM symbol time.
    Returns:
        estimate and error variance (clip, t, k).
    """
    import torch

    vectors, values, toward = _frequency_modes(num_subcarriers, comb, delays)
    modes = looks.to(vectors.dtype) @ vectors.conj()  # (clip, row, f)
    symbols = torch.arange(num_symbols)
    used = nearest_looks(rows, symbols, WINDOW)  # (t, look)
    scale = noise_var.double().clamp(QUIETEST, LOUDEST).rsqrt()[:, used]  # (clip, t, look)
    correlation = clarke(doppler)
    between = correlation(rows[used][:, :, None] - rows[used][:, None, :])
    levels, turn = torch.linalg.eigh(scale[..., :, None] * between * scale[..., None, :])
    onto = (correlation(symbols[:, None] - rows[used]) * scale)[..., None, :] @ turn  # (clip, t, 1, mode)
    shrink = 1 / (levels.clamp(min=0)[..., None] * values + 1)  # (clip, t, mode, f)
    seen = turn.mT.to(modes.dtype) @ (scale[..., None] * modes[:, used])  # (clip, t, mode, f)
    estimate = (onto.to(modes.dtype) @ (seen * shrink))[:, :, 0] @ toward.mT
    known = (onto**2 @ shrink)[:, :, 0] @ (toward.abs() ** 2).mT
    return estimate, (1 - known).clamp(min=0)


def ls_on_grid(
    looks: torch.Tensor,
    noise_var: torch.Tensor,
    rows: torch.Tensor,
    num_symbols: int,
    *,
    comb: int,
    num_subcarriers: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Straight lines between the pilots, over frequency and then over time; shapes as `lmmse_on_grid`."""
    import torch

    every = torch.arange(num_subcarriers)
    flat = noise_var.new_zeros(1, looks.shape[-1])
    used, weights, _ = linear_weights(every[::comb], flat, every[:, None])
    shares = weights[0, :, 0].to(looks.dtype)  # (k, 2)
    over_frequency = (looks[..., used] * shares).sum(-1)  # (clip, row, k)
    used, weights, left = linear_weights(rows, noise_var, torch.arange(num_symbols)[:, None])
    estimate = (weights[:, :, 0, :, None].to(looks.dtype) * over_frequency[:, used]).sum(2)
    return estimate, left * (shares.abs() ** 2).sum(-1)


@lru_cache(maxsize=16)
def _frequency_modes(num_subcarriers: int, comb: int, delays: tuple[float, float]):
    """Eigenvectors (pilot, f) and eigenvalues (f,) over the comb, and the way from them to all (k, f)."""
    import torch

    correlation = uniform_delays(*delays)
    every = torch.arange(num_subcarriers)
    at = every[::comb]
    values, vectors = torch.linalg.eigh(correlation(at[:, None] - at))
    strong = values > _FAINT_MODE * values[-1]
    vectors, values = vectors[:, strong], values[strong]
    return vectors, values, correlation(every[:, None] - at) @ vectors
