"""Small blocks for tests: a source, a codec, channels and schemes, honest and not."""

from __future__ import annotations

import numpy as np
import torch

from semlink.errors import Infeasible
from semlink.flow import Flow
from semlink.ledger import Charge
from semlink.payload import Agreement, ChannelOutput, Frames, Packet, Symbols

STEPS = (4, 8, 16, 32)
LEFT_BEHIND: dict[str, torch.Tensor] = {}


class Ramps:
    """Smooth moving waves, 4 frames of 64x64."""

    def __init__(self, clips: int = 2) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return self.clips

    def name(self, index: int) -> str:
        return f"ramp{index}"

    def clip(self, index: int) -> np.ndarray:
        t, y, x = np.mgrid[0:4, 0:64, 0:64]
        return (0.5 + 0.4 * np.sin((x + (index + 1) * t) / 9.0) * np.cos(y / 7.0)).astype(np.float32)


class Thumbnails:
    """Each frame as a packet with its thumbnail; the step is the rate knob."""

    def __repr__(self) -> str:
        return "Thumbnails()"

    def encode(self, clip: np.ndarray, *, max_bytes: int) -> tuple[Packet, ...]:
        for step in STEPS:
            packets = self.encode_at(clip, step)
            if sum(len(p.data) + 3 for p in packets) <= max_bytes:
                return packets
        raise Infeasible(f"the smallest stream is longer than {max_bytes} bytes")

    def encode_at(self, clip: np.ndarray, rate: float) -> tuple[Packet, ...]:
        step = int(rate)
        thumbs = np.round(clip[:, step // 2 :: step, step // 2 :: step] * 255).astype(np.uint8)
        return tuple(Packet(t, bytes([step]) + thumb.tobytes()) for t, thumb in enumerate(thumbs))

    def decode(self, packets, shape) -> np.ndarray:
        frames = np.full((shape.t, shape.h, shape.w), 0.5, np.float32)
        for packet in packets:
            step = packet.data[0]
            thumb = np.frombuffer(packet.data[1:], np.uint8).reshape(shape.h // step, shape.w // step) / 255
            frames[packet.time] = np.kron(thumb, np.ones((step, step)))
        return frames


class Direct:
    """Pixels as amplitudes of unit average power, a symbol for two pixels of an 8x8 thumbnail."""

    def agree(self, frames, point, calibration) -> Agreement:
        needed = frames.t * frames.h * frames.w // 128
        if point.budget_uses is not None and point.budget_uses < needed:
            raise Infeasible(f"needs {needed} channel uses, got {point.budget_uses}")
        return Agreement(frames, point)

    def transmit(self, frames: Frames, agreement: Agreement, seeds) -> Flow[Symbols]:
        return charged(analogue(frames))

    def receive(self, received, agreement: Agreement) -> Frames:
        return picture(received.iq, agreement.frames)


def analogue(frames: Frames) -> torch.Tensor:
    thumbs = frames.pixels[:, :, 4::8, 4::8].reshape(1, -1) - 0.5
    iq = torch.view_as_complex(thumbs.reshape(1, -1, 2).contiguous())
    return iq / iq.abs().square().mean().sqrt()


def charged(iq: torch.Tensor, count: int | None = None) -> Flow[Symbols]:
    return Flow(Symbols(iq)).then(Symbols(iq), Charge("tests/direct", "payload", count or iq.shape[1]))


def picture(iq: torch.Tensor, shape) -> Frames:
    thumbs = torch.view_as_real(iq).reshape(1, shape.t, shape.h // 8, shape.w // 8) * 0.3 + 0.5
    return Frames(thumbs.repeat_interleave(8, 2).repeat_interleave(8, 3).clamp(0, 1).float())


class FreeRider(Direct):
    """Sends one symbol more than it pays for."""

    def transmit(self, frames, agreement, seeds):
        iq = analogue(frames)
        return charged(torch.cat([iq, iq[:, :1]], dim=1), iq.shape[1])


class Loud(Direct):
    """Sends at twice the power."""

    def transmit(self, frames, agreement, seeds):
        return charged(analogue(frames) * 2**0.5)


class Peeper(Direct):
    """Its receiver reads what its transmitter left in a global."""

    def transmit(self, frames, agreement, seeds):
        LEFT_BEHIND["frames"] = frames.pixels
        return super().transmit(frames, agreement, seeds)

    def receive(self, received, agreement):
        return Frames(LEFT_BEHIND["frames"].clone())


class Dicer(Direct):
    """Its receiver adds what it draws itself."""

    def receive(self, received, agreement):
        shown = super().receive(received, agreement)
        return Frames((shown.pixels + 0.01 * torch.randn(shown.pixels.shape)).clamp(0, 1))


class Keeper(Direct):
    """Its receiver expects to be the same object as its transmitter."""

    def transmit(self, frames, agreement, seeds):
        self.frames = frames
        return super().transmit(frames, agreement, seeds)

    def receive(self, received, agreement):
        return getattr(self, "frames", Frames(torch.full((1, 4, 64, 64), 0.5)))


class Quiet:
    """A channel without noise."""

    def __call__(self, iq, snr_db, seeds):
        return ChannelOutput(iq.clone(), noise_var=1e-9)


class Broken:
    """A channel that misbehaves as told."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, iq, snr_db, seeds):
        return {
            "nan": iq * float("nan"),
            "inf": iq / 0.0,
            "longer": torch.cat([iq, iq], dim=1),
            "real": iq.real,
            "nothing": None,
        }[self.how]
