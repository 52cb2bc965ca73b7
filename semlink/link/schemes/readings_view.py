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

from semlink.errors import InterfaceError, ScenarioError
from semlink.link.schemes.behind_sensor import ReconstructedView, behind
from semlink.link.schemes.camera import Camera
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class ReadingsView:
    """The transmitter codes readings, front-packed slots in the place of frames."""

    camera: Camera

    def fitted(self, inner: Any, shape: FrameShape) -> Any:
        """`inner`, if its codec was trained for this sensor.

        Raises:
            InterfaceError: for another ratio map.
        """
        check_counts(self.camera, inner.codec, shape)
        return inner

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        return Frames(self.camera.sensor.measure(frames, seeds).slots)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        counts = self.camera.sensor.counts(shape)  # type: ignore[attr-defined]
        return self.camera.reconstructor.reconstruct(Measurement(decoded.pixels, counts, shape))


def behind_sensor(camera: Camera, scheme: Any) -> Any:
    """`scheme` behind a sensor: on readings if its codec takes them, on reconstructed frames otherwise."""
    return behind(ReadingsView(camera) if _takes_readings(scheme) else ReconstructedView(camera), scheme)


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


def check_counts(camera: Camera, codec: Any, shape: FrameShape) -> None:
    """Refuse readings that the codec was not trained for.

    Raises:
        InterfaceError: another ratio map, another number of frames, or an aperture.
    """
    if shape.t != codec.facts["num_frames"]:
        raise InterfaceError(
            f"codec {codec.weights!r}: clips of {shape.t} frames; allowed: {codec.facts['num_frames']}"
        )
    counts = getattr(camera.sensor, "counts", None)
    if counts is None or getattr(camera.sensor, "masked", False):
        raise InterfaceError(f"codec {codec.weights!r}: takes readings of a programmable sensor without aperture")
    have, want = counts(shape), codec.counts(shape)
    if not torch.equal(have, want):
        raise InterfaceError(
            f"codec {codec.weights!r}: the sensor's ratio map has mean {float(have.float().mean()):g} measurements; "
            f"allowed: the one it was trained for, {codec.facts['sensor']}"
        )
