"""Refusing parameters that make no physical sense, in one line each."""

from __future__ import annotations

import math
from collections.abc import Sequence


def need(ok: bool, where: str, got: object, allowed: str) -> None:
    """Refuse `got` unless `ok`.

    Raises:
        ValueError: names the place, the value and what is allowed.
    """
    if not ok:
        raise ValueError(f"{where}: got {got!r}; need {allowed}")


def need_number(where: str, got: object, low: float = -math.inf, high: float = math.inf) -> None:
    """Refuse what is not a finite number in [low, high]."""
    fine = isinstance(got, int | float) and not isinstance(got, bool) and math.isfinite(got) and low <= got <= high
    need(fine, where, got, f"a finite number{_range(low, high)}")


def need_count(where: str, got: object, low: int, high: float = math.inf) -> None:
    """Refuse what is not a whole number in [low, high]."""
    fine = isinstance(got, int) and not isinstance(got, bool) and low <= got <= high
    need(fine, where, got, f"a whole number{_range(low, high)}")


def need_choice(where: str, got: object, allowed: Sequence[object]) -> None:
    """Refuse what is not among `allowed`."""
    need(got in allowed, where, got, "one of " + ", ".join(map(str, allowed)))


def _range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f" >= {low:g}"
    return f" <= {high:g}" if math.isinf(low) else f" in [{low:g}, {high:g}]"
