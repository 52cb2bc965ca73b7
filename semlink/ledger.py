"""Who spent how many channel uses, and on what.

The unit is one complex channel use. Amounts are exact fractions, since a
24-bit CRC in 16-QAM costs six uses but in 64-QAM four and one in 256-QAM
three; their sum is compared with the antenna symbol for symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Literal, get_args

from semlink.errors import BudgetExceeded

Purpose = Literal["payload", "parity", "crc", "pilot", "header", "side_info", "retransmission"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True, slots=True)
class Charge:
    """`symbols` complex channel uses that `block` spends on `purpose`, per clip."""

    block: str
    purpose: Purpose
    symbols: Fraction | int

    def __post_init__(self) -> None:
        if self.purpose not in PURPOSES:
            raise ValueError(f"{self.block} charges for {self.purpose!r}; allowed: {', '.join(PURPOSES)}")
        if not isinstance(self.symbols, Fraction | int) or self.symbols < 0:
            raise ValueError(f"{self.block} charges {self.symbols!r} symbols; need an exact count >= 0")


@dataclass(frozen=True, slots=True)
class Ledger:
    """An append-only list of charges, with an optional budget in channel uses."""

    charges: tuple[Charge, ...] = ()
    budget: int | None = None

    def spend(self, charge: Charge) -> Ledger:
        """The ledger with one more entry.

        Raises:
            BudgetExceeded: the budget does not carry it.
        """
        left = None if self.budget is None else self.budget - self.symbols
        if left is not None and charge.symbols > left:
            raise BudgetExceeded(
                f"{charge.block} asked for {float(charge.symbols):g} symbols for {charge.purpose}, "
                f"{float(left):g} of {self.budget} left; lower its rate or raise sweep.budget"
            )
        return Ledger((*self.charges, charge), self.budget)

    @property
    def symbols(self) -> Fraction:
        """All channel uses charged so far."""
        return sum((Fraction(c.symbols) for c in self.charges), Fraction(0))

    def spent_on(self, purpose: Purpose) -> Fraction:
        """Channel uses charged for one purpose."""
        return sum((Fraction(c.symbols) for c in self.charges if c.purpose == purpose), Fraction(0))

    def by_purpose(self) -> dict[Purpose, Fraction]:
        """Channel uses for each purpose, all purposes named."""
        return {purpose: self.spent_on(purpose) for purpose in PURPOSES}


def rebook_payload(ledger: Ledger, split: Callable[[Charge], Iterable[Charge]]) -> Ledger:
    """The ledger with each payload charge in the parts that `split` makes of it; other charges stay."""
    parts = (split(charge) if charge.purpose == "payload" else (charge,) for charge in ledger.charges)
    return Ledger(tuple(chain.from_iterable(parts)), ledger.budget)


def ledger_of(charges: Iterable[Charge], budget: int | None = None) -> Ledger:
    """A ledger with `charges` booked in order."""
    ledger = Ledger(budget=budget)
    for charge in charges:
        ledger = ledger.spend(charge)
    return ledger
