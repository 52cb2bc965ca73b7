"""How a check combines what its bits say: the arithmetic of each decoding rule.

`BoxPlus` is the sum-product rule with its correction term simplified. For two
magnitudes it is low - c(high - low) + c(high + low) with c(x) = ln(1 + e^-x).
In float32, c is a parabola, and LLRs are scaled so that it reads
(reach - x)^2. In int8, in quarters of an LLR, c(high - low) is a staircase and
the other term, which lifts weak messages only, is left out.

`Normalised` and `Offset` take the smallest other magnitude, less a quarter of
itself or less a constant.

Source: [jones2003] for the recursion over all bits but the least reliable,
[chen2005] for the two min-sum rules.
"""

from __future__ import annotations

from typing import NamedTuple

INT8_UNIT = 4  # steps per LLR
INT8_LIMIT = 31  # of a message, so that several may be taken off a saturated sum
INT8_INPUT = 30  # of a channel LLR: one message overrules a parity bit that has one check only
INT8_CERTAIN = 127
INT8_STEPS = 2  # c(x) is INT8_STEPS - floor(x / 4)
INT8_OFFSET = 2

PARABOLA_HEIGHT, PARABOLA_REACH = 0.66, 3.6  # close to c(x) where LLRs are small, zero beyond
FLOAT_UNIT = PARABOLA_HEIGHT / PARABOLA_REACH**2
FLOAT_REACH = PARABOLA_REACH * FLOAT_UNIT
FLOAT_CERTAIN = 1e30
FLOAT_OFFSET = 0.5 * FLOAT_UNIT

# Checks of at most so many bits tell each bit the combination of all others;
# larger ones tell all but the least reliable bit the same.
INT8_EXACT_DEGREE = 6
FLOAT_EXACT_DEGREE = 10


class BoxPlus(NamedTuple):
    """Sum-product, simplified."""

    code: int = 0


class Normalised(NamedTuple):
    """Three quarters of the minimum."""

    code: int = 1


class Offset(NamedTuple):
    """The minimum less half an LLR."""

    code: int = 2


Rule = BoxPlus | Normalised | Offset
