"""The channel on an OFDM grid from pilots on every `comb`-th subcarrier of some symbols.

What is known of the channel is a product of correlations over time and frequency:
Clarke's spectrum up to a stated Doppler shift, and paths that fade away over stated delays,
each through the band limit of the antenna: little enough to be known and robust
against all else. With R_t and R_f over the pilots and noise D_t per symbol, both
factors diagonalise at once,

    D_t^-1/2 R_t D_t^-1/2 = U_t L_t U_t^H,  R_f = U_f L_f U_f^H
    h = (T_t D_t^-1/2 U_t) (L_t x L_f + 1)^-1 (U_t x U_f)^H D_t^-1/2 o (T_f U_f)^T

so the two-dimensional Wiener filter costs no more than two of one dimension.
Source: [edfors1998, sec. III] for the robust design in frequency, [hoeher1997,
sec. 2] for pilots in two dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from semlink.phy.channels.tapped_delay_line import PRECURSOR, band_limited
from semlink.phy.waveforms.channel_estimation import (
    LOUDEST,
    QUIETEST,
    WINDOW,
    clarke,
    linear_weights,
    nearest_looks,
)
from semlink.phy.waveforms.ofdm_grid import frequencies

if TYPE_CHECKING:
    import torch

_FAINT_MODE = 1e-10  # of the strongest
_PATHS_PER_SAMPLE = 4  # of delay, that stand for all delays
_EVEN = 0.1  # share of the power that is taken to be even over the delays, whatever their spread


@dataclass(frozen=True, slots=True)
class Delays:
    """What is known of the paths, in samples: evenly dense from 0 to the last one.

    Attributes:
        latest: delay of the last path.
        spread: root mean square; their power falls by e over so much, to a floor; None: all are alike.
        k: power of a line of sight, which arrives at 0, over that of all else.
    """

    latest: float
    spread: float | None = None
    k: float = 0.0

    def paths(self) -> torch.Tensor:
        """float64 (path,)."""
        import torch

        return torch.linspace(0, self.latest, _PATHS_PER_SAMPLE * ceil(self.latest) + 1, dtype=torch.float64)

    def powers(self) -> torch.Tensor:
        """Of the paths, 1 together: float64 (path,)."""
        import torch

        paths = self.paths()
        fall = torch.exp(-paths / self.spread) if self.spread and not self.k else torch.ones_like(paths)
        power = (1 - _EVEN) * fall / fall.sum() + _EVEN / len(fall)
        power[0] += self.k
        return power / (1 + self.k)


@dataclass(frozen=True, slots=True)
class GridModel:
    """What is known of the channel for long: maximum Doppler shift times sample time, and delays."""

    doppler: float
    delays: Delays

    def leakage(self, num_subcarriers: int) -> float:
        """Power that a gain which moves within a symbol leaves on other subcarriers, of a signal of power 1.

        The share of a window's power that is not in its mean. Source: [li2001, interference of a Doppler spectrum].
        """
        import torch

        lag = torch.arange(1, num_subcarriers)
        inside = ((1 - lag / num_subcarriers) * clarke(self.doppler, self.delays.k)(lag)).sum()
        return max(1 - (1 + 2 * float(inside)) / num_subcarriers, 0.0)

    def spill(self, num_subcarriers: int, cyclic_prefix: int, advance: int) -> float:
        """Power of what the band limit smears beyond the prefix, of a signal of power 1.

        A tap m samples outside loses so many of the symbol's own samples and brings as many of another.
        """
        import torch

        taps = band_limited(self.delays.paths(), self.delays.latest).square() @ self.delays.powers()  # (lag,)
        lags = torch.arange(len(taps)) - PRECURSOR
        outside = torch.maximum(lags - (cyclic_prefix - advance), -advance - lags).clamp(0, num_subcarriers)
        return float((2 * outside / num_subcarriers * taps).sum())


class _Modes(NamedTuple):
    """Eigenvectors (pilot, f), eigenvalues (f,) over the comb, the way from them to all (k, f), power of all (k,)."""

    vectors: torch.Tensor
    values: torch.Tensor
    toward: torch.Tensor
    prior: torch.Tensor


def lmmse_on_grid(
    looks: torch.Tensor,
    noise_var: torch.Tensor,
    rows: torch.Tensor,
    num_symbols: int,
    sizes: tuple[int, int, int],
    model: GridModel,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every resource element from the pilots around it.

    Args:
        looks: (clip, row, pilot), at every `comb`-th subcarrier of the symbols `rows`.
        noise_var: (clip, row).
        sizes: comb of the pilots, subcarriers, samples of an OFDM symbol with its prefix.
    Returns:
        estimate and error variance (clip, t, k).
    """
    import torch

    modes = _frequency_modes(sizes[1], sizes[0], model.delays)
    seen = looks.to(modes.vectors.dtype) @ modes.vectors.conj()  # (clip, row, f)
    by_mode = torch.view_as_real(seen).permute(2, 1, 0, 3)  # (f, row, clip, 2)
    numbers, which = torch.unique(noise_var, dim=0, return_inverse=True)  # clips alike share their filters
    estimate = seen.new_empty(len(looks), num_symbols, sizes[1])
    error = noise_var.new_empty(estimate.shape, dtype=torch.float64)
    for number, noise in enumerate(numbers.tolist()):
        weights, left = _filters(tuple(noise), tuple(rows.tolist()), num_symbols, sizes, model)
        mine = which == number
        over_time = torch.view_as_complex(_each(weights, by_mode[:, :, mine]))  # (f, t, clip)
        estimate[mine] = over_time.permute(2, 1, 0) @ modes.toward.mT
        error[mine] = left
    return estimate, error


