"""semlink: end-to-end simulation of semantic communication for video imaging.

Importing the package loads nothing heavy; the public names below are fetched
on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from semlink.flow import Flow as Flow
    from semlink.ledger import Charge as Charge, Ledger as Ledger
    from semlink.payload import (
        ChannelOutput as ChannelOutput,
        Frames as Frames,
        Measurement as Measurement,
        Received as Received,
        Symbols as Symbols,
    )
    from semlink.seeds import Seeds as Seeds

_HOMES = {
    "Charge": "ledger",
    "Flow": "flow",
    "Frames": "payload",
    "ChannelOutput": "payload",
    "Ledger": "ledger",
    "Measurement": "payload",
    "Received": "payload",
    "Seeds": "seeds",
    "Symbols": "payload",
}

__all__ = ["Charge", "Flow", "Frames", "ChannelOutput", "Ledger", "Measurement", "Received", "Seeds", "Symbols"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'semlink' has no attribute {name!r}")
    return getattr(import_module(f"semlink.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
