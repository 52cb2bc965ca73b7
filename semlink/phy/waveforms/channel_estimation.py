"""From noisy looks at a gain to its estimate, and how far off that is.

A look is o = h + v with v ~ CN(0, noise_var). LMMSE takes h ~ CN(0, 1) with a
stated correlation r: the weights are w = (R + diag(noise_var))^-1 r, the error
1 - w^T r. LS believes the looks and joins them by straight lines; its error
holds the noise only, for it knows nothing of what h does in between.

Looks that never arrived have an infinite noise variance.
Source: [kay1993, sec. 12.5] for LMMSE; [edfors1998, sec. II] for its robust design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from semlink.phy.channels.fading import LOS_DOPPLER

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

Estimator = Literal["ls", "lmmse", "genie"]
Equalizer = Literal["zf", "mmse"]
ESTIMATORS = ("ls", "lmmse", "genie")
EQUALIZERS = ("zf", "mmse")

FAINTEST = 1e-12  # |h|^2 below which nothing is left to turn back
LOUDEST = 1e9  # stands for an infinite noise variance in a matrix
QUIETEST = 1e-9  # keeps matrices invertible where pilots are noiseless
WINDOW = 12  # looks that share in one estimate


def clarke(doppler: float, k: float = 0.0) -> Callable[[torch.Tensor], torch.Tensor]:
    """Correlation J0(2 pi doppler d) of isotropic scattering at distance d, and a line of sight `k` times as strong.

    That turns at 0.7 of the Doppler shift, in a direction that is not known.
    """
    import torch

    def correlation(distance: torch.Tensor) -> torch.Tensor:
        turns = 2 * torch.pi * doppler * distance.double()
        return (torch.special.bessel_j0(turns) + k * torch.cos(LOS_DOPPLER * turns)) / (1 + k)

    return correlation


def wiener_phase_correlation(linewidth: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Correlation e^(-pi linewidth |d|) of a carrier whose phase walks."""
    import torch

    return lambda distance: torch.exp(-torch.pi * linewidth * distance.double().abs())


