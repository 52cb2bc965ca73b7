"""The receiver's end as it was before anything was sent, and what it is asked to do again.

It is kept as bytes from the moment a link is put together. A user's classes work in another process, which
never held a clip and never sent one (`witness`); classes of semlink work in this one.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from semlink.blocks import Calibration, Scheme, WaveformBase, is_interactive, is_one_way
from semlink.errors import InterfaceError
from semlink.feedback import Burst, Feedback
from semlink.link.chain.air import made_of, receive_alone, said_by
from semlink.link.chain.boundary.file_watch import files_clock_ns
from semlink.link.chain.boundary.settle import Invented, Question, Story, story_of
from semlink.link.chain.boundary.witness import Journey, ask
from semlink.payload import ChannelOutput, Delivered, part_of
from semlink.plain_data import from_bytes

if TYPE_CHECKING:
    from semlink.link.chain.calibration import LinkCalibration

__all__ = ["TASKS", "FreshEnd", "is_ours", "user_modules"]

OURS = sys.stdlib_module_names | {"semlink", "torch", "numpy", "scipy", "numba", "av", "safetensors"}
"""Packages whose classes are no user's."""


@dataclass(frozen=True, slots=True)
class FreshEnd:
    """A receiver and the waveform in front of it, before anything was sent.

    Attributes:
        journey: both in bytes, and the user's modules that they need; None where they cannot be copied.
        fault: why they cannot.
    """

    journey: Journey | None
    fault: str = ""

    @classmethod
    def of(cls, receiver: Scheme, waveform: WaveformBase) -> FreshEnd:
        """That of a link that is being put together."""
        try:
            data = pickle.dumps((receiver, waveform))
            modules = user_modules(data)
        except Exception as fault:  # noqa: BLE001 - whatever a user's class says to being copied
            return cls(None, f"{receiver.name}: cannot be copied for a receiver of its own ({fault})")
        files = tuple((name, getattr(sys.modules.get(name), "__file__", None) or "") for name in modules)
        return cls(Journey(data, files, files_clock_ns() if modules else 0, dict(os.environ)))

    @property
    def is_foreign(self) -> bool:
        """Whether a user's classes are in it."""
        return self.journey is None or bool(self.journey.modules)

    def check(self) -> Journey:
        """That it can be copied.

        Raises:
            InterfaceError: it cannot.
        """
        if self.journey is None:
            raise InterfaceError(self.fault)
        return self.journey

    def receive(self, heard: ChannelOutput, length: int, snr_db: float, agreement: bytes) -> Delivered:
        """What is made of the channel's output, of which `length` symbols are data."""
        return self._done("receive", heard, length, snr_db, agreement)

    def answers(self, bursts: Sequence[Burst], agreement: bytes) -> tuple[list[Feedback], Delivered]:
        """What is answered to each burst, and what is made of all."""
        return self._done("answers", tuple(bursts), agreement)

    def settle(self, question: Question, invented: Invented, calibration: LinkCalibration) -> Story:
        """The agreement settled here; of `calibration`, what has no part in the clips."""
        return self._done("settle", question, invented, calibration=calibration)

    def _done(self, task: str, *given: Any, calibration: LinkCalibration | None = None) -> Any:
        journey = self.check()
        if journey.leads_abroad:
            return ask(journey, task, given, calibration)
        return TASKS[task](*pickle.loads(journey.data), calibration, *given)


def user_modules(data: bytes) -> list[str]:
    """Modules of a user whose classes or functions a pickle needs."""
    reader = _Reader(io.BytesIO(data))
    reader.load()
    return sorted(name for name in reader.modules if _is_users(name))


def is_ours(block: object) -> bool:
    """Whether nothing in a block is a user's: no class, no function; False of what cannot be looked through."""
    walk = _Walk(io.BytesIO())
    try:
        walk.dump(block)
    except Exception:  # noqa: BLE001 - whatever a user's class says to being copied
        return False
    return not any(map(_is_users, walk.modules))


def _is_users(module: str) -> bool:
    return module.split(".")[0] not in OURS


class _Walk(pickle.Pickler):
    """Remembers the modules of all that it comes by, and leaves the numbers of arrays alone."""

    def __init__(self, out: io.BytesIO) -> None:
        super().__init__(out)
        self.modules: set[str] = set()

    def persistent_id(self, thing: Any) -> str | None:
        named = isinstance(thing, (type, FunctionType))
        self.modules.add((thing if named else type(thing)).__module__)
        return "numbers" if isinstance(thing, (torch.Tensor, np.ndarray)) else None


class _Reader(pickle.Unpickler):
    """Remembers the modules of all classes and functions that it meets."""

    def __init__(self, data: io.BytesIO) -> None:
        super().__init__(data)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.modules.add(module)
        return super().find_class(module, name)


def _receive(
    receiver: Scheme,
    waveform: WaveformBase,
    calibration: None,
    heard: ChannelOutput,
    length: int,
    snr_db: float,
    agreement: bytes,
) -> Delivered:
    assert is_one_way(receiver)
    received = part_of(waveform.demodulate(heard, snr_db), 0, length)
    return receive_alone(receiver, received, from_bytes(agreement))


def _answers(
    receiver: Scheme, waveform: WaveformBase, calibration: None, bursts: Sequence[Burst], agreement: bytes
) -> tuple[list[Feedback], Delivered]:
    assert is_interactive(receiver)
    agreed = from_bytes(agreement)
    said = [said_by(receiver, bursts[: number + 1], agreed) for number in range(len(bursts))]
    return said, made_of(receiver, bursts, agreed)


def _settle(
    receiver: Scheme, waveform: WaveformBase, calibration: Calibration, question: Question, invented: Invented
) -> Story:
    return story_of(receiver, question, calibration, invented)


TASKS: dict[str, Callable[..., Any]] = {"receive": _receive, "answers": _answers, "settle": _settle}
"""What a receiver's end does, given itself, its waveform, a calibration or None, and what it is asked."""
