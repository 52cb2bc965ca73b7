"""Schemes for runs that are ended from outside: one that takes its time, one that fails at one SNR."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, Symbols


class Slow:
    """A few pixels as they are; says where it is by a file, named like its process, in the folder `told`."""

    def __init__(self, told: str, seconds: float = 0.0, fails_at_db: float | None = None) -> None:
        self.told, self.seconds, self.fails_at_db = told, seconds, fails_at_db

    def agree(self, frames, point, calibration) -> Agreement:
        return Agreement(frames, point)

    def transmit(self, frames: Frames, agreement: Agreement, seeds) -> Flow[Symbols]:
        (Path(self.told) / f"{os.getpid()}.pid").touch()
        if agreement.point.snr_db == self.fails_at_db:
            raise RuntimeError("out of symbols")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            sum(range(1000))
        symbols = Symbols(torch.full((1, 64), 0.5, dtype=torch.complex64))
        return Flow(symbols).then(symbols, Charge("slow", "payload", 64))

    def receive(self, received, agreement: Agreement) -> Frames:
        shape = agreement.frames
        return Frames(torch.full((1, shape.t, shape.h, shape.w), 0.5))
