"""A network's numbers as complex symbols and back, and the power that they are sent with.

For an item of a batch with real numbers a_0 .. a_(2n-1), symbol k is

    pairs      a_(2k) + j a_(2k+1)
    halves     a_k + j a_(k+n)
    channels   the first half of the channels + j the second, elsewhere alike
    complex    as it is
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from semlink.errors import InterfaceError
from semlink.phy.power import mean_power

__all__ = ["Mapping", "Power", "constrained", "from_symbols", "symbols_in", "to_symbols"]

Mapping = Literal["pairs", "halves", "channels", "complex"]
Power = Literal["clip", "frame", "symbol", "own"]
TOLERANCE = 0.01
"""What a model's own power may lie above 1."""


def symbols_in(shape: tuple[int, ...], mapping: Mapping, *, is_complex: bool) -> int:
    """Complex symbols of an item in numbers of `shape` (item, ...).

    Raises:
        InterfaceError: real numbers where complex ones were said, the other way round, or an odd number of them.
    """
    if is_complex != (mapping == "complex"):
        got, meant = ("complex", "symbols: complex") if is_complex else ("real", "symbols: pairs, halves or channels")
        raise InterfaceError(f"the encoder gave {got} numbers and the scenario says symbols: {mapping}; use {meant}")
    count = math.prod(shape[1:])
    if is_complex:
        return count
    split = shape[_channels(shape)] if mapping == "channels" and len(shape) > 2 else count
    if split % 2:
        what = "channels" if split != count else "real numbers"
        raise InterfaceError(f"the encoder gave {shape}, {split} {what} of an item; symbols: {mapping} needs them even")
    return count // 2


def to_symbols(numbers: torch.Tensor, mapping: Mapping) -> torch.Tensor:
    """Numbers (item, ...) as complex64 (item, n)."""
    symbols_in(tuple(numbers.shape), mapping, is_complex=numbers.is_complex())
    if mapping == "complex":
        return numbers.to(torch.complex64).flatten(1)
    real = numbers.float()
    if mapping == "pairs":
        return torch.view_as_complex(real.reshape(len(real), -1, 2).contiguous())
    halves = _halves(real, mapping)
    return torch.complex(halves[0].flatten(1).contiguous(), halves[1].flatten(1).contiguous())


def from_symbols(iq: torch.Tensor, shape: tuple[int, ...], mapping: Mapping) -> torch.Tensor:
    """Symbols (item, n) as numbers of `shape`, as `to_symbols` got them."""
    if mapping == "complex":
        return iq.reshape(shape)
    if mapping == "pairs":
        return torch.view_as_real(iq.contiguous()).reshape(shape)
    if mapping == "halves" or len(shape) == 2:
        return torch.cat([iq.real.flatten(1), iq.imag.flatten(1)], 1).reshape(shape)
    axis = _channels(shape)
    half = list(shape)
    half[axis] //= 2
    return torch.cat([iq.real.reshape(half), iq.imag.reshape(half)], axis)


def constrained(iq: torch.Tensor, power: Power) -> torch.Tensor:
    """Symbols (item, n) of a clip, as they may be sent; silence stays silence.

    Raises:
        InterfaceError: numbers that are not finite, or the model's own power is above 1.
    """
    if not bool(torch.isfinite(mean_power(iq)).all()):
        raise InterfaceError("the encoder gave NaN or infinite numbers")
    if power == "symbol":
        return iq / iq.abs().clamp(min=1e-20)
    if power == "own":
        mean = float(mean_power(iq.reshape(1, -1)))
        if mean > 1 + TOLERANCE:
            raise InterfaceError(
                f"the model's own power is {mean:.3f} a symbol, allowed is 1{_likely(mean)}; "
                "power: clip scales each clip to 1"
            )
        return iq
    flat = iq.reshape(1, -1) if power == "clip" else iq
    return (flat * mean_power(flat).clamp(min=1e-20).rsqrt().unsqueeze(-1)).reshape(iq.shape)


def _likely(mean: float) -> str:
    """What such a power usually means."""
    return " (power 1 in each real number: unit: number)" if abs(mean - 2) < 0.05 else ""


def _halves(real: torch.Tensor, mapping: Mapping) -> tuple[torch.Tensor, ...]:
    if mapping == "halves" or real.ndim == 2:
        return real.flatten(1).chunk(2, 1)
    return real.chunk(2, _channels(tuple(real.shape)))


def _channels(shape: tuple[int, ...]) -> int:
    """The axis of the channels: the second; the third of (item, token, channel) and of (item, t, channel, h, w)."""
    return 2 if len(shape) in (3, 5) else 1
