"""Proof that a receiver depends on nothing but the agreement and what arrived.

After a transmission the transmitter sends a decoy, which leaves its own traces wherever the transmitter leaves any.
Then a receiver that was put aside before anything was sent makes its frames from the same arrival: they must
be the same to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch

from semlink.blocks import is_interactive, is_one_way
from semlink.errors import BoundaryError, Infeasible
from semlink.feedback import Burst, BurstContext, Feedback
from semlink.payload import ChannelOutput, Delivered, Frames, copy_of
from semlink.plain_data import from_bytes
from semlink.seeds import Seeds

if TYPE_CHECKING:
    from semlink.link.chain.link import Link

R = TypeVar("R")

BY_CHANCE = (
    "the receiver gives other frames each time for the same reception, with nothing in between: it draws at random; "
    "what it makes must follow from what arrived and from the agreement"
)


@contextmanager
def environment_kept(link: Link) -> Iterator[None]:
    """What a user's class writes into the environment inside is gone afterwards."""
    if link.is_ours:
        yield
        return
    before = dict(os.environ)
    try:
        yield
    finally:
        if os.environ != before:
            os.environ.clear()
            os.environ.update(before)


def decoy_for(clip: Frames, other: Frames | None = None) -> Frames:
    """Another clip of the shape of `clip`: `other` if it is one, else the negative, mirrored."""
    if other is not None and other.shape == clip.shape and not torch.equal(other.pixels, clip.pixels):
        return copy_of(other)
    return replace(clip, pixels=1.0 - clip.pixels.flip(-1))


def audit_one_way(
    link: Link, decoy: Frames, heard: ChannelOutput, length: int, agreement: bytes, seeds: Seeds, first: Delivered
) -> None:
    """Send a decoy, then let a receiver of before decode the first reception again.

    Args:
        heard: the channel's output, of which `length` symbols are data.
    Raises:
        BoundaryError: the frames differ.
    """
    agreed = from_bytes(agreement)
    transmitter = link.transmitter
    assert is_one_way(transmitter)
    with suppress(Infeasible), environment_kept(link):
        link.waveform.modulate(transmitter.transmit(decoy, agreed, seeds))

    def receive() -> Delivered:
        return _again(lambda: link.fresh.receive(heard, length, agreed.point.snr_db, agreement))

    again = receive()
    if not torch.equal(again.frames.pixels, first.frames.pixels):
        if not torch.equal(again.frames.pixels, receive().frames.pixels):
            raise BoundaryError(BY_CHANCE)
        raise BoundaryError(
            "the receiver gave other frames for the same reception after another clip was sent; "
            "it uses something that did not reach its antenna"
        )


def audit_interactive(
    link: Link,
    decoy: Frames,
    bursts: Sequence[Burst],
    said: Sequence[Feedback],
    agreement: bytes,
    seeds: Seeds,
    first: Delivered,
) -> None:
    """Begin to send a decoy, then let a receiver of before answer and decode the same bursts again.

    Raises:
        BoundaryError: answers or frames differ.
    """
    transmitter = link.transmitter
    assert is_interactive(transmitter)
    with suppress(Infeasible), environment_kept(link):
        opening = bursts[0].opening if bursts else BurstContext()
        transmitter.next_burst(decoy, from_bytes(agreement), seeds, (), opening)

    def answer() -> tuple[list[Feedback], Delivered]:
        return _again(lambda: link.fresh.answers(bursts, agreement))

    answers, again = answer()
    if answers != list(said) or not torch.equal(again.frames.pixels, first.frames.pixels):
        answers_then, then = answer()
        if answers_then != answers or not torch.equal(again.frames.pixels, then.frames.pixels):
            raise BoundaryError(BY_CHANCE)
        raise BoundaryError(
            "the receiver gave other answers or frames for the same bursts after another clip was begun; "
            "it uses something that did not reach its antenna"
        )


def _again(receive: Callable[[], R]) -> R:
    """What a receiver makes of it that never was beside a transmitter; a failure is an answer too."""
    try:
        return receive()
    except BoundaryError:
        raise
    except Exception as fault:
        raise BoundaryError(
            f"the receiver fails where no clip was sent before ({fault}); "
            "it uses something that did not reach its antenna"
        ) from fault