def _each(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """`weights` (f, t, row) times `values` (f, row, clip, 2): (f, t, clip, 2)."""
    return (weights @ values.flatten(2)).unflatten(2, values.shape[2:])


@lru_cache(maxsize=32)
def _filters(
    noise_var: tuple[float, ...], rows: tuple[int, ...], num_symbols: int, sizes: tuple[int, int, int], model: GridModel
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a pilot row tells of each symbol in each frequency mode (f, t, row), and the error that is left (t, k).

    The same for all transmissions of a length that meet the same noise.
    """
    import torch

    comb, num_subcarriers, symbol_uses = sizes
    modes = _frequency_modes(num_subcarriers, comb, model.delays)
    at, symbols = torch.tensor(rows), torch.arange(num_symbols)
    used = nearest_looks(at, symbols, WINDOW)  # (t, look)
    scale = torch.tensor(noise_var, dtype=torch.float64).clamp(QUIETEST, LOUDEST).rsqrt()[used]  # (t, look)
    correlation = clarke(model.doppler * symbol_uses, model.delays.k)
    between = correlation(at[used][:, :, None] - at[used][:, None, :])
    levels, turn = torch.linalg.eigh(scale[:, :, None] * between * scale[:, None, :])
    onto = (correlation(symbols[:, None] - at[used]) * scale)[:, None, :] @ turn  # (t, 1, mode)
    shrink = 1 / (levels.clamp(min=0)[..., None] * modes.values + 1)  # (t, mode, f)
    weights = (scale[:, :, None] * turn) @ (onto.mT * shrink)  # (t, look, f)
    dense = weights.new_zeros(num_symbols, len(rows), weights.shape[2])
    dense.scatter_(1, used[:, :, None].expand_as(weights), weights)
    known = (onto**2 @ shrink)[:, 0] @ (modes.toward.abs() ** 2).mT
    return dense.permute(2, 0, 1).contiguous(), (modes.prior - known).clamp(min=0)


def ls_on_grid(
    looks: torch.Tensor,
    noise_var: torch.Tensor,
    rows: torch.Tensor,
    num_symbols: int,
    sizes: tuple[int, int, int],
    model: GridModel | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Straight lines between the pilots, over frequency and then over time; shapes as `lmmse_on_grid`.

    Without a model the error holds the noise only, and not what the gain does between pilots.
    """
    import torch

    comb, num_subcarriers, symbol_uses = sizes
    every = torch.arange(num_subcarriers)
    flat = noise_var.new_zeros(1, looks.shape[-1])
    frequency_looks, weights, _ = linear_weights(every[::comb], flat, every[:, None])
    shares = weights[0, :, 0].to(looks.dtype)  # (k, 2)
    over_frequency = (looks[..., frequency_looks] * shares).sum(-1)  # (clip, row, k)
    used, weights, left = linear_weights(rows, noise_var, torch.arange(num_symbols)[:, None])
    estimate = (weights[:, :, 0, :, None].to(looks.dtype) * over_frequency[:, used]).sum(2)
    error = left * (shares.abs() ** 2).sum(-1)
    if model is None:
        return estimate, error
    response = frequency_response(num_subcarriers, model.delays)
    lines = (shares.to(response.dtype)[..., None] * response[::comb][frequency_looks]).sum(1)  # (k, path)
    correlation = clarke(model.doppler * symbol_uses, model.delays.k)
    places, shares_t = rows[used], weights[:, :, 0]  # (t, look), (clip, t, look)
    toward = (shares_t * correlation(torch.arange(num_symbols)[:, None] - places)).sum(-1)[..., None]  # (clip, t, 1)
    between = correlation(places[:, :, None] - places[:, None, :])
    own = (shares_t[..., :, None] * between * shares_t[..., None, :]).sum((-1, -2))[..., None]
    moved = response.abs().square().sum(1) - 2 * toward * (response.conj() * lines).sum(1).real
    return estimate, error + (moved + own * lines.abs().square().sum(1)).clamp(min=0)


@lru_cache(maxsize=16)
def _frequency_modes(num_subcarriers: int, comb: int, delays: Delays) -> _Modes:
    """Those that have any power."""
    import torch

    response = frequency_response(num_subcarriers, delays)
    at = response[::comb]
    values, vectors = torch.linalg.eigh(at @ at.mH)
    strong = values > _FAINT_MODE * values[-1]
    vectors, values = vectors[:, strong], values[strong]
    return _Modes(vectors, values, response @ (at.mH @ vectors), response.abs().square().sum(1))


@lru_cache(maxsize=16)
def frequency_response(num_subcarriers: int, delays: Delays) -> torch.Tensor:
    """H(f) of the paths, each with the root of its power: complex128 (subcarrier, path)."""
    import torch

    taps = band_limited(delays.paths(), delays.latest) * delays.powers().sqrt()  # (lag, path)
    lags = torch.arange(len(taps), dtype=torch.float64) - PRECURSOR
    turn = torch.exp(-2j * torch.pi * frequencies(num_subcarriers)[:, None] * lags)
    return turn @ taps.to(turn.dtype)
