"""A codec and a scheme of pictures in any colour."""

from __future__ import annotations

import numpy as np
import torch

from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, Frames, Packet, Symbols


class Sampled:
    """Every n-th sample of a frame's rows and columns, as 8 bits each."""

    colours = ("gray", "rgb", "yuv420")

    def __init__(self, colour: str = "gray") -> None:
        self.colour = colour

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        for step in range(1, 200):
            packets = self.encode_at(clip, step)
            if len(packets[0].data) + 8 <= max_bytes:
                return packets
        raise Infeasible("too few bytes")

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        step = int(rate)
        return (Packet(0, bytes([step]) + np.rint(255 * clip[:, ::step, ::step]).astype(np.uint8).tobytes()),)

    def decode(self, packets, shape) -> np.ndarray:
        assert shape.colour == self.colour
        if not packets:
            return np.full(shape.array, 0.5, np.float32)
        step, (t, rows, w) = packets[0].data[0], shape.array
        kept = np.frombuffer(packets[0].data[1:], np.uint8).reshape(t, -(-rows // step), -(-w // step))
        return (kept.repeat(step, 1).repeat(step, 2)[:, :rows, :w] / 255).astype(np.float32)


class Rows:
    """As many samples as the budget holds, in the order of the array, a symbol for two."""

    colours = ("gray", "rgb")

    def transmit(self, frames: Frames, agreement: Agreement, seeds) -> Flow[Symbols]:
        count = min(agreement.point.budget_uses, agreement.frames.num_samples // 2)
        flat = frames.pixels.reshape(1, -1)[:, : 2 * count] - 0.5
        iq = torch.complex(flat[:, 0::2].contiguous(), flat[:, 1::2].contiguous())
        iq = iq / iq.abs().square().mean().sqrt()
        return Flow(Symbols(iq)).then(Symbols(iq), Charge("rows", "payload", count))

    def receive(self, received, agreement: Agreement) -> Frames:
        shape = agreement.frames
        samples = torch.view_as_real(received.iq.to(torch.complex64)).reshape(-1)
        flat = torch.full((shape.num_samples,), 0.5)
        flat[: len(samples)] += 0.3 * samples
        return Frames(flat.clamp(0, 1).reshape(1, *shape.array), shape.colour)


class Forgetful(Rows):
    """Gives frames without their colour."""

    def receive(self, received, agreement: Agreement) -> Frames:
        return Frames(super().receive(received, agreement).pixels)


class Short(Rows):
    """Gives one plane of three."""

    def receive(self, received, agreement: Agreement) -> Frames:
        return Frames(super().receive(received, agreement).pixels[:, :, : agreement.frames.h], agreement.frames.colour)
