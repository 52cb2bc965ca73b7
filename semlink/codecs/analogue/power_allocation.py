"""Numbers on the air as they are: how much power each gets, and the best linear guess of what was sent.

    y = H diag(a) u + w,   u of unit variance, a^2 the power, H Hadamard in groups, w noise of known variance

Power is counted per real number; the noise too.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import hadamard

__all__ = ["Allocation", "allocate", "distortion", "estimate", "mix"]

Allocation = Literal["optimal", "fourth-root"]

GROUP = 64
"""Numbers that are mixed by one Hadamard matrix."""
_BATCH = 256
_LEAST_NOISE = 1e-12


def allocate(variances: np.ndarray, counts: np.ndarray, noise_var: float, allocation: Allocation) -> np.ndarray:
    """Power (k,) of a number of each class, mean 1 over all of them.

    `fourth-root`: amplitude g_i ~ variance^(-1/4), so power ~ variance^(1/2), as in SoftCast. `optimal`: the least
    mean square error of a linear receiver, p_i = max(0, level * sqrt(variance_i) - noise_var): the same at high SNR,
    while in more noise the weak classes stay silent.

    Args:
        variances: (k,) of the numbers of a class, positive.
        counts: (k,) how many numbers it has.
        noise_var: of each real number, where a number's mean power is 1.
    Source: [jakubczak2011, error protection], [lee1976].
    """
    roots, total = np.sqrt(variances), float(np.sum(counts))
    if allocation == "fourth-root":
        return roots * total / np.sum(counts * roots)
    order = np.argsort(-roots, kind="stable")
    roots_sum, count_sum = np.cumsum((counts * roots)[order]), np.cumsum(counts[order])
    levels = (total + noise_var * count_sum) / roots_sum
    speaking = levels * roots[order] > noise_var
    if not speaking.any():  # the noise is so strong that rounding hides the signal: the strongest class has it all
        alone = np.zeros(len(variances))
        alone[order[0]] = total / counts[order[0]]
        return alone
    last = int(np.nonzero(speaking)[0][-1])
    return np.maximum(levels[last] * roots - noise_var, 0.0)


def distortion(variances: np.ndarray, powers: np.ndarray, noise_var: float) -> np.ndarray:
    """Mean square error (k,) of the best linear estimate of a number of each class."""
    return variances * noise_var / (powers + noise_var)


def mix(values: np.ndarray, group: int = GROUP) -> np.ndarray:
    """`values` (m,) through Hadamard matrices of `group` rows, the outputs of each spread over the whole length.

    What is left over goes through smaller ones. With `group` 1 it is the identity.
    """
    whole = len(values) // group * group
    mixed = (values[:whole].reshape(-1, group) @ _matrix(group)).T.ravel()
    return mixed if whole == len(values) else np.concatenate([mixed, mix(values[whole:], group // 2)])


def estimate(heard: np.ndarray, amplitudes: np.ndarray, noise_var: np.ndarray, group: int = GROUP) -> np.ndarray:
    """The linear MMSE estimate (m,) of u from heard = mix(amplitudes * u) + noise.

    Args:
        heard: (m,).
        amplitudes: (m,) of each number before it is mixed.
        noise_var: (m,) of each number heard; infinite where nothing arrived.
    Source: [jakubczak2011, LLSE decoder], [kay1993, ch. 12].
    """
    whole = len(heard) // group * group
    weights = np.where(np.isfinite(noise_var), 1 / np.maximum(noise_var, _LEAST_NOISE), 0.0)
    y, w = (part[:whole].reshape(group, -1).T for part in (heard, weights))
    a = amplitudes[:whole].reshape(-1, group)
    parts = [
        _estimate_groups(y[i : i + _BATCH], a[i : i + _BATCH], w[i : i + _BATCH]) for i in range(0, len(y), _BATCH)
    ]
    if whole < len(heard):
        parts.append(estimate(heard[whole:], amplitudes[whole:], noise_var[whole:], group // 2))
    return np.concatenate(parts) if parts else np.zeros(0)


def _estimate_groups(y: np.ndarray, a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Groups (b, n) at once: (I + A H' W H A) u = A H' W y."""
    h = _matrix(a.shape[1])
    y = np.where(w > 0, y, 0.0)
    normal = a[:, :, None] * (h.T @ (w[:, :, None] * h)) * a[:, None, :] + np.eye(a.shape[1])
    return np.linalg.solve(normal, (a * ((w * y) @ h))[..., None])[..., 0].ravel()


def _matrix(size: int) -> np.ndarray:
    return hadamard(size) / np.sqrt(size)
