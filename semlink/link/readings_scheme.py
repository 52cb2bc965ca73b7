"""Schemes whose codec takes the readings of a sensor: the receiver decodes readings, then reconstructs.

The inner scheme is any digital one; what it calls a clip are the readings
(T/2, h, w). The ratio map is part of the agreement at both ends, and the codec
was trained for one: another is refused.

Source: [zhang2024crl, Sec. III-C].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from semlink.blocks import Rehearsal
from semlink.errors import JointError, ScenarioError
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.link.bursts import Burst, Feedback, Opening, Past, talks_back
from semlink.link.interactive import InteractiveBehindSensor, InteractiveScheme
from semlink.link.sensed import Eye, SensedScheme
from semlink.payload import Agreement, Delivered, Frames, FrameShape, Measurement, Point, Received, Symbols
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class ReadingsScheme:
    """A digital scheme or a bound around a codec of readings."""

    eye: Eye
    inner: Any

    @property
    def is_bound(self) -> bool:
        return bool(getattr(self.inner, "is_bound", False))

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.eye.cost(agreement.frames)

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        """As the inner scheme does.

        Raises:
            JointError: the codec was trained for another ratio map.
        """
        check_counts(self.eye, self.inner.codec, frames)
        return self.inner.agree(frames, point, rehearsal)

    def transmit(self, frames: Frames, agreement: Agreement, seeds: Seeds) -> Flow[Symbols]:
        return self.inner.transmit(readings(self.eye, frames, seeds), agreement, seeds)

    def ideal(self, frames: Frames, agreement: Agreement, channel: Any, seeds: Seeds) -> tuple[Frames, Ledger]:
        decoded, ledger = self.inner.ideal(readings(self.eye, frames, seeds), agreement, channel, seeds)
        return restored(self.eye, decoded, agreement.frames), ledger

    def receive(self, received: Received, agreement: Agreement) -> Delivered:
        delivered = self.inner.receive(received, agreement)
        return replace(delivered, frames=restored(self.eye, delivered.frames, agreement.frames))


@dataclass(frozen=True, slots=True)
class InteractiveReadings:
    """The same around a scheme that listens."""

    eye: Eye
    inner: InteractiveScheme

    def num_groups(self, frames: FrameShape) -> int:
        return self.inner.num_groups(frames)

    def measurements_per_pixel(self, agreement: Agreement) -> float:
        return self.eye.cost(agreement.frames)

    def agree(self, frames: FrameShape, point: Point, rehearsal: Rehearsal) -> Agreement:
        """As the inner scheme does.

        Raises:
            JointError: the codec was trained for another ratio map.
        """
        check_counts(self.eye, self.inner.codec, frames)
        return self.inner.agree(frames, point, rehearsal)

    def next_burst(
        self, frames: Frames, agreement: Agreement, seeds: Seeds, past: Sequence[Past], opening: Opening
    ) -> Flow[Symbols] | None:
        return self.inner.next_burst(readings(self.eye, frames, seeds), agreement, seeds, past, opening)

    def symbols_ahead(self, agreement: Agreement, past: Sequence[Past], opening: Opening) -> int:
        return self.inner.symbols_ahead(agreement, past, opening)

    def listen(self, bursts: Sequence[Burst], agreement: Agreement) -> Feedback:
        return self.inner.listen(bursts, agreement)

    def receive(self, bursts: Sequence[Burst], agreement: Agreement) -> Delivered:
        delivered = self.inner.receive(bursts, agreement)
        return replace(delivered, frames=restored(self.eye, delivered.frames, agreement.frames))


def behind_sensor(eye: Eye, scheme: Any) -> Any:
    """`scheme` behind a sensor: on readings if its codec takes them, on reconstructed frames otherwise."""
    if _takes_readings(scheme):
        return InteractiveReadings(eye, scheme) if talks_back(scheme) else ReadingsScheme(eye, scheme)
    return InteractiveBehindSensor(eye, scheme) if talks_back(scheme) else SensedScheme(eye, scheme)


def without_sensor(scheme: Any) -> Any:
    """`scheme` itself.

    Raises:
        ScenarioError: its codec takes readings.
    """
    if _takes_readings(scheme):
        raise ScenarioError("codec: takes the readings of a sensor; give the scheme a sensor and a reconstruction")
    return scheme


def readings(eye: Eye, frames: Frames, seeds: Seeds) -> Frames:
    """What the sensor reads, (1, T/2, h, w), in the place of frames."""
    return Frames(eye.sensor.measure(frames, seeds).slots)


def restored(eye: Eye, decoded: Frames, shape: FrameShape) -> Frames:
    """Frames from decoded readings."""
    counts = eye.sensor.counts(shape)  # type: ignore[attr-defined]
    return eye.reconstructor.reconstruct(Measurement(decoded.pixels, counts, shape))


def _takes_readings(scheme: Any) -> bool:
    return bool(getattr(getattr(scheme, "codec", None), "takes_readings", False))


def check_counts(eye: Eye, codec: Any, shape: FrameShape) -> None:
    """Refuse readings that the codec was not trained for.

    Raises:
        JointError: another ratio map, another number of frames, or an aperture.
    """
    if shape.t != codec.facts["num_frames"]:
        raise JointError(f"codec {codec.weights!r}: clips of {shape.t} frames; allowed: {codec.facts['num_frames']}")
    counts = getattr(eye.sensor, "counts", None)
    if counts is None or getattr(eye.sensor, "masked", False):
        raise JointError(f"codec {codec.weights!r}: takes readings of a programmable sensor without aperture")
    have, want = counts(shape), codec.counts(shape)
    if not torch.equal(have, want):
        raise JointError(
            f"codec {codec.weights!r}: the sensor's ratio map has mean {float(have.float().mean()):g} measurements; "
            f"allowed: the one it was trained for, {codec.facts['sensor']}"
        )
