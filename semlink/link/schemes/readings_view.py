"""Schemes whose codec takes the readings of a programmable sensor: the receiver decodes readings, then reconstructs.

The inner scheme is any digital one; what it calls a clip are the readings
(T/2, h, w). The ratio map is part of the agreement at both ends, and the codec
was trained for one: another is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from semlink.blocks import CodecBase, Scheme
from semlink.errors import InterfaceError, ScenarioError
from semlink.link.schemes.behind_sensor import ReconstructedView, S, behind
from semlink.link.schemes.camera import Camera
from semlink.payload import Frames, FrameShape, Measurement
from semlink.seeds import Seeds


@dataclass(frozen=True, slots=True)
class ReadingsView:
    """The transmitter codes readings, front-packed slots in the place of frames. Source: [zhang2024crl, Sec. III-C]."""

    camera: Camera
    codec: CodecBase

    def check_shape(self, shape: FrameShape) -> None:
        self.camera.check_shape(shape)

    def fitted(self, inner: S, shape: FrameShape) -> S:
        """`inner`, if its codec was trained for this sensor.

        Raises:
            InterfaceError: for another ratio map.
        """
        self.codec.check_sensor(self.camera.sensor, shape)
        return inner

    def shown(self, frames: Frames, seeds: Seeds) -> Frames:
        readings = self.camera.sensor.measure(frames, seeds)
        if not isinstance(readings, Measurement):
            raise InterfaceError(
                f"codec {self.codec.name}: takes readings over time, sensor {self.camera.sensor.name} gives "
                f"{type(readings).__name__}; allowed: sensors that give Measurement, such as programmable"
            )
        return Frames(readings.slots)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        counts = self.camera.sensor.counts(shape)
        if counts is None:
            raise InterfaceError(f"sensor {self.camera.sensor.name} has no counts(shape), which reconstruction needs")
        return self.camera.reconstructor.reconstruct(Measurement(decoded.pixels, counts, shape))


@dataclass(frozen=True, slots=True)
class ReadingsToFramesView(ReadingsView):
    """The transmitter codes readings; the codec's decoder writes frames itself."""

    def check_shape(self, shape: FrameShape) -> None:
        self.camera.cost(shape)

    def restored(self, decoded: Frames, shape: FrameShape) -> Frames:
        return decoded


def seen_by(camera: Camera | None, codec: CodecBase, scheme: Scheme) -> Scheme:
    """`scheme` behind its sensor, if it has one: on readings if its codec takes them, else on reconstructed frames.

    Raises:
        ScenarioError: its codec takes readings, and there is no sensor.
    """
    if camera is not None and not codec.takes_readings:
        return behind(ReconstructedView(camera), scheme)
    if camera is not None:
        view = ReadingsToFramesView if codec.gives_frames else ReadingsView
        return behind(view(camera, codec), scheme)
    if codec.takes_readings:
        raise ScenarioError("codec: takes the readings of a sensor; give the scheme a sensor and a reconstruction")
    return scheme
