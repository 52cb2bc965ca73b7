"""The referee's checks: what reached the antenna, what the channel gave, what the receiver used."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import torch

from semlink.errors import BoundaryError, BudgetExceeded, ChannelFault, JointError, LedgerMismatch
from semlink.flow import Flow
from semlink.payload import Agreement, Delivered, Frames, Heard, Received, Symbols
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.transmit import Link

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
        raise JointError(f"the antenna needs complex (clip, n), got {iq.dtype} {tuple(iq.shape)}")
    sent, charged = iq.shape[1], air.ledger.symbols
    if charged != sent:
        raise LedgerMismatch(f"{sent} symbols reached the antenna, the ledger has {float(charged):g}")
    if budget is not None and sent > budget:
        raise BudgetExceeded(f"{sent} symbols reached the antenna, the budget is {budget}")
    power = iq.detach().abs().double().square()
    if not bool(torch.isfinite(power).all()):
        raise LedgerMismatch("a symbol at the antenna is not finite")
    allowed = 1 + POWER_SIGMAS * POWER_SPREAD / max(sent, 1) ** 0.5 + POWER_SLACK
    if bool((power.mean(dim=1) > allowed).any()):
        raise LedgerMismatch(f"average power at the antenna is {float(power.mean(dim=1).max()):.3f}, allowed is 1")


def check_heard(heard: Any, sent: torch.Tensor) -> Heard:
    """A channel's output as `Heard`, if it can be true.

    Raises:
        ChannelFault: not a tensor, another number of symbols, real, or not finite.
    """
    if isinstance(heard, torch.Tensor):
        heard = Heard(heard)
    if not isinstance(heard, Heard) or not isinstance(heard.iq, torch.Tensor):
        raise ChannelFault(f"the channel returned {type(heard).__name__}; need a complex tensor or semlink.Heard")
    if heard.iq.shape != sent.shape:
        raise ChannelFault(f"the channel changed (clip, symbols) from {tuple(sent.shape)} to {tuple(heard.iq.shape)}")
    if not heard.iq.is_complex():
        raise ChannelFault(f"the channel returned {heard.iq.dtype}; need complex symbols")
    if not bool(torch.isfinite(torch.view_as_real(heard.iq.detach())).all()):
        raise ChannelFault("the channel returned NaN or infinite symbols")
    return heard


def check_frames(frames: Any, clip: Frames) -> None:
    """Make sure that the receiver answers with frames of the agreed shape.

    Raises:
        JointError: it does not.
    """
    if not isinstance(frames, Frames) or frames.pixels.shape != clip.pixels.shape:
        got = tuple(frames.pixels.shape) if isinstance(frames, Frames) else type(frames).__name__
        raise JointError(f"the receiver returned {got}; need Frames of {tuple(clip.pixels.shape)}")
    if not bool(torch.isfinite(frames.pixels).all()):
        raise JointError("the receiver returned NaN or infinite pixels")


def refuse_second_sight(
    link: Link, clip: Frames, received: Received, agreement: Agreement, seeds: Seeds, first: Delivered
) -> None:
    """Send a decoy, then let a fresh receiver decode the first reception again.

    A receiver that reads anything the transmitter left behind gives other frames.

    Raises:
        BoundaryError: the frames differ.
    """
    from semlink.link.chain.transmit import receive_alone

    decoy = Frames(1.0 - clip.pixels.flip(-1))
    link.transmitter.transmit(decoy, agreement, seeds)
    again = receive_alone(pickle.loads(pickle.dumps(link.receiver)), received, agreement)
    if not torch.equal(again.frames.pixels, first.frames.pixels):
        raise BoundaryError(
            "the receiver gave other frames for the same reception after another clip was sent; "
            "it uses something that did not reach its antenna"
        )
