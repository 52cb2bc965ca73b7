"""Schemes whose codec takes the readings of a programmable sensor: the receiver decodes readings, then reconstructs.

The inner scheme is any digital one; what it calls a clip are the readings
(T/2, h, w). The ratio map is part of the agreement at both ends, and the codec
was trained for one: another is refused.

Source: [zhang2024crl, Sec. III-C].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from semlink.errors import JointError, ScenarioError
from semlink.link.schemes.behind_sensor import ReconstructedView, behind
from semlink.link.schemes.camera import Eye
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class ReadingsView:
    """The transmitter codes readings, front-packed slots in the place of frames."""

    eye: Eye

    def fitted(self, inner: Any, shape: FrameShape) -> Any:
        """`inner`, if its codec was trained for this sensor.

        Raises:
            JointError: for another ratio map.
        """
        check_counts(self.eye, inner.codec, shape)
        return inner

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return Frames(self.eye.sensor.measure(frames, seeds).slots)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        counts = self.eye.sensor.counts(shape)  # type: ignore[attr-defined]
        return self.eye.reconstructor.reconstruct(Measurement(decoded.pixels, counts, shape))


def behind_sensor(eye: Eye, scheme: Any) -> Any:
    """`scheme` behind a sensor: on readings if its codec takes them, on reconstructed frames otherwise."""
    return behind(ReadingsView(eye) if _takes_readings(scheme) else ReconstructedView(eye), scheme)


def without_sensor(scheme: Any) -> Any:
    """`scheme` itself.

    Raises:
        ScenarioError: its codec takes readings.
    """
    if _takes_readings(scheme):
        raise ScenarioError("codec: takes the readings of a sensor; give the scheme a sensor and a reconstruction")
    return scheme


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
