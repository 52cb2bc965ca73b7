"""The finest knob whose stream fits a budget, in few looks: bytes grow nearly exponentially with the knob."""

from __future__ import annotations

import math
from collections.abc import Callable

OCTAVE = 0.19  # of the knob's range for twice the bytes, as a first guess
ENOUGH = 0.993  # a stream that fills this much of the budget ends the search


def finest_under(size: Callable[[int], float], budget: float, most: int, start: int, *, most_looks: int = 8) -> int:
    """The largest knob in 0 .. `most` that was found to take at most `budget`; 0 where none was.

    The secant through the nearest looks on both sides, in the logarithm of the size; where it creeps, the middle.
    """
    seen: dict[int, float] = {}
    fits, over, wanted = -1, most + 1, start
    while over - fits > 1 and len(seen) < most_looks:
        knob = min(max(wanted, fits + 1), over - 1)
        seen[knob] = size(knob)
        fits, over = (knob, over) if seen[knob] <= budget else (fits, knob)
        if fits == knob and seen[knob] >= ENOUGH * budget:
            break
        wanted = _next(seen, fits, over, budget, most)
    return max(fits, 0)


def _next(seen: dict[int, float], fits: int, over: int, budget: float, most: int) -> int:
    if fits in seen and over in seen:
        if len(seen) > 4:
            return (fits + over) // 2
        share = math.log(budget / seen[fits]) / max(1e-9, math.log(seen[over] / seen[fits]))
        return math.floor(fits + share * (over - fits))
    knob = fits if fits in seen else over
    return math.floor(knob + OCTAVE * most * math.log2(max(budget, 1) / max(seen[knob], 1)))


def usual_knob(bits_per_token: float, most: int) -> int:
    """Where the search begins: the knob at which a usual clip takes so many bits a token."""
    return min(max(round(most * (0.42 + OCTAVE * math.log2(max(bits_per_token, 0.1) / 10))), 0), most)
