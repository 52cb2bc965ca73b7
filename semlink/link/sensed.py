"""Schemes that see the scene through a sensor.

`SensedScheme` reconstructs the video first and hands it to another scheme, as
in [zhang2024crl, Sec. IV-C] with H.264; `SensingScheme` sends nothing at all
and is scored on its reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semlink.blocks import Rehearsal, Scheme, Sensor
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Point, Received, Symbols
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class Eye:
    """A sensor with its reconstruction."""

    sensor: Sensor
    reconstructor: Any

    def see(self, frames: Frames, seeds: Seeds) -> Frames:
        """What is made of the readings alone."""
        return self.reconstructor.reconstruct(self.sensor.measure(frames, seeds))

    def cost(self, shape: FrameShape) -> float:
        """Measurements a pixel."""
        return self.sensor.measurements_per_pixel(shape)

    def frame_kinds(self, shape: FrameShape) -> Sequence[str]:
        """What each frame is to the sensor, where it tells frames apart."""
        kinds = getattr(self.sensor, "frame_kinds", None)
        return () if kinds is None else kinds(shape)


@dataclass(frozen=True, slots=True)
class SensedScheme:
    """Another scheme behind a sensor: the transmitter reconstructs, then codes."""

    eye: Eye
    inner: Scheme

    @property
    def is_bound(self) -> bool:
        return bool(getattr(self.inner, "is_bound", False))

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.eye.cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.eye.frame_kinds(frames)

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        return self.inner.agree(frames, point, rehearsal)

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        return self.inner.transmit(self.eye.see(frames, seeds), agreement, seeds)

    def ideal(self, frames: Frames, agreement: Agreement, channel: Any, seeds: Seeds) -> tuple[Frames, Ledger]:
        return self.inner.ideal(self.eye.see(frames, seeds), agreement, channel, seeds)  # type: ignore[attr-defined]

    def receive(self, received: Received, agreement: Agreement) -> Frames | Delivered:
        return self.inner.receive(received, agreement)


@dataclass(frozen=True, slots=True)
class SensingScheme:
    """A sensor and its reconstruction; the rate knob is the mean count of the ratio map."""

    eye_at: Callable[[float | None], Eye]
    is_sensing: bool = True

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        return Agreement(frames, point)

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.eye_at(agreement.point.rate).cost(agreement.frames)

    def frame_kinds(self, frames: FrameShape, rate: float | None) -> Sequence[str]:
        return self.eye_at(rate).frame_kinds(frames)

    def sense(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Frames:
        """The reconstructed frames."""
        return self.eye_at(agreement.point.rate).see(frames, seeds)