def pooled(
    looks: torch.Tensor, noise_var: torch.Tensor, group: torch.Tensor, num_groups: int, *, prior: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """One estimate per group of looks at the same gain.

    Args:
        looks, noise_var: (clip, m).
        group: (m,) group of each look.
        prior: LMMSE with h ~ CN(0, 1); otherwise LS.
    Returns:
        estimates and error variances (clip, num_groups); a group that nobody
        saw has estimate 0 and error 1 (LMMSE) or infinity (LS).
    """
    weight = (1 / noise_var.double().clamp(min=QUIETEST)).to(looks.dtype)
    seen = looks.new_zeros(looks.shape[0], num_groups).index_add(1, group, looks * weight)
    precision = weight.real.new_zeros(seen.shape).index_add(1, group, weight.real) + float(prior)
    estimate = seen / precision.clamp(min=1 / LOUDEST)
    return estimate, 1 / precision


def nearest_looks(at: torch.Tensor, targets: torch.Tensor, size: int) -> torch.Tensor:
    """For each target (s,), the numbers of `size` neighbouring looks around it: (s, size); `at` ascends."""
    import torch

    size = min(size, len(at))
    first = (torch.searchsorted(at.contiguous(), targets.contiguous()) - size // 2).clamp(0, len(at) - size)
    return first[:, None] + torch.arange(size)


def wiener_weights(
    at: torch.Tensor, noise_var: torch.Tensor, targets: torch.Tensor, correlation: Callable
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """LMMSE weights from the looks around each run of targets.

    Args:
        at: positions of the looks (m,), ascending.
        noise_var: of each look (clip, m).
        targets: positions asked for (s, d); the d of one run share a window.
        correlation: real, of a distance.
    Returns:
        numbers of the looks used (s, k), weights (clip, s, d, k), error variances (clip, s, d).
    """
    import torch

    used = nearest_looks(at, targets.double().mean(1), WINDOW)
    places = at[used].double()
    between = correlation(places[:, :, None] - places[:, None, :])  # (s, k, k)
    toward = correlation(targets[:, :, None] - places[:, None, :])  # (s, d, k)
    noise = noise_var.double().clamp(QUIETEST, LOUDEST)[:, used]  # (clip, s, k)
    system = between + torch.diag_embed(noise)
    weights = torch.linalg.solve(system, toward.mT.expand(*system.shape[:2], -1, -1)).mT
    error = (1 - (weights * toward).sum(-1)).clamp(min=0)
    return used, weights, error


def linear_weights(
    at: torch.Tensor, noise_var: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Straight lines between neighbouring looks, held beyond the ends; shapes as `wiener_weights`.

    A lost look leaves its share to its neighbour; where both are lost the error is infinite.
    """
    import torch

    used = nearest_looks(at, targets.double().mean(1), 2)
    left, right = at[used[:, :1]].double(), at[used[:, -1:]].double()
    part = ((targets - left) / (right - left).clamp(min=1)).clamp(0, 1)
    shares = torch.stack([1 - part, part], -1)[..., -used.shape[1] :]  # (s, d, k)
    shares = shares if used.shape[1] > 1 else torch.ones_like(shares)
    noise = noise_var.double()[:, used][:, :, None, :]  # (clip, s, 1, k)
    weights = shares * torch.isfinite(noise)
    total = weights.sum(-1, keepdim=True)
    weights = torch.where(total > 0, weights / total.clamp(min=1e-6), weights)
    error = (weights**2 * noise.nan_to_num(posinf=0.0)).sum(-1).masked_fill(total[..., 0] <= 0, torch.inf)
    return used, weights, error


def missed_by_lines(
    places: torch.Tensor, weights: torch.Tensor, targets: torch.Tensor, correlation: Callable
) -> torch.Tensor:
    """E|h - sum w h(place)|^2, what the gain does between looks that straight lines don't follow: (clip, s, d).

    Args:
        places: of the looks used (s, k).
        weights: (clip, s, d, k).
        targets: (s, d).
    """
    toward = correlation(targets[:, :, None] - places[:, None, :])  # (s, d, k)
    between = correlation(places[:, :, None] - places[:, None, :])[:, None]  # (s, 1, k, k)
    own = (weights[..., :, None] * between * weights[..., None, :]).sum((-1, -2))
    return (1 - 2 * (weights * toward).sum(-1) + own).clamp(min=0)


def equalise(
    iq: torch.Tensor, estimate: torch.Tensor, noise_var: torch.Tensor, error: torch.Tensor, equalizer: Equalizer
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn the gain back: symbols of gain 1, and the noise variance that each is left with.

    y = ĥ x + (h - ĥ) x + w, so that v = noise_var + error at unit signal power.
    "zf" is y / ĥ; "mmse" is ĥ* y / (|ĥ|^2 + v) divided by its own bias
    |ĥ|^2 / (|ĥ|^2 + v). With one tap the two are the same number; they differ
    only in what the receiver calls them. Either leaves v / |ĥ|^2, infinite
    where the estimate is zero.
    """
    import torch

    power = estimate.real**2 + estimate.imag**2
    total = noise_var + error
    heard = (power > FAINTEST) & torch.isfinite(total)
    if bool(heard.all()):
        return _equalised(iq, estimate, power, total, equalizer), (total / power).float()
    safe = torch.where(heard, power, torch.ones_like(power))
    symbols = _equalised(iq, estimate, safe, total.nan_to_num(posinf=0.0), equalizer)
    left = (total / safe).masked_fill(~heard, torch.inf)
    return symbols.masked_fill(~heard, 0), left.float()


def _equalised(
    iq: torch.Tensor, estimate: torch.Tensor, power: torch.Tensor, total: torch.Tensor, equalizer: Equalizer
) -> torch.Tensor:
    if equalizer == "mmse":
        shrunk = estimate.conj() * iq / (power + total)
        return shrunk * (1 + total / power)
    return estimate.conj() * iq / power
