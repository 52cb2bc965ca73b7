"""The error curve of any coding: known to it, kept from earlier, or measured now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from semlink.blocks import CodingBase
from semlink.caching import Memo
from semlink.phy.error_curves.kept import kept
from semlink.phy.error_curves.measured import expected, measured, transmission_losses
from semlink.phy.error_curves.waterfall import Waterfall

_KNOWN: Memo[Waterfall] = Memo(4096)


def block_edges(coding: CodingBase, uses: int) -> np.ndarray:
    """Symbols where the blocks of a transmission begin, and where the last one ends: (blocks + 1,).

    Raises:
        Infeasible: not even one block fits.
    """
    return np.concatenate(([0.0], np.cumsum(np.array(coding.block_symbols(uses), float))))


def guessed(coding: CodingBase, uses: int) -> Waterfall:
    """The curve as far as it is known without measuring: exact, or a guess that is good to about a decibel.

    Raises:
        Infeasible: not even one block fits.
    """
    symbols = max(int(max(coding.block_symbols(uses))), 1)
    return _as_curve(coding.known_curve(symbols)) or expected(coding.bits_per_symbol, coding.code_rate, symbols)


def curve_of(coding: CodingBase, uses: int) -> Waterfall:
    """The error curve of the blocks of a transmission of `uses` symbols over white noise.

    Raises:
        Infeasible: not even one block fits.
    """
    known = _as_curve(coding.known_curve(int(max(coding.block_symbols(uses)))))
    return known or _KNOWN.get((coding, uses), _maker(coding, uses))


def _maker(coding: CodingBase, uses: int) -> Callable[[], Waterfall]:
    """What measures a curve; those of the package's own codings are kept for later runs."""

    def make() -> Waterfall:
        return measured(transmission_losses(coding, uses), guessed(coding, uses))

    return (lambda: kept((type(coding).__qualname__, repr(coding), uses), make)) if is_ours(coding) else make


def is_ours(coding: CodingBase) -> bool:
    """Whether a coding is the package's own: a guess about it is good, and its `repr` says all that it is made of."""
    return type(coding).__module__.startswith("semlink.phy.")


def _as_curve(known: tuple[float, float] | None) -> Waterfall | None:
    return None if known is None else Waterfall(*known)
