"""The envelope that travels the link: a payload and what it has cost so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from semlink.ledger import Charge, Ledger

T = TypeVar("T", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Flow(Generic[T]):
    """A payload on its way through the link, with its ledger."""

    payload: T
    ledger: Ledger = field(default_factory=Ledger)

    def then(self, payload: U, *charges: Charge) -> Flow[U]:
        """The next payload, with `charges` booked on the way."""
        ledger = self.ledger
        for charge in charges:
            ledger = ledger.spend(charge)
        return Flow(payload, ledger)
