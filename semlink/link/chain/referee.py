"""The referee's checks: what reached the antenna, what the channel gave, what the receiver used."""

from __future__ import annotations

from fractions import Fraction

import torch

from semlink.errors import BudgetExceeded, InterfaceError, LedgerMismatch
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.payload import Frames, Symbols

POWER_SIGMAS = 6.0
POWER_SLACK = 1e-3
POWER_SPREAD = 0.63
"""Standard deviation of |x|^2 over 256-QAM, the widest of the constellations."""


def check_antenna(air: Flow[Symbols], budget: int | None) -> None:
    """Compare the antenna with the ledger and with the power constraint.

    The mean power of n random symbols of a unit-power constellation scatters
    by 0.63 / sqrt(n) at most; six times that and 0.1 % are allowed.

    Raises:
        LedgerMismatch: another number of symbols than charged, or too much power.
        BudgetExceeded: more symbols than the budget.
    """
    iq = air.payload.iq
    if iq.ndim != 2 or not iq.is_complex():
        raise InterfaceError(f"the antenna needs complex (clip, n), got {iq.dtype} {tuple(iq.shape)}")
    sent, charged = iq.shape[1], air.ledger.symbols
    if charged != sent:
        raise LedgerMismatch(f"{sent} symbols reached the antenna, the ledger has {float(charged):g}")
    if budget is not None and sent > budget:
        raise BudgetExceeded(f"{sent} symbols reached the antenna, the budget is {budget}")
    power = torch.view_as_real(iq.detach().resolve_conj()).double().square().sum(-1)
    if not all_finite(power):
        raise LedgerMismatch("a symbol at the antenna is not finite")
    allowed = 1 + POWER_SIGMAS * POWER_SPREAD / max(sent, 1) ** 0.5 + POWER_SLACK
    if bool((power.mean(dim=1) > allowed).any()):
        raise LedgerMismatch(f"average power at the antenna is {float(power.mean(dim=1).max()):.3f}, allowed is 1")


def check_plain(flow: Flow[Symbols]) -> None:
    """Make sure that symbols and ledger are what they say: a class of a user's own could say and carry anything.

    Raises:
        InterfaceError: an envelope, a tensor, a ledger or a charge of another class.
    """
    check_tensor(flow.payload.iq, "symbols")
    parts: list[tuple[object, tuple[type, ...]]] = [
        (flow, (Flow,)),
        (flow.payload, (Symbols,)),
        (flow.ledger, (Ledger,)),
        *((charge, (Charge,)) for charge in flow.ledger.charges),
        *((charge.symbols, (int, Fraction)) for charge in flow.ledger.charges),
    ]
    for part, allowed in parts:
        if type(part) not in allowed:
            raise InterfaceError(
                f"the transmitter gave {type(part).__name__}; need {' or '.join(k.__name__ for k in allowed)} itself"
            )


def check_tensor(tensor: object, what: str) -> None:
    """Make sure that a tensor is of torch's own class, which carries numbers and nothing else.

    Raises:
        InterfaceError: it is not.
    """
    if type(tensor) is not torch.Tensor:
        raise InterfaceError(f"{what} as {type(tensor).__name__}; need a torch.Tensor itself")


def all_finite(numbers: torch.Tensor) -> bool:
    """Whether none is infinite or NaN: the sum is finite only then, and may be too large though all are."""
    return bool(torch.isfinite(numbers.sum())) or bool(torch.isfinite(numbers).all())


def check_frames(frames: object, clip: Frames) -> None:
    """Make sure that the receiver answers with frames of the agreed shape and colour.

    Raises:
        InterfaceError: it does not.
    """
    if not isinstance(frames, Frames) or frames.pixels.shape != clip.pixels.shape:
        got = tuple(frames.pixels.shape) if isinstance(frames, Frames) else type(frames).__name__
        raise InterfaceError(f"the receiver returned {got}; need Frames of {tuple(clip.pixels.shape)}")
    if frames.colour != clip.colour:
        raise InterfaceError(f"the receiver returned frames in {frames.colour}; need Frames(pixels, {clip.colour!r})")
    if not all_finite(frames.pixels):
        raise InterfaceError("the receiver returned NaN or infinite pixels")
