"""Proof, by a decoy, that a receiver depends on nothing but what it received."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch

from semlink.blocks import is_one_way
from semlink.errors import BoundaryError
from semlink.payload import Agreement, Delivered, Frames, Received
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link


def audit_receiver_independence(
    link: Link, clip: Frames, received: Received, agreement: Agreement, seeds: Seeds, first: Delivered
) -> None:
    """Send a decoy, then let a fresh receiver decode the first reception again.

    A receiver that reads anything the transmitter left behind gives other frames.

    Raises:
        BoundaryError: the frames differ.
    """
    from semlink.link.chain.air import receive_alone

    transmitter, receiver = link.transmitter, pickle.loads(pickle.dumps(link.receiver))
    assert is_one_way(transmitter) and is_one_way(receiver)
    transmitter.transmit(Frames(1.0 - clip.pixels.flip(-1)), agreement, seeds)
    again = receive_alone(receiver, received, agreement)
    if not torch.equal(again.frames.pixels, first.frames.pixels):
        raise BoundaryError(
            "the receiver gave other frames for the same reception after another clip was sent; "
            "it uses something that did not reach its antenna"
        )
