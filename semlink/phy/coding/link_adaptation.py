"""The rules of HARQ and of an MCS that follows the channel."""

from __future__ import annotations

from dataclasses import dataclass

from semlink.phy.coding.harq import Combining


@dataclass(frozen=True, slots=True)
class Harq:
    """Failed blocks are sent again, up to `transmissions` times in all.

    Under a budget the first transmission takes no more than 1 - `reserve` of it.
    """

    kind: Combining = "ir"
    transmissions: int = 4
    reserve: float = 0.2


@dataclass(frozen=True, slots=True)
class Adaptive:
    """The MCS of a group follows the SNR that the receiver measured `csi_delay` groups before; 0 is a genie."""

    csi_delay: int = 1
    target_bler: float = 0.1
    backoff_db: float = 0.0
