"""A user's codings and a scheme that chooses among them: no base, no hash, nothing that says how they fare in noise."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Delivered, Frames, Received, Symbols

DATA, CRC = 16, 4
BITS = 8 * (DATA + CRC)
STEPS = (4, 8, 16)


@dataclass
class Repeated:
    """BPSK `times` times over, in blocks of 16 bytes and a CRC."""

    times: int
    bits_per_symbol = 1

    @property
    def code_rate(self) -> float:
        return 1 / self.times

    def block_sizes(self, uses):
        if uses < BITS * self.times:
            raise Infeasible(f"{uses} symbols hold no block")
        return (DATA,) * (uses // (BITS * self.times))

    def send(self, blocks, uses):
        checked = b"".join(block + zlib.crc32(block).to_bytes(CRC, "big") for block in blocks)
        bits = np.unpackbits(np.frombuffer(checked, np.uint8)).reshape(len(blocks), 1, BITS)
        iq = np.ones(uses, np.complex64)
        iq[: bits.size * self.times] = np.repeat(1 - 2.0 * bits, self.times, axis=1).ravel()
        symbols = Symbols(torch.from_numpy(iq)[None])
        payload, crc = 8 * DATA * len(blocks), 8 * CRC * len(blocks)
        return Flow(symbols).then(
            symbols,
            Charge("repeated", "payload", payload),
            Charge("repeated", "crc", crc),
            Charge("repeated", "parity", uses - payload - crc),
        )

    def receive(self, received: Received):
        count = len(self.block_sizes(received.iq.shape[1]))
        soft = received.iq.real.numpy()[0, : count * BITS * self.times].reshape(count, self.times, BITS).sum(axis=1)
        heard = [row.tobytes() for row in np.packbits(soft < 0, axis=1)]
        return tuple(h[:DATA] if zlib.crc32(h[:DATA]).to_bytes(CRC, "big") == h[DATA:] else None for h in heard)


CODINGS = {str(times): Repeated(times) for times in (1, 2, 3, 5, 8, 12)}


class Picks:
    """Means of blocks in a byte each, as fine as the coding has room for."""

    def agree(self, frames, point, calibration):
        offered = {name: Agreement(frames, point, {"coding": name, "note": f"times {name}"}) for name in CODINGS}
        return offered[calibration.best_coding(offered, CODINGS, point.budget_uses)]

    def transmit(self, frames, agreement, seeds):
        coding, uses = CODINGS[agreement.terms["coding"]], agreement.point.budget_uses
        sizes = coding.block_sizes(uses)
        step = _step(agreement.frames, sum(sizes))
        means = (F.avg_pool2d(frames.pixels, step) * 255).round().to(torch.uint8).numpy().tobytes()
        filled = means.ljust(sum(sizes), b"\0")
        return coding.send([filled[n : n + DATA] for n in range(0, len(filled), DATA)], uses)

    def receive(self, received, agreement):
        blocks = CODINGS[agreement.terms["coding"]].receive(received)
        shape = agreement.frames
        step = _step(shape, DATA * len(blocks))
        heard = np.frombuffer(b"".join(b"\x80" * DATA if b is None else b for b in blocks), np.uint8)
        small = heard[: shape.t * (shape.h // step) * (shape.w // step)].astype(np.float32) / 255
        means = torch.from_numpy(small).reshape(1, shape.t, shape.h // step, shape.w // step)
        lost = sum(block is None for block in blocks)
        return Delivered(Frames(F.interpolate(means, scale_factor=step)), len(blocks), lost)


def _step(shape, room: int) -> int:
    for step in STEPS:
        if shape.t * (shape.h // step) * (shape.w // step) <= room:
            return step
    raise Infeasible(f"{room} bytes are too few")
