"""How a check combines what its bits say: the arithmetic of each decoding rule.

`BoxPlus` is the sum-product rule with its correction simplified. Of two
magnitudes it keeps low - c(high - low) + c(high + low), c(x) = ln(1 + e^-x).
Here c(high - low) is a ramp of slope -1/4 down to zero (in int8 a staircase, in
quarters of an LLR), and instead of the other term, which lifts weak messages
only, a share of `low` is always kept: half in float32, nothing in int8.
Either way the result lies in 0..low, and is 0 where `low` is: a bit of which
nothing is known has no say, whatever sign its zero has.

`Normalised` and `Offset` take the smallest other magnitude, less a quarter of
itself or less a constant.

Numba keeps compiled loops by the file they stand in: after a change here, touch
`plain_kernel.py` too. The vector kernels look after themselves.
"""

from __future__ import annotations

from typing import NamedTuple

INT8_UNIT = 4  # steps per LLR
INT8_LIMIT = 31  # of a message, so that several may be taken off a saturated sum
INT8_INPUT = 30  # of a channel LLR: one message overrules a parity bit that has one check only
INT8_CERTAIN = 127
INT8_STEPS = 2  # c(x) is INT8_STEPS - floor(x / 4)
INT8_OFFSET = 2

FLOAT_STEP, FLOAT_KEPT = 0.6, 0.5  # c(x) is FLOAT_STEP - x / 4, of `low` at least FLOAT_KEPT is kept
FLOAT_CERTAIN = 1e30
FLOAT_OFFSET = 0.5

# Checks of at most so many bits tell each bit the combination of all others;
# larger ones tell all but the least reliable bit the same.
EXACT_DEGREE = 7


class BoxPlus(NamedTuple):
    """Sum-product, simplified. Source: [jones2003], the recursion over all bits but the least reliable."""

    code: int = 0


class Normalised(NamedTuple):
    """Three quarters of the minimum. Source: [chen2002], [chen2005]."""

    code: int = 1


class Offset(NamedTuple):
    """The minimum less half an LLR. Source: [chen2005]."""

    code: int = 2


Rule = BoxPlus | Normalised | Offset
