"""Differential (delta-sigma) modulation with a quantiser that passes gradients.

A code c, mostly within (-1, 1), becomes bits b of -1 or 1 along one axis. What the quantiser
lost is carried into the next step, so a low-pass of the bits follows the code:

    first order   y[i] = c[i] + (y - b)[i-1]
    second order  y[i] = c[i] + 2 (y - b)[i-1] - (y - b)[i-2]
    b[i] = sign(y[i]),   with the derivative of tanh:  db/dy = 1 - tanh(y)^2

and y = b = 0 before the first step. With b = y + e the error is shaped by 1 - 1/Z
or its square: it rises by 6 or 12 dB an octave. Order 0 is the plain sign of each code.

Source: [sun2020framediff, supplement, eqs. (A.1)-(A.7) and (B.1)-(B.4)].
"""

from __future__ import annotations

import torch

__all__ = ["ORDERS", "bit_gradient", "modulate", "quantise", "states"]

ORDERS = (0, 1, 2)


def modulate(code: torch.Tensor, order: int, dim: int) -> torch.Tensor:
    """Bits of -1 and 1 of `code`, of its shape and type; the recurrence runs along `dim`, all else side by side.

    Raises:
        ValueError: an order other than 0, 1 or 2.
    Source: [sun2020framediff, supplement, eqs. (A.1), (A.2) and (B.1)].
    """
    if order == 0:
        return quantise(code)
    return quantise(states(code, order, dim))


def states(code: torch.Tensor, order: int, dim: int) -> torch.Tensor:
    """The modulated code y, whose sign the bits are.

    Raises:
        ValueError: an order other than 0, 1 or 2.
    """
    if order not in ORDERS:
        raise ValueError(f"modulator order: got {order!r}; allowed: 0 (plain sign), 1 or 2")
    if order == 0:
        return code
    found = []
    last = before = torch.zeros_like(code.select(dim, 0))  # y - b, one and two steps ago
    for step in code.unbind(dim):
        y = step + last if order == 1 else step + 2 * last - before
        last, before = y - quantise(y), last
        found.append(y)
    return torch.stack(found, dim)


def quantise(y: torch.Tensor) -> torch.Tensor:
    """The sign of y, 1 for zero; gradients pass as through tanh.

    Source: [sun2020framediff, supplement, eqs. (A.2) and (A.3)].
    """
    soft = torch.tanh(y)
    return soft + (torch.where(y < 0, -1.0, 1.0).to(y.dtype) - soft).detach()


def bit_gradient(y: torch.Tensor, back: int) -> torch.Tensor:
    """db[m]/dc[m - back] of a first-order modulator for every m >= back, from its states y (..., n).

    Source: [sun2020framediff, supplement, eq. (A.7)].
    """
    squared = torch.tanh(y).square()
    gradient = 1 - squared[..., back:]
    for earlier in range(1, back + 1):
        gradient = gradient * squared[..., back - earlier : y.shape[-1] - earlier]
    return gradient
